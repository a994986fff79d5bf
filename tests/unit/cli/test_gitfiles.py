"""Settings of git, pre-commit and nbdime, tried with the real ones."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

import diagkit as dk
from diagkit.cli import main
from diagkit.cli.gitfiles import NAMES

ROOT = Path(__file__).parents[3]


def run(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "git", "init", "-q", ".")
    return tmp_path


def add(folder: Path, capsys) -> dict[str, str]:
    assert main(["notebooks", str(folder), "--git", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["git"]
    return {row["file"]: row["done"] for row in rows}


def test_files_are_written_once_and_nothing_is_lost(repository: Path, capsys) -> None:
    (repository / ".gitattributes").write_text("*.png binary")
    (repository / ".pre-commit-config.yaml").write_text("repos: []\n")
    folder = repository / "investigation"
    assert add(folder, capsys) == {
        ".gitattributes": "lines added",
        ".pre-commit-config.yaml": "differs: left as it is",
        "nbdime_config.json": "written",
    }
    lines = (repository / ".gitattributes").read_text().splitlines()
    assert lines[0] == "*.png binary"
    assert "*.reviews.jsonl merge=union" in lines
    assert (repository / ".pre-commit-config.yaml").read_text() == "repos: []\n"
    assert add(folder, capsys)[".gitattributes"] == "as it is to be"
    answer = run(repository, "git", "check-attr", "diff", "merge", "--", "a.ipynb")
    assert answer.count("jupyternotebook") == 2


def test_outside_of_a_repository_it_is_told(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert main(["notebooks", str(tmp_path / "x"), "--git"]) == 2
    assert "is in no git repository" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", NAMES)
def test_this_project_uses_them_too(name: str) -> None:
    wanted = ROOT / "diagkit" / "report" / "templates" / "git" / name
    assert (ROOT / name).read_bytes() == wanted.read_bytes()


@pytest.mark.slow
def test_the_hook_takes_outputs_and_keeps_the_rest(
    sample: Path, tmp_path: Path
) -> None:
    """As pre-commit calls it, on a report that has pictures."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = hook["hooks"]
    path = tmp_path / "postmortem.ipynb"
    incident = dk.open_incident(sample.parent / "two_stacks")
    dk.render_report(incident, path)
    before, whole = nbformat.read(path, 4), path.read_bytes()
    assert any(cell.get("outputs") for cell in before.cells)
    command, *options = shlex.split(hook["entry"])
    run(tmp_path, str(Path(sys.executable).with_name(command)), *options, path.name)
    after = nbformat.read(path, 4)
    assert [cell.id for cell in after.cells] == [cell.id for cell in before.cells]
    assert not any(cell.get("outputs") for cell in after.cells)
    # It is still known what was found, and what people wrote: the report comes back.
    assert len(dk.read_findings(path)) == len(dk.rank_findings(incident))
    assert dk.check_report(incident, path).empty
    dk.render_report(incident, path)
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_pre_commit_runs_it(repository: Path, capsys, monkeypatch) -> None:
    add(repository / "investigation", capsys)
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repository.parent / "pre-commit"))
    cell = nbformat.v4.new_code_cell("1", execution_count=1, id="one")
    cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    path = repository / "run.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    run(repository, "git", "add", "-A")
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    said = run(repository, *command, code=1)
    assert "files were modified by this hook" in said
    (cell,) = nbformat.read(path, 4).cells
    assert (cell.outputs, cell.execution_count, cell.id) == ([], None, "one")
    run(repository, "git", "add", "-A")
    assert "Passed" in run(repository, *command)


def test_nbdime_looks_at_sources_alone(repository: Path, capsys) -> None:
    add(repository / "investigation", capsys)
    books = []
    for number, name in enumerate(("base.ipynb", "head.ipynb", "edited.ipynb")):
        source = "b = 2" if name == "edited.ipynb" else "a = 1"
        cell = nbformat.v4.new_code_cell(source, execution_count=number, id="one")
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{number}")]
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), repository / name)
        books.append(name)
    command = [str(Path(sys.executable).with_name("nbdiff")), "--no-color"]
    assert run(repository, *command, *books[:2]) == ""
    said = run(repository, *command, books[0], books[2])
    assert "b = 2" in said
    assert "outputs" not in said
