"""What a command prints: a table for people, JSON for programs, one exit code."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from diagkit.charts.text import written_by
from diagkit.cli.hiding import Hider, count_redactions
from diagkit.errors import SourceAccessError
from diagkit.frames.findings import severity_rank
from diagkit.redaction.text import hide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

# Log text is hostile: a terminal must never act on an escape or a bidi control in it.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs, not a table.")
]
FailOnOption = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="SEVERITY",
        help="Exit with 1 if a finding is at least this severe: "
        "info, low, medium, high, critical.",
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--tz", help="Zone of times that are written without one. [UTC]"),
]


@dataclass
class Section:
    """One table of a command's output.

    Attributes
    ----------
    title
        Its heading, and in JSON (lower case, ``_`` for blanks) its key.
    frame
        The rows.
    columns
        The columns that the table for people shows, in order; JSON has all of them.
    limit
        How many rows the table shows. What is left out is counted in a line below.
    """

    title: str
    frame: pd.DataFrame
    columns: Sequence[str]
    limit: int = 40


def show(
    sections: Sequence[Section],
    *,
    as_json: bool,
    notes: Sequence[str] = (),
    extra: Mapping[str, object] | None = None,
) -> None:
    """Print a command's result, redacted, as tables or as one JSON object.

    Parameters
    ----------
    sections
        The tables.
    as_json
        Print one JSON object instead: a key a section, a list of records each.
    notes
        Lines under the tables; in JSON the list ``notes``. A last line says how many
        replacements were made, where there are some; in JSON it is ``redactions``.
    extra
        Further keys of the JSON object.
    """
    hider = Hider()
    if as_json:
        body: dict[str, object] = hider.value(dict(extra or {}))
        for part in sections:
            key = part.title.lower().replace(" ", "_")
            body[key] = _records(hider.frame(part.frame))
        body["notes"] = [hider.text(note) for note in notes]
        body["redactions"] = hider.count
        sys.stdout.write(json.dumps(body, indent=1) + "\n")
        return
    console = Console(highlight=False, emoji=False)
    for part in sections:
        _print_table(console, part, hider)
    for note in notes:
        console.print(Text(printable(hider.text(note))), soft_wrap=True)
    if hider.count:
        console.print(count_redactions(hider.count))


def write_chart(path: Path, draw: Callable[[], Any]) -> str:
    """Draw a chart into a PNG, redacted.

    Parameters
    ----------
    path
        The file.
    draw
        Draws it, and returns its Axes.

    Returns
    -------
    str
        A note that names the file.

    Raises
    ------
    SourceAccessError
        If it cannot be written.
    """
    from diagkit.charts.images import to_png

    with written_by(hide):
        data = to_png(draw())
    try:
        path.write_bytes(data)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error})"
        raise SourceAccessError(msg) from None
    return f"chart: {path}"


def printable(text: str) -> str:
    r"""Make text harmless for a terminal: escapes and controls are spelled out.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        The same with every control character but tab and newline as ``\xNN``.

    Examples
    --------
    >>> printable("\x1b[31mred")
    '\\x1b[31mred'
    """
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


def exit_code(findings: pd.DataFrame, fail_on: str | None) -> int:
    """Return 1 where a finding is at least as severe as asked, else 0.

    Parameters
    ----------
    findings
        FINDINGS.
    fail_on
        A severity, or None for never.

    Returns
    -------
    int
        0 or 1.
    """
    if fail_on is None:
        return 0
    least = severity_rank(fail_on)
    return int(any(severity_rank(str(s)) >= least for s in findings["severity"]))


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Turn a frame into JSON records; times are ISO 8601, missing is null."""
    text = frame.to_json(orient="records", date_format="iso", date_unit="us")
    done: list[dict[str, object]] = json.loads(text or "[]")
    return done


def _print_table(console: Console, part: Section, hider: Hider) -> None:
    if part.frame.empty:
        console.print(Text(printable(f"{part.title}: none")))
        return
    table = Table(title=printable(part.title), title_justify="left", show_lines=False)
    clean = hider.frame(part.frame[list(part.columns)].head(part.limit))
    for label, name in zip(clean.columns, part.columns, strict=True):
        kind = part.frame[name].dtype
        # Words of a list are short, and are not to be broken for a long text beside;
        # an id is there to be copied.
        table.add_column(
            Text(printable(str(label))),
            justify="right" if kind.kind in "iuf" else "left",
            overflow="fold",
            no_wrap=kind == "category" or name == "id",
        )
    for row in clean.itertuples(index=False):
        table.add_row(*(Text(printable(_cell(value))) for value in row))
    console.print(table)
    left = len(part.frame) - part.limit
    if left > 0:
        console.print(f"… and {left} more rows (all of them with --json)")


def _cell(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return "–"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
