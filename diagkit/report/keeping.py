"""What stands in a report already: what people wrote, and what was found then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceAccessError, SourceFormatError
from diagkit.report.document import Document, Field, summarise
from diagkit.report.fields import (
    HEADING,
    join_fields,
    read_page,
    read_strays,
    unescape,
)
from diagkit.report.narratives import (
    Narrative,
    digest,
    find_changed,
    merge_narrative,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


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
    metadata
        Of the notebook.
    strays
        What people wrote outside of the fields, by the heading that it stands under
        (empty above the first).
    """

    narratives: Mapping[str, Narrative] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, str]] | None = None
    cells: tuple[dict[str, Any], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    strays: Mapping[str, str] = field(default_factory=dict)


def read_kept(path: Path) -> Kept:
    """Read what people wrote into a report.

    Parameters
    ----------
    path
        The report; nothing is kept where there is none.

    Returns
    -------
    Kept
        Empty where there is no file, or an empty one.

    Raises
    ------
    SourceFormatError
        If it cannot be read, or diagkit did not make it: it is not overwritten then.
    SourceAccessError
        If the file cannot be opened.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Kept()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
        raise SourceAccessError(msg) from None
    if not data.strip():
        return Kept()
    try:
        kept = parse_kept(data, path.suffix)
    except ValueError as error:
        msg = f"{path}: is no report that can be read ({error}); move it away first"
        raise SourceFormatError(msg) from None
    if kept.findings is None and not kept.narratives:
        msg = (
            f"{path}: is there already, and no report of diagkit's; name another file, "
            "or move it away first"
        )
        raise SourceFormatError(msg)
    return kept


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
    # However an editor ends lines.
    text = data.decode("utf-8-sig").replace("\r\n", "\n")
    if suffix in PAGES:
        return PAGES[suffix](text)
    if suffix not in READERS:
        msg = f"a report ends in {', '.join((*PAGES, *READERS))}"
        raise ValueError(msg)
    try:
        return READERS[suffix](json.loads(text))
    except (AttributeError, KeyError, TypeError) as error:
        msg = f"its JSON is of another kind: {error}"
        raise ValueError(msg) from None


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

    def merge(one: Field, stands: Narrative | None) -> Field:
        default, name = one.narrative.text, one.narrative.id
        narrative = merge_narrative(default, stands, name, before, now, accept=accept)
        return Field(narrative, tuple(find_changed(narrative, now)))

    def add(stands: Narrative) -> Field:
        return merge(Field(Narrative(stands.id, "")), stands)

    left = {name: one for name, one in kept.narratives.items() if one.edited}
    strays = dict(kept.strays)
    sections = []
    for section in document.sections:
        fields = []
        for one in section.fields:
            left.pop(one.narrative.id, None)
            fields.append(merge(one, kept.narratives.get(one.narrative.id)))
        # What stands above the first heading goes below it.
        said = [strays.pop(head, "") for head in ("", section.heading)]
        besides = _find_besides(section.id, left, said)
        fields += [add(besides)] if besides.text else []
        sections.append(replace(section, fields=tuple(fields)))
    # Words of a section that is not there any more stand in the last one.
    last = sections[-1]
    rest = _find_besides("report", left, list(strays.values()))
    gone = [*left.values(), *([rest] if rest.text else [])]
    sections[-1] = replace(last, fields=(*last.fields, *map(add, gone)))
    return replace(document, sections=tuple(sections))


def _find_besides(
    place: str, left: dict[str, Narrative], said: Iterable[str]
) -> Narrative:
    """Take what stands beside the fields of a section, as a field of its own."""
    name = f"{place}_besides"
    old = left.pop(name, Narrative(name, ""))
    texts = dict.fromkeys(text for text in (old.text, *said) if text)
    return replace(old, text="\n\n".join(texts), generated=digest(""))


def _read_markdown(text: str) -> Kept:
    return Kept(*read_page(text), strays=read_strays(text))


def _read_html(text: str) -> Kept:
    return Kept(*read_page(text))


def _read_notebook(book: Any) -> Kept:
    cells = tuple(book.get("cells", ()))
    found = (
        (data, join_source(cell))
        for cell in cells
        if "narrative" in (data := cell.get("metadata", {}).get("diagkit", {}))
    )
    metadata = book.get("metadata", {})
    findings = metadata.get("diagkit", {}).get("findings")
    strays: dict[str, str] = {}
    for heading, text in _find_own(cells):
        strays[heading] = "\n\n".join(filter(None, (strays.get(heading), text)))
    return Kept(join_fields(found), findings, cells, metadata, strays)


def _find_own(cells: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Find the texts of people's own cells, each with the heading before it."""
    heading = ""
    for cell in cells:
        data, text = cell.get("metadata", {}).get("diagkit", {}), join_source(cell)
        ours = data.get("cell") == digest(text)
        if ours and (title := HEADING.match(text)):
            heading = unescape(title[1])
        elif (
            cell.get("cell_type") == "markdown" and "narrative" not in data and not ours
        ):
            yield heading, text


def _read_json(body: Any) -> Kept:
    found = ((row, row["text"]) for row in body.get("narratives", ()))
    rows = body.get("findings")
    findings = None if rows is None else {str(row["id"]): row for row in rows}
    return Kept(join_fields(found), findings)


PAGES = {".md": _read_markdown, ".html": _read_html}
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
