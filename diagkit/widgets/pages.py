"""A view as HTML that needs no kernel, no script and no trust."""

from __future__ import annotations

import base64
import html
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Cc control, Cf format (bidi marks), Cs lone surrogates, Zl/Zp line separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
LONGEST = 160
CELL = "padding:2px 8px;text-align:left;vertical-align:top"
# What is short stays on one line; what is long is broken, and has room.
SHORT = 28
LINE = {True: ";white-space:nowrap", False: ";min-width:320px;overflow-wrap:anywhere"}


@dataclass(frozen=True)
class View:
    """What an explorer shows.

    Attributes
    ----------
    picture
        PNG.
    says
        What the picture says, in words: its alternative text.
    records
        The records in view, as texts.
    left
        How many more records there are.
    bars
        What a click on each bar of the picture sets, from left to right.
    """

    picture: bytes
    says: str
    records: pd.DataFrame
    left: int = 0
    bars: tuple[str, ...] = ()


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
        Escaped; what would act or hide on a page is spelt out.

    Examples
    --------
    >>> print(escape("<b>\x1b[31m"))
    &lt;b&gt;\x1b[31m
    """
    kept = str(text)
    if len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return html.escape("".join(_spell(one) for one in kept))


def to_table(view: View, caption: str) -> str:
    """Write the records of a view as an HTML table.

    Parameters
    ----------
    view
        What is shown.
    caption
        What the rows are.

    Returns
    -------
    str
        A table with headers and a caption; no style but attributes that notebooks
        keep.
    """
    head = "".join(
        f'<th scope="col" style="{CELL}">{escape(name)}</th>' for name in view.records
    )
    rows = "".join(
        "<tr>" + "".join(_cell(str(value)) for value in row) + "</tr>"
        for row in view.records.itertuples(index=False, name=None)
    )
    shown = len(view.records)
    more = f"; {view.left} more are not shown" if view.left else ""
    return (
        f'<table><caption style="text-align:left">{escape(caption)}: {shown}{more}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def to_static(view: View, caption: str, code: str) -> StaticView:
    """Write a view as HTML.

    Parameters
    ----------
    view
        What is shown.
    caption
        What the rows of its table are.
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
        f"{to_table(view, caption)}<p>Shown by <code>{escape(code, 2000)}</code></p>"
        "</div>"
    )


def _cell(text: str) -> str:
    return f'<td style="{CELL}{LINE[len(text) <= SHORT]}">{escape(text)}</td>'


def _spell(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
