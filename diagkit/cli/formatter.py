"""What a notebook keeps of what its cells show: no secrets; and of findings, rows."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from diagkit.charts.text import write_by_default
from diagkit.cli.hiding import Hider
from diagkit.errors import DiagkitWarning
from diagkit.redaction.frames import redact_frame
from diagkit.redaction.text import hide
from diagkit.report.runs import MIME, show_findings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

# A picture's bytes, and the number of a widget whose explorer is redacted by itself.
KEPT = ("application/vnd.jupyter.widget-view+json", "application/pdf")
MARKUP = ("text/html", "image/svg+xml")
# The rows of a table as pandas writes it.
HEAD = re.compile(r'<tr style="text-align: right;">.*?</tr>', re.DOTALL)
ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
TEXTS = ("str", "string", "category")


def load(shell: Any) -> None:
    """Take secrets out of what cells show, and keep the rows of findings beside it.

    Charts that diagkit draws, and its warnings, have none from then on, either. What is
    printed stays as it is.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    from IPython.core.formatters import BaseFormatter

    class FindingsFormatter(BaseFormatter):
        format_type = MIME
        # Of other objects it asks for nothing that they have.
        print_method = "_repr_diagkit_findings_"
        _return_type = list

    display = shell.display_formatter
    formatter: Any = FindingsFormatter(parent=display)
    formatter.for_type_by_name("pandas", "DataFrame", keep_findings)
    display.formatters[MIME] = formatter
    if not isinstance(vars(display).get("format"), CleanFormat):
        display.format = CleanFormat(display.format)
    if not isinstance(warnings.formatwarning, CleanWarning):
        warnings.formatwarning = CleanWarning(warnings.formatwarning)
    write_by_default(hide)


def unload(shell: Any) -> None:
    """Show everything as it is, and keep nothing beside it.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    display = shell.display_formatter
    display.formatters.pop(MIME, None)
    if isinstance(vars(display).get("format"), CleanFormat):
        # The method of its class is found again.
        del display.format
    if isinstance(warnings.formatwarning, CleanWarning):
        warnings.formatwarning = warnings.formatwarning.write
    write_by_default(None)


class CleanFormat:
    """Formats what a cell shows, redacted; the cell's variables stay as they are.

    Parameters
    ----------
    write
        The method that it stands in for.
    """

    def __init__(self, write: Callable[..., tuple[dict[str, Any], Any]]) -> None:
        self.write = write

    def __call__(self, thing: Any, *args: Any, **kwargs: Any) -> Any:
        """Format an object.

        Parameters
        ----------
        thing
            What is shown.
        *args, **kwargs
            Further arguments of the method.

        Returns
        -------
        tuple
            Representations by their type, and what is to be known of them.
        """
        hider = Hider()
        # Before a table is written: it cuts long cells, and half a secret is one.
        clean = _clean(thing, hider)
        bundle, about = self.write(clean, *args, **kwargs)
        if not _is_table(clean):
            bundle = {kind: _hide(kind, said, hider) for kind, said in bundle.items()}
        elif isinstance(bundle.get("text/html"), str):
            bundle["text/html"] = align_text(bundle["text/html"], clean)
        if bundle and hider.count:
            about = {**about, "diagkit": {"redactions": hider.count}}
        return bundle, about


class CleanWarning:
    """Writes warnings, redacted; those of diagkit's without where its files are.

    Parameters
    ----------
    write
        The function that it stands in for.
    """

    def __init__(self, write: Callable[..., str]) -> None:
        self.write = write

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        *args: Any,
        **kwargs: Any,
    ) -> str:
        """Write a warning.

        Parameters
        ----------
        message, category, *args, **kwargs
            Those of `warnings.formatwarning`.

        Returns
        -------
        str
            Its lines.
        """
        if issubclass(category, DiagkitWarning):
            # It is about somebody's files; a path of this machine is saved for nothing.
            return f"{category.__name__}: {hide(str(message))}\n"
        return hide(self.write(message, category, *args, **kwargs))


def keep_findings(frame: pd.DataFrame) -> list[dict[str, str]] | None:
    """Return the rows of a frame that shows findings, without secrets.

    Parameters
    ----------
    frame
        What a cell shows.

    Returns
    -------
    list of dict or None
        None for any other frame.
    """
    return show_findings(redact_frame(frame).frame) if _may_show(frame) else None


def align_text(markup: str, frame: pd.DataFrame) -> str:
    """Let text of a table begin at the left: notebooks put all of it to the right.

    Parameters
    ----------
    markup
        The table, as pandas writes it.
    frame
        What it shows.

    Returns
    -------
    str
        The table; numbers and times stand at the right, as they were.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"n": [1], "why": ["it leaks"]})
    >>> made = align_text(rows.to_html(), rows)
    >>> '<td style="text-align: left">it leaks</td>' in made, "<td>1</td>" in made
    (True, True)
    >>> '<th style="text-align: left">why</th>' in made, "<th>n</th>" in made
    (True, True)
    """
    text = [kind.kind in "OTUS" or str(kind) in TEXTS for kind in frame.dtypes]

    def align(row: re.Match[str], cell: str, before: int) -> str:
        first, *cells = row[0].split(cell)
        # Columns that pandas leaves out in the middle: which is which, nobody knows.
        if len(cells) != before + len(text):
            return row[0]
        begin = f'{cell[:-1]} style="text-align: left">'
        marks = [cell] * before + [begin if one else cell for one in text]
        return first + "".join(
            f"{mark}{one}" for mark, one in zip(marks, cells, strict=True)
        )

    levels = frame.index.nlevels
    done = HEAD.sub(lambda row: align(row, "<th>", levels), markup)
    return ROW.sub(lambda row: align(row, "<td>", 0), done)


def _clean(thing: Any, hider: Hider) -> Any:
    import pandas as pd

    if isinstance(thing, pd.DataFrame):
        # Of findings every row is kept.
        return hider.frame(thing) if _may_show(thing) else hider.shown(thing)
    if isinstance(thing, pd.Series):
        shown = hider.shown(thing.to_frame()).iloc[:, 0]
        return shown.rename(hider.value(thing.name))
    return hider.value(thing)


def _hide(kind: str, said: Any, hider: Hider) -> Any:
    if kind in KEPT or not isinstance(said, (str, list, dict)):
        return said
    if kind in MARKUP and isinstance(said, str):
        return hider.html(said)
    if kind.startswith("image/"):
        return said
    return hider.value(said)


def _is_table(thing: Any) -> bool:
    import pandas as pd

    return isinstance(thing, (pd.DataFrame, pd.Series))


def _may_show(frame: pd.DataFrame) -> bool:
    # Only findings are redacted for this: a frame may have a million rows.
    return show_findings(frame.head(0)) is not None
