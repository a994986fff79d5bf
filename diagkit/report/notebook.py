"""A document as a notebook: the code that draws each picture, with the picture."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from diagkit.report.keeping import Kept, join_source
from diagkit.report.narratives import digest
from diagkit.report.pages import escape_markdown, spell_out, to_markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from diagkit.report.document import Document, Field, Picture, Section

Cell = dict[str, Any]
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What a person sets stays.
PARAMETERS = "parameters"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def to_notebook(
    document: Document, footer: str, folder: str, kept: Kept | None = None
) -> str:
    """Write a document as a notebook.

    Parameters
    ----------
    document
        The report, with what people wrote.
    footer
        The last line.
    folder
        The incident's folder, as the code names it.
    kept
        What the notebook has: the cells that people added to it stay behind the cell
        that they stood behind, and its kernel stays.

    Returns
    -------
    str
        The notebook: its pictures are there without being run, and its code draws them
        again. Ids of cells say what they hold and stay the same.
    """
    known = kept or Kept()
    cells = list(_make_cells(document, footer, folder))
    body = {
        "cells": _keep(cells, known.cells),
        "metadata": {
            "kernelspec": KERNEL,
            "language_info": {"name": "python"},
            **known.metadata,
            "diagkit": {"findings": document.findings},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(body, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _make_cells(document: Document, footer: str, folder: str) -> Iterator[Cell]:
    title = escape_markdown(spell_out(document.title))
    yield _text("title", f"# {title}\n\n{escape_markdown(document.lead)}")
    yield _code(
        PARAMETERS,
        f"folder = {folder!r}  # the incident's folder, from where this notebook is",
        tags=[PARAMETERS],
    )
    yield _code("load", "import diagkit as dk\n\ninc = dk.open_incident(folder)")
    for section in document.sections:
        yield from _show(section)
    yield _text("footer", escape_markdown(footer))


def _show(section: Section) -> Iterator[Cell]:
    lines = [f"## {section.heading}", *map(_plain, section.paragraphs)]
    if section.points:
        lines.append("\n".join(f"- {_plain(point)}" for point in section.points))
    yield _text(section.id, "\n\n".join(lines))
    for letter, picture in zip(LETTERS, section.pictures, strict=False):
        yield _picture(f"{section.id}-picture-{letter}", picture)
    for letter, table in zip(LETTERS, section.tables, strict=False):
        text = to_markdown_table(table)
        if table.folded:
            caption = _plain(table.caption)
            text = f"<details><summary>{caption}</summary>\n\n{text}\n\n</details>"
        yield _text(f"{section.id}-table-{letter}", text)
    for one in section.fields:
        yield from _field(f"{section.id}-{one.narrative.id}", one)


def _field(name: str, field: Field) -> Iterator[Cell]:
    if field.claims:
        said = "\n".join(f"> - {_plain(str(claim))}" for claim in field.claims)
        head = "> **Changed since the text below was written.** Edit it, or accept it:"
        yield _text(f"{name}-changed", f"{head}\n>\n{said}")
    narrative = field.narrative
    cell = _text(name.replace("_", "-"), narrative.text, tags=["narrative"])
    cell["metadata"]["diagkit"] = narrative.as_data()
    yield cell


def _plain(text: str) -> str:
    return escape_markdown(spell_out(text))


def _text(name: str, source: str, tags: Sequence[str] = ()) -> Cell:
    return {
        "cell_type": "markdown",
        "id": name.replace("_", "-"),
        "metadata": _metadata(source, tags),
        "source": source.splitlines(keepends=True),
    }


def _code(
    name: str, source: str, outputs: Sequence[Cell] = (), tags: Sequence[str] = ()
) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": _metadata(source, tags),
        "outputs": list(outputs),
        "source": source.splitlines(keepends=True),
    }


def _metadata(source: str, tags: Sequence[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"diagkit": {"cell": digest(source)}}
    return {**data, "tags": list(tags)} if tags else data


def _picture(name: str, picture: Picture) -> Cell:
    png = base64.b64encode(picture.png).decode("ascii")
    alt = spell_out(picture.alt)
    output = {
        "data": {"image/png": png, "text/plain": [alt]},
        "metadata": {"image/png": {"alt": alt}},
        "output_type": "display_data",
    }
    return _code(name, picture.code, [output])


def _keep(cells: list[Cell], kept: Sequence[Cell]) -> list[Cell]:
    """Put in what people added, behind the cells that it stood behind."""
    made = {cell["id"]: cell for cell in cells}
    behind: dict[str, list[Cell]] = {}
    anchor = ""
    for cell in kept:
        name, data = cell.get("id", ""), cell.get("metadata", {}).get("diagkit")
        if name == PARAMETERS:
            made[PARAMETERS]["source"] = cell.get("source", [])
        elif data is None:
            behind.setdefault(anchor, []).append(cell)
        elif "narrative" in data and name in made:
            _keep_besides(made[name], cell)
        elif "cell" in data and data["cell"] != digest(join_source(cell)):
            behind.setdefault(name if name in made else anchor, []).append(_own(cell))
        if name in made:
            anchor = name
    found = list(behind.pop("", []))
    for cell in cells:
        found += [cell, *behind.get(cell["id"], [])]
    return _name_apart(found, set(made))


def _keep_besides(made: Cell, cell: Cell) -> None:
    """Keep what a person's cell has besides its text: pasted pictures, tags."""
    if "attachments" in cell:
        made["attachments"] = {**made.get("attachments", {}), **cell["attachments"]}
    tags = [*made["metadata"]["tags"], *cell["metadata"].get("tags", ())]
    made["metadata"] = {
        **cell["metadata"],
        **made["metadata"],
        "tags": list(dict.fromkeys(tags)),
    }


def _name_apart(cells: list[Cell], taken: set[str]) -> list[Cell]:
    """Give each cell an id of its own: those of diagkit's keep theirs."""
    found = []
    for cell in cells:
        name = cell.get("id") or "cell"
        if "diagkit" not in cell.get("metadata", {}):
            base, count = name, 1
            while name in taken:
                count += 1
                name = f"{base[:58]}-{count}"
        taken.add(name)
        found.append({**cell, "id": name})
    return found


def _own(cell: Cell) -> Cell:
    """Make a generated cell that a person edited one of the person's own."""
    metadata = {k: v for k, v in cell["metadata"].items() if k != "diagkit"}
    return {**cell, "id": f"{cell['id']}-edited"[:64], "metadata": metadata}
