"""Notebooks: stored clean, and run on an incident that lacks all.

On the sample they run in JupyterLab, in ``test_jupyterlab.py``.
"""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def run(path: Path, incident: Path | None = None) -> nbformat.NotebookNode:
    book = read(path)
    if incident is not None:
        cell = next(c for c in book.cells if "parameters" in c.metadata.get("tags", []))
        cell.source += f"\nincident = {str(incident)!r}"
    resources = {"metadata": {"path": str(path.parent)}}
    # Its own execute() leaves an event loop open.
    asyncio.run(NotebookClient(book, timeout=120, resources=resources).async_execute())
    return book


def outputs(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for c in book.cells if c.cell_type == "code" for o in c.outputs]


def test_there_are_six() -> None:
    assert [path.name for path in NOTEBOOKS] == [
        "00_start_here.ipynb",
        "01_connection_leaks.ipynb",
        "02_started_at_audit.ipynb",
        "03_pool_pressure.ipynb",
        "04_incident_triage.ipynb",
        "05_postmortem.ipynb",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_stored_clean(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [c.id for c in code if c.outputs or c.execution_count is not None] == []
    assert "parameters" in code[0].metadata.tags
    assert book.metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in book.cells]
    assert len(ids) == len(set(ids))
    # A slug that a person chose: it stays when the notebook is saved again.
    assert [i for i in ids if not i.replace("-", "").isalpha()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_only_public_names_are_used(path: Path) -> None:
    import diagkit as dk

    for cell in read(path).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(
            ast.parse(TransformerManager().transform_cell(cell.source))
        ):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("diagkit")
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "dk"
            ):
                assert node.attr in dk.__all__


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_is_missing_is_said_and_the_rest_runs(path: Path, tmp_path: Path) -> None:
    (tmp_path / "pool.csv").write_text(
        "sampled_at,size,checkedout\n2025-11-25T22:00:00Z,5,1\n"
    )
    book = run(path, tmp_path)
    found = outputs(book)
    assert [o for o in found if o.output_type == "error"] == []
    said = "\n".join(o.get("data", {}).get("text/markdown", "") for o in found)
    assert {
        "00_start_here": "**no records of logs**: the notebook says what to add",
        "01_connection_leaks": "**There is no log in this incident**",
        "02_started_at_audit": "holds no progress tables**",
        "03_pool_pressure": "**There is no recording of checkouts**",
        "04_incident_triage": "**Nobody noted requests in this incident.**",
        "05_postmortem": "**Nothing of this incident has a time**",
    }[path.stem] in said


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_folder_that_is_not_there_is_said_and_the_rest_runs(
    path: Path, tmp_path: Path
) -> None:
    found = outputs(run(path, tmp_path / "nowhere"))
    assert [o for o in found if o.output_type == "error"] == []
    said = "\n".join(o.get("data", {}).get("text/markdown", "") for o in found)
    assert f"**Not used:** {tmp_path / 'nowhere'}: no such file or folder" in said


@pytest.mark.slow
def test_a_folder_of_a_recorder_is_an_incident_too(tmp_path: Path) -> None:
    import sqlalchemy as sa

    import diagkit as dk

    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool)
    with dk.PoolRecorder(engine, tmp_path, name="app"), engine.connect():
        pass
    engine.dispose()
    book = run(FOLDER / "03_pool_pressure.ipynb", tmp_path)
    found = outputs(book)
    assert [o for o in found if o.output_type == "error"] == []
    said = "\n".join(o.get("data", {}).get("text/markdown", "") for o in found)
    assert "**The server was not looked at while this was recorded**" in said


LIVE = """
import asyncio
import sqlalchemy as sa
import diagkit as dk

engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=2)
recorder = dk.PoolRecorder(engine, "recordings", name="app").attach()
explorer = dk.PoolExplorer(recorder, every_s=0.05)
explorer
---
connection = engine.connect()
for _ in range(600):
    await asyncio.sleep(0.05)
    if "at most 1 of 12" in explorer.widget.children[1].children[0].children[0].value:
        print("seen")
        break
---
tasks = len(asyncio.all_tasks())
explorer.close()
await asyncio.sleep(0)
print(tasks - len(asyncio.all_tasks()))
connection.close()
recorder.detach()
engine.dispose()
"""


@pytest.mark.slow
def test_a_running_recorder_is_looked_at_in_a_kernel(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(part) for part in LIVE.split("---\n")]
    book = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    # Its own execute() leaves an event loop open.
    asyncio.run(NotebookClient(book, timeout=120, resources=resources).async_execute())
    shown, seen, ended = (cell.outputs for cell in book.cells)
    assert "application/vnd.jupyter.widget-view+json" in shown[0]["data"]
    # Below the controls stands what a page without a kernel shows: the last view.
    assert "at most 1 of 12 connections were out" in shown[1]["data"]["text/html"]
    assert seen[0]["text"] == "seen\n"
    assert ended[0]["text"] == "1\n"
