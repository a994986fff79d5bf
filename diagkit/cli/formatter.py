"""What a notebook keeps of findings that a cell shows, for those who compare runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.redaction.text import redact_frame
from diagkit.report.runs import MIME, show_findings

if TYPE_CHECKING:
    import pandas as pd


def load(shell: Any) -> None:
    """Keep the rows of findings beside the table that is shown.

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

    formatter: Any = FindingsFormatter(parent=shell.display_formatter)
    formatter.for_type_by_name("pandas", "DataFrame", keep_findings)
    shell.display_formatter.formatters[MIME] = formatter


def unload(shell: Any) -> None:
    """Keep them no more.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    shell.display_formatter.formatters.pop(MIME, None)


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


def _may_show(frame: pd.DataFrame) -> bool:
    # Only findings are redacted for this: a frame may have a million rows.
    return show_findings(frame.head(0)) is not None
