"""How a page stores what people write, and how it is read out of it again.

In Markdown a field stands between two comments; HTML is not written in, and has the
text in the comment. What people wrote outside of the fields of Markdown is found too:
the page ends with digests of the lines that diagkit wrote.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from diagkit.report.narratives import Narrative, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "HEADING",
    "join_fields",
    "mark_lines",
    "read_page",
    "read_strays",
    "unescape",
]

FIELD = re.compile(
    r"<!--[ ]+diagkit narrative (?P<data>\{[^\n]*?\})[ ]+-->[ ]*\n"
    # A field that somebody's editing left open does not reach into the next one.
    r"(?P<text>(?:(?!<!--[ ]+diagkit narrative ).)*?)\n?<!--[ ]+/diagkit[ ]+-->",
    re.DOTALL,
)
FINDINGS = re.compile(r"<!--[ ]+diagkit findings (\{[^\n]*?\})[ ]+-->")
LINES = re.compile(r"<!--[ ]+diagkit lines (\{[^\n]*?\})[ ]+-->")
COMMENT = re.compile(r"<!--[ ]+/?diagkit\b.*")
CONFLICT = re.compile(r"^(?:<{7}|>{7})(?: |$)", re.MULTILINE)
HEADING = re.compile(r"## (.+)")
ESCAPED = re.compile(r"\\(.)")
# What a formatter of Markdown may change: a line is known by its words.
NO_WORD = re.compile(r"[\W_]+")


def read_page(text: str) -> tuple[dict[str, Narrative], dict[str, Any] | None]:
    """Read the fields of a page, and what was found.

    Parameters
    ----------
    text
        Markdown or HTML; its lines end with a line feed.

    Returns
    -------
    tuple of dict, and dict or None
        What stands in the fields, by their names; rows of FINDINGS by their ids, None
        where the page does not say.

    Raises
    ------
    ValueError
        If git left a conflict in it.
    """
    if CONFLICT.search(text):
        msg = "git left a conflict in it: keep what is right of both sides"
        raise ValueError(msg)
    parts = (
        (data, data.pop("text", match["text"]))
        for match in FIELD.finditer(text)
        for data in unpack([match["data"]])
    )
    findings = unpack(match[1] for match in FINDINGS.finditer(text))
    return join_fields(parts), findings[0] if findings else None


def join_fields(parts: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, Narrative]:
    """Put together what was found in fields: one that was copied or split is one.

    Parameters
    ----------
    parts
        What is stored beside a text, and the text.

    Returns
    -------
    dict
        What stands in each field, by its name.
    """
    texts: dict[str, list[str]] = {}
    known: dict[str, Mapping[str, Any]] = {}
    for data, text in parts:
        name = str(data["narrative"])
        known.setdefault(name, data)
        if text not in texts.setdefault(name, []):
            texts[name].append(text)
    return {
        name: Narrative(
            name,
            "\n\n".join(texts[name]),
            str(data.get("generated", "")),
            str(data.get("written", "")),
            dict(data.get("basis", {})),
            frozenset(map(str, data["seen"])) if "seen" in data else None,
        )
        for name, data in known.items()
    }


def mark_lines(page: str) -> str:
    """Return a comment that tells which lines of a page diagkit wrote.

    Parameters
    ----------
    page
        Markdown, as it is written.

    Returns
    -------
    str
        One line.
    """
    lines = FIELD.sub("", page).splitlines()
    known = sorted({digest for line in lines if (digest := _digest(line))})
    return f"<!-- diagkit lines {pack({'sha256': known})} -->"


def read_strays(text: str) -> dict[str, str]:
    r"""Read what people wrote outside of the fields of a page.

    Parameters
    ----------
    text
        Markdown; its lines end with a line feed.

    Returns
    -------
    dict
        Text by the heading of diagkit's that it stands under, empty above the first;
        nothing where the page does not say which lines diagkit wrote.

    Examples
    --------
    >>> page = "# Title\n\n## Impact\n\n- 3 leaks\n"
    >>> ours = mark_lines(page)
    >>> read_strays(f"{page}\nAnd a shop in Kingston.\n\n{ours}\n")
    {'Impact': 'And a shop in Kingston.'}
    """
    found = unpack(match[1] for match in LINES.finditer(text))
    if not found:
        return {}
    known = {line for one in found for line in one["sha256"]}
    strays: dict[str, list[str]] = {}
    for heading, line in _walk(FIELD.sub("", text), known):
        strays.setdefault(heading, []).append(line)
    said = {heading: "\n".join(lines).strip() for heading, lines in strays.items()}
    return {heading: text for heading, text in said.items() if text}


def unescape(text: str) -> str:
    r"""Return text as it was before it was escaped for Markdown.

    Parameters
    ----------
    text
        Of a heading.

    Returns
    -------
    str
        Without the backslashes.

    Examples
    --------
    >>> unescape(r"NULL execution\_started\_at")
    'NULL execution_started_at'
    """
    return ESCAPED.sub(r"\1", text)


def _walk(text: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """Go through the lines that diagkit did not write, each with its heading."""
    heading, apart = "", False
    for line in text.splitlines():
        digest = _digest(line)
        if digest in known:
            title = HEADING.fullmatch(line.strip())
            heading = unescape(title[1]) if title else heading
            apart = True
        elif digest:
            if apart:
                yield heading, ""
            apart = False
            yield heading, line
        elif not line.strip():
            # A paragraph of theirs ends; between lines of diagkit's it says nothing.
            yield heading, ""


def _digest(line: str) -> str:
    """Return a digest of a line's words; nothing where it has none."""
    words = NO_WORD.sub("", line)
    if not words or COMMENT.match(line.strip()):
        return ""
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:8]
