"""A view as HTML that needs no kernel, no script and no trust."""

from __future__ import annotations

import base64
import html
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from diagkit.redaction.text import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from diagkit.charts.canvas import Area

# Cc control, Cf format (bidi marks), Cs lone surrogates, Zl/Zp line separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A line of a table holds a record of many lines.
BLANKS = {"\n": " ↵ ", "\t": " "}
LONGEST, BEYOND = 160, 2000
CELL = "padding:2px 5px;text-align:left;vertical-align:top;line-height:1.35"
# A column of short texts stays on one line, one of names may be folded, and one of long
# texts has room for some words: (up to so many characters, style).
COLUMNS = (
    (22, f"{CELL};white-space:nowrap"),
    (60, f"{CELL};min-width:6em;overflow-wrap:anywhere"),
    (LONGEST, f"{CELL};min-width:10em;overflow-wrap:anywhere"),
)


@dataclass(frozen=True)
class Table:
    """Rows that stand beside a picture.

    Attributes
    ----------
    caption
        What the rows are.
    records
        The rows, as texts.
    left
        How many more rows there are.
    """

    caption: str
    records: pd.DataFrame
    left: int = 0


@dataclass(frozen=True)
class Bar:
    """What can be clicked on a picture, or chosen by its name.

    Attributes
    ----------
    value
        What the setting ``bar`` is then.
    label
        What it is, in words: when, and how many.
    """

    value: str
    label: str


@dataclass(frozen=True)
class View:
    """What an explorer shows.

    Attributes
    ----------
    picture
        PNG.
    says
        What the picture says, in words: its alternative text.
    tables
        The records in view.
    bars
        What can be clicked: equal parts of `area`.
    area
        Where they lie on the picture.
    rows
        Whether they lie below each other; else beside.
    others
        What can be chosen, but is no part of the picture.
    """

    picture: bytes
    says: str
    tables: tuple[Table, ...]
    bars: tuple[Bar, ...] = ()
    area: Area | None = None
    rows: bool = False
    others: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class StaticView:
    """The form of an explorer without a kernel: a picture, a table, words.

    It shows in notebooks that are not trusted, and on pages that notebooks become.
    """

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.html


def escape(text: object, limit: int = LONGEST) -> str:
    r"""Make text from data safe to stand in HTML.

    Parameters
    ----------
    text
        Anything.
    limit
        How many characters to keep before the rest becomes ``…``.

    Returns
    -------
    str
        Escaped, without secrets; what would act or hide on a page is spelt out.

    Examples
    --------
    >>> print(escape("<b>\x1b[31m"))
    &lt;b&gt;\x1b[31m
    """
    return html.escape(spell(text, limit))


def spell(text: object, limit: int = LONGEST) -> str:
    r"""Make text from data safe to stand where no HTML is read, as in a list.

    Parameters
    ----------
    text
        Anything.
    limit
        How many characters to keep before the rest becomes ``…``.

    Returns
    -------
    str
        Without secrets; what would hide or turn text is spelt out.

    Examples
    --------
    >>> print(spell("a\u202eb"))
    a\u202eb
    """
    return _spell_text(str(text)[: limit + BEYOND], limit)


def hide(text: str) -> str:
    """Take secrets and personal data out of text that is drawn.

    Parameters
    ----------
    text
        From data.

    Returns
    -------
    str
        Without secrets; of very long text only the beginning.

    Examples
    --------
    >>> hide("worker of sam@example.net")
    'worker of [redacted:email]'
    """
    return _hide(text[: LONGEST + BEYOND])


def to_tables(tables: Iterable[Table]) -> str:
    """Write tables below each other.

    Parameters
    ----------
    tables
        In order.

    Returns
    -------
    str
        HTML.
    """
    return "".join(to_table(table) for table in tables)


def to_table(table: Table) -> str:
    """Write records as an HTML table.

    Parameters
    ----------
    table
        What is shown.

    Returns
    -------
    str
        A table with headers and a caption; no style but attributes that notebooks
        keep.
    """
    # Names of columns are often longer than what stands in them.
    names = [escape(name).replace("_", "_<wbr>") for name in table.records]
    cells = [[escape(one) for one in table.records[name]] for name in table.records]
    styles = [_style(column) for column in cells]
    head = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in names)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="{style}">{cell}</td>'
            for cell, style in zip(row, styles, strict=True)
        )
        + "</tr>"
        for row in zip(*cells, strict=True)
    )
    shown = len(table.records)
    more = f"; {table.left} more are not shown" if table.left else ""
    return (
        f'<table style="font-size:12px"><caption style="text-align:left">'
        f"{escape(table.caption)}: {shown}{more}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def to_static(view: View, code: str) -> StaticView:
    """Write a view as HTML.

    Parameters
    ----------
    view
        What is shown.
    code
        The code that shows it again.

    Returns
    -------
    StaticView
        Shown by notebooks; ``str`` of it is the HTML.
    """
    data = base64.b64encode(view.picture).decode("ascii")
    says = escape(view.says, 500)
    return StaticView(
        f"<div><p>{says}</p>"
        f'<img src="data:image/png;base64,{data}" alt="{says}" style="max-width:100%">'
        f"{to_tables(view.tables)}<p>Shown by <code>{escape(code, 2000)}</code></p>"
        "</div>"
    )


def _style(cells: list[str]) -> str:
    longest = max(map(len, cells), default=0)
    return next((style for most, style in COLUMNS if longest <= most), COLUMNS[-1][1])


# What a notebook shows is saved with it, so it leaves. A secret is looked for in more
# than is shown, since half of one may look like none. Most of what a redraw shows was
# shown before.
@lru_cache(maxsize=4096)
def _hide(text: str) -> str:
    return redact_text(text).text


@lru_cache(maxsize=4096)
def _spell_text(text: str, limit: int) -> str:
    # A line end of Windows is one line end.
    kept = _hide(text).replace("\r\n", "\n")
    if len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return kept if kept.isprintable() else "".join(map(_spell, kept))


def _spell(character: str) -> str:
    if character in BLANKS:
        return BLANKS[character]
    if unicodedata.category(character) not in HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
