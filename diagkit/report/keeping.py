"""What stands in a report already: what people wrote, and what was found then."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceFormatError
from diagkit.report.document import Document, Field, summarise
from diagkit.report.narratives import Narrative, find_changed, merge_narrative, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# How a page stores what it needs when it is made again. What people write stands
# between two comments in Markdown; HTML is not written in, and has it in the comment.
FIELD = re.compile(
    r"<!-- diagkit narrative (?P<data>\{[^\n]*?\}) -->\n(?P<text>.*?)\n?"
    r"<!-- /diagkit -->",
    re.DOTALL,
)
FINDINGS = re.compile(r"<!-- diagkit findings (\{[^\n]*?\}) -->")


@dataclass(frozen=True)
class Kept:
    """What a report has from people, and from the analysis before.

    Attributes
    ----------
    narratives
        What stands in the fields, by their names.
    findings
        What was found: rows of FINDINGS by id; None where the report does not say.
    cells
        Cells of a notebook, as they are.
    """

    narratives: Mapping[str, Narrative] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, str]] | None = None
    cells: tuple[dict[str, Any], ...] = ()


def read_kept(path: Path) -> Kept:
    """Read what people wrote into a report.

    Parameters
    ----------
    path
        The report; nothing is kept where there is none.

    Returns
    -------
    Kept
        Empty for a file that diagkit did not make.

    Raises
    ------
    SourceFormatError
        If a notebook or a JSON report cannot be read: it is not overwritten then.
    """
    if not path.exists():
        return Kept()
    try:
        return parse_kept(path.read_bytes(), path.suffix)
    except ValueError as error:
        msg = f"{path}: is no report that can be read ({error}); move it away first"
        raise SourceFormatError(msg) from None


def parse_kept(data: bytes, suffix: str) -> Kept:
    """Read what people wrote into a report, from its bytes.

    Parameters
    ----------
    data
        The report, in UTF-8.
    suffix
        The ending of its name.

    Returns
    -------
    Kept
        Empty for what diagkit did not make.

    Raises
    ------
    ValueError
        If a notebook or a JSON report cannot be read.
    """
    if suffix in READERS:
        return READERS[suffix](json.loads(data))
    return _read_page(data.decode("utf-8"))


def merge_document(document: Document, kept: Kept, *, accept: bool = False) -> Document:
    """Put what people wrote into a report that is made again.

    Parameters
    ----------
    document
        The report as diagkit fills it.
    kept
        What the report has.
    accept
        Whether somebody says that all of it holds for what is found now.

    Returns
    -------
    Document
        Its fields have what people wrote, and what of it no longer holds.
    """
    now = document.said
    before = now if kept.findings is None else summarise(kept.findings)

    def merge(one: Field) -> Field:
        name = one.narrative.id
        narrative = merge_narrative(
            one.narrative.text,
            kept.narratives.get(name),
            name,
            before,
            now,
            accept=accept,
        )
        return Field(narrative, tuple(find_changed(narrative, now)))

    sections = (
        replace(section, fields=tuple(map(merge, section.fields)))
        for section in document.sections
    )
    return replace(document, sections=tuple(sections))


def _narrative(data: Mapping[str, Any], text: str) -> Narrative:
    return Narrative(
        str(data["narrative"]),
        text,
        str(data.get("generated", "")),
        str(data.get("written", "")),
        dict(data.get("basis", {})),
    )


def _read_page(text: str) -> Kept:
    found = {}
    for match in FIELD.finditer(text):
        for data in unpack([match["data"]]):
            # A page of HTML has the text beside the data.
            said = data.pop("text", match["text"])
            found[data["narrative"]] = _narrative(data, said)
    findings = unpack(match[1] for match in FINDINGS.finditer(text))
    return Kept(found, findings[0] if findings else None)


def _read_notebook(book: Any) -> Kept:
    cells = tuple(book["cells"]) if isinstance(book, dict) and "cells" in book else ()
    found = {}
    for cell in cells:
        data = cell.get("metadata", {}).get("diagkit", {})
        if "narrative" in data:
            found[data["narrative"]] = _narrative(data, join_source(cell))
    findings = book.get("metadata", {}).get("diagkit", {}).get("findings")
    return Kept(found, findings, cells)


def _read_json(body: Any) -> Kept:
    rows = body.get("narratives", []) if isinstance(body, dict) else []
    found = {row["narrative"]: _narrative(row, row["text"]) for row in rows}
    findings = {str(row["id"]): row for row in body.get("findings", [])}
    return Kept(found, findings)


READERS = {".ipynb": _read_notebook, ".json": _read_json}


def join_source(cell: Mapping[str, Any]) -> str:
    """Return the text of a cell, which may be stored in lines.

    Parameters
    ----------
    cell
        A cell of a notebook.

    Returns
    -------
    str
        Its source.
    """
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)
