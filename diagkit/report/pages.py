"""A document as a page: HTML that needs nothing else, or Markdown."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from diagkit.report.narratives import pack

if TYPE_CHECKING:
    from diagkit.report.document import Document, Field, Table

# Controls and bidi marks of log text would reorder or hide what a page shows.
HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
# Cells up to so many characters are words, names (broken on paper only), and ids.
WORD, NAME, ID = 16, 24, 48
FINDING = re.compile(r"[a-z0-9_]+-[0-9a-f]{8}")
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|$~&])")


def to_html(document: Document, footer: str) -> str:
    """Write a document as one HTML page.

    Parameters
    ----------
    document
        The report.
    footer
        The last line.

    Returns
    -------
    str
        A page that fetches nothing, runs nothing, and has every picture in it.
    """
    clean = document.map_text(spell_out)
    return (
        _environment()
        .get_template("postmortem.html.jinja")
        .render(document=clean, footer=footer)
    )


def to_markdown(document: Document, footer: str) -> str:
    """Write a document as Markdown; pictures become their alternative text.

    Parameters
    ----------
    document
        The report.
    footer
        The last line.

    Returns
    -------
    str
        Text in which nothing from a log acts as Markdown or HTML.
    """
    clean = document.map_text(lambda text: escape_markdown(spell_out(text)))
    return (
        _environment()
        .get_template("postmortem.md.jinja")
        .render(document=clean, footer=footer)
    )


def spell_out(text: str) -> str:
    r"""Make characters visible that would act or hide on a page.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        The text with controls and direction marks as ``\xNN`` or ``\uNNNN``.

    Examples
    --------
    >>> spell_out("a\x1b[31m\u202eb")
    'a\\x1b[31m\\u202eb'
    """
    return HIDDEN.sub(lambda m: m[0].encode("unicode_escape").decode(), text)


def escape_markdown(text: str) -> str:
    r"""Make text stand in Markdown as it is.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        One line in which nothing acts as Markdown or HTML.

    Examples
    --------
    >>> print(escape_markdown("<b>*a*"))
    &lt;b\>\*a\*
    """
    return MARKDOWN.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;")


def to_markdown_table(table: Table) -> str:
    """Write a table in Markdown.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    str
        Its caption, its head and its rows, escaped.
    """

    def line(cells: tuple[str, ...]) -> str:
        said = (escape_markdown(spell_out(cell)) or " " for cell in cells)
        return f"| {' | '.join(said)} |"

    head = [line(table.columns), "|" + " --- |" * len(table.columns)]
    caption = f"**{escape_markdown(spell_out(table.caption))}**"
    return "\n".join([caption, "", *head, *map(line, table.rows)])


def write_words(text: str, label: str = "") -> Markup:
    """Write what a person wrote in Markdown as HTML.

    Parameters
    ----------
    text
        Markdown: HTML in it is shown as text, and pictures are not fetched.
    label
        What a table in it is called for those who do not see it.

    Returns
    -------
    markupsafe.Markup
        HTML.
    """
    words = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = words.parse(spell_out(text))
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "table_open":
            token.attrSet("aria-label", label)
    return Markup(words.renderer.render(tokens, words.options, {}))


def _pack_field(field: Field, *, with_text: bool) -> str:
    data = field.narrative.as_data()
    return pack({**data, "text": field.narrative.text} if with_text else data)


def _width(cell: str) -> Markup:
    """Keep a word, and a name, on one line: long texts beside it would break it."""
    if len(cell) <= WORD:
        return Markup(' class="short"')
    name = len(cell) <= NAME or (len(cell) <= ID and FINDING.fullmatch(cell))
    return Markup(' class="name"' if name else "")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("diagkit.report", "templates"),
        autoescape=jinja2.select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["data_uri"] = lambda png: (
        "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    )
    environment.filters["pack"] = pack
    environment.filters["width"] = _width
    environment.filters["words"] = write_words
    environment.filters["field"] = _pack_field
    environment.filters["plain"] = lambda text: escape_markdown(spell_out(str(text)))
    return environment
