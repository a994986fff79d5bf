"""A view as HTML that needs no kernel, no script and no trust."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from diagkit.redaction.text import hide as hide_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from diagkit.charts.canvas import Area

# Cc control, Cf format (bidi marks), Cs lone surrogates, Zl/Zp line separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A line of a table holds a record of many lines.
BLANKS = {"\n": " ↵ ", "\t": " "}
LONGEST, BEYOND = 160, 2000
WRAPPED = 'style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.4"'
CELL = "padding:2px 5px;text-align:left;vertical-align:top;line-height:1.35"
# A column of short texts stays on one line, one of names may be folded, and one of long
# texts has room for some words. Words are broken only where they are longer than a
# column can be wide.
SHORT, NAME, WORD = 22, 60, 40
# Where names and paths may be folded.
JOINTS = re.compile(r"([._/])(?=[^._/\s])")
_PIECES = re.compile(r"[\s._/-]+")
# What MathJax begins a formula with, on a page of JupyterLab or of nbconvert.
FORMULAS = re.compile(r"\$|\\(?=[(\[]|begin|ref|eqref)")
# JupyterLab keeps these classes in notebooks that it trusts.
NO_FORMULAS = 'class="tex2jax_ignore mathjax_ignore"'
SUMMARY = "Without a kernel: this view as a picture and tables"


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
        PNG; nothing where an error stands in its place.
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
    return hide_all(text[: LONGEST + BEYOND])


def tame(text: str) -> str:
    r"""Keep pages from reading a formula in HTML that was escaped.

    Parameters
    ----------
    text
        Escaped; no part of a tag.

    Returns
    -------
    str
        What could begin a formula is alone in an element: none reaches over two.

    Examples
    --------
    >>> tame("costs $5")
    'costs <span>$</span>5'
    """
    return FORMULAS.sub(lambda found: f"<span>{found[0]}</span>", text)


def to_code(code: str) -> str:
    """Write code as HTML, nothing of it cut.

    Parameters
    ----------
    code
        Without secrets.

    Returns
    -------
    str
        Its lines as such; long ones are folded.
    """
    lines = (
        line if line.isprintable() else "".join(map(_spell, line))
        for line in code.split("\n")
    )
    # An element for the end of a line: that style sheets are kept is not certain.
    text = "<br>".join(tame(html.escape(line)) for line in lines)
    return f"<code {WRAPPED}>{text}</code>"


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
    names = [tame(escape(name)).replace("_", "_<wbr>") for name in table.records]
    columns = [[escape(one) for one in table.records[name]] for name in table.records]
    styles = [_style(column) for column in columns]
    cells = [_fold_names(column) for column in columns]
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
        f"{tame(escape(table.caption))}: {shown}{more}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def to_static(view: View, code: str) -> StaticView:
    """Write a view as HTML.

    Parameters
    ----------
    view
        What is shown.
    code
        The code that shows it again, without secrets.

    Returns
    -------
    StaticView
        Shown by notebooks; ``str`` of it is the HTML.
    """
    says = escape(view.says, 500)
    picture = ""
    if view.picture:
        data = base64.b64encode(view.picture).decode("ascii")
        source = f"data:image/png;base64,{data}"
        picture = f'<img src="{source}" alt="{says}" style="max-width:100%">'
    return StaticView(
        f"<div {NO_FORMULAS}><p>{tame(says)}</p>{picture}"
        f'<div style="overflow-x:auto">{to_tables(view.tables)}</div>'
        f"<p>Shown by {to_code(code)}</p></div>"
    )


def fold(static: StaticView) -> str:
    """Fold a static view away: it stands below the same view with controls.

    Parameters
    ----------
    static
        What `to_static` returns.

    Returns
    -------
    str
        HTML.
    """
    return f"<details><summary>{SUMMARY}</summary>{static.html}</details>"


def _style(cells: list[str]) -> str:
    longest = max(map(len, cells), default=0)
    if longest <= SHORT:
        return f"{CELL};white-space:nowrap"
    words = (word for cell in cells for word in _PIECES.split(cell))
    least, how = (
        ("8em" if longest <= NAME else "10em"),
        ("anywhere" if max(map(len, words), default=0) > WORD else "break-word"),
    )
    return f"{CELL};min-width:{least};overflow-wrap:{how}"


def _fold_names(cells: list[str]) -> list[str]:
    """Let names be folded where people would, but no short texts."""
    if max(map(len, cells), default=0) <= SHORT:
        return [tame(cell) for cell in cells]
    return [tame(JOINTS.sub(r"\1<wbr>", cell)) for cell in cells]


# What a notebook shows is saved with it, so it leaves. A secret is looked for in more
# than is shown, since half of one may look like none. Most of what a redraw shows was
# shown before.
@lru_cache(maxsize=4096)
def _spell_text(text: str, limit: int) -> str:
    # A line end of Windows is one line end.
    kept = hide_all(text).replace("\r\n", "\n")
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
