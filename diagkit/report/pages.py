"""A document as a page: HTML that needs nothing else, or Markdown."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from diagkit.report.fields import mark_lines
from diagkit.report.narratives import CITED, pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diagkit.report.document import Document, Field, Table

# Controls and bidi marks of log text would reorder or hide what a page shows.
HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
# Cells up to so many characters are words, names (broken on paper only), and ids.
WORD, NAME, ID = 16, 26, 48
# Cells of this many are prose, which needs room; words of this many are broken.
PROSE, LONG = 60, 34
NUMBER = re.compile(r"[-+\u2212]?\d[\d,]*(?:\.\d+)?(?: ?(?:%|pp))?|–|")
# What acts in Markdown: some wherever it stands, some at a word's end (an underscore
# within a name does nothing), some where a line begins.
MARKDOWN = re.compile(
    r"[\\`*\[\]<>|$~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|!(?=\[)|^[#+=-]|(?<=^\d)[.)]"
)
# A finding that is named stays as it is: nothing makes it a link.
NAMED = re.compile(rf"\\\[{CITED.pattern}\\\](?![(:])")
# What diagkit writes as code, where it does so: log text keeps its backticks.
CODE = re.compile(r"`([^`\n]{1,200})`")
LINKED = re.compile(rf"`(?P<code>[^`\n]{{1,200}})`|(?P<finding>{CITED.pattern})")
WITH_CODE = ("remedy", "refuted by")
SEVERE = ("critical", "high", "failed")
BAR = "\\|"


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
    page = (
        _environment()
        .get_template("postmortem.md.jinja")
        .render(document=clean, footer=footer)
    )
    # Of a report, in which people write, not of a review.
    return page if document.findings is None else f"{page}{mark_lines(page)}\n"


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


def escape_markdown(text: str, *, code: bool = False) -> str:
    r"""Make text stand in Markdown as it is.

    Parameters
    ----------
    text
        Anything.
    code
        Whether what stands between backticks is code.

    Returns
    -------
    str
        One line in which nothing acts as Markdown or HTML.

    Examples
    --------
    >>> print(escape_markdown("<b>*a*"))
    &lt;b\>\*a\*
    >>> print(escape_markdown("see [x] and [pool_exhausted-601955e4] (_all_)"))
    see \[x\] and [pool_exhausted-601955e4] (\_all\_)
    >>> print(escape_markdown("use `a_b`, not *c*", code=True))
    use `a_b`, not \*c\*
    """
    line = " ".join(text.split())
    parts = CODE.split(line) if code else [line]
    return "".join(
        f"`{part.replace('|', BAR)}`"
        if place % 2
        else NAMED.sub(r"[\1]", MARKDOWN.sub(r"\\\g<0>", part).replace("\\<", "&lt;"))
        for place, part in enumerate(parts)
    )


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


def write_words(
    text: str, label: str = "", known: Mapping[str, object] | None = None
) -> Markup:
    """Write what a person wrote in Markdown as HTML.

    Parameters
    ----------
    text
        Markdown: HTML in it is shown as text, and pictures are not fetched.
    label
        What a table in it is called for those who do not see it.
    known
        The findings that the page lists, by their ids: their names become links.

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
        elif token.type in ("heading_open", "heading_close"):
            # Below the heading of the section that it stands in.
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        elif token.type == "table_open":
            token.attrSet("aria-label", label)
        for child in token.children or ():
            if child.type == "text":
                child.type, child.content = (
                    "html_inline",
                    write_line(child.content, known),
                )
    return Markup(words.renderer.render(tokens, words.options, {}))


def _pack_field(field: Field, *, with_text: bool) -> str:
    data = field.narrative.as_data()
    return pack({**data, "text": field.narrative.text} if with_text else data)


def write_line(text: str, known: Mapping[str, object] | None, head: str = "") -> Markup:
    """Write a line or a cell as HTML: findings are links, and code is code.

    Parameters
    ----------
    text
        Anything.
    known
        The findings that the page lists, by their ids.
    head
        The heading of the cell's column.

    Returns
    -------
    markupsafe.Markup
        HTML in which nothing of the text acts.

    Examples
    --------
    >>> print(write_line("<b> [leak-00d1e65a]", {"leak-00d1e65a": 1}))
    &lt;b&gt; [<a href="#leak-00d1e65a">leak-00d1e65a</a>]
    >>> print(write_line("`a` & b", None, "remedy"))
    <code>a</code> &amp; b
    """
    made, at = Markup(), 0
    for match in LINKED.finditer(text):
        if known and match["finding"] in known:
            shown = Markup('<a href="#{0}">{0}</a>').format(match[0])
        elif match["code"] and head in WITH_CODE:
            shown = Markup("<code>{}</code>").format(match["code"])
        else:
            continue
        made += Markup("{}{}").format(text[at : match.start()], shown)
        at = match.end()
    return made + text[at:]


def _numeric(table: Table) -> list[bool]:
    """Tell the columns of numbers: they stand at the right."""
    return [
        any(cell.strip("–") for cell in cells) and all(map(NUMBER.fullmatch, cells))
        for cells in zip(*table.rows, strict=True)
    ]


def _class(cell: str, head: str, numeric: bool) -> Markup:
    """Keep a word, and a name, on one line: long texts beside it would break it."""
    if numeric:
        name = "short num"
    elif len(cell) <= WORD:
        name = "short"
    elif len(cell) <= NAME or (len(cell) <= ID and CITED.fullmatch(cell)):
        name = "name"
    else:
        name = "prose" if len(cell) > PROSE else ""
        name += " wild" if max(map(len, cell.split()), default=0) > LONG else ""
    if head in ("severity", "result") and cell in SEVERE:
        name += " severe"
    return Markup(f' class="{name.strip()}"' if name else "")


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
    environment.filters["class"] = _class
    environment.filters["line"] = write_line
    environment.filters["numeric"] = _numeric
    environment.filters["words"] = write_words
    environment.filters["field"] = _pack_field
    environment.filters["plain"] = lambda text: escape_markdown(spell_out(str(text)))
    return environment
