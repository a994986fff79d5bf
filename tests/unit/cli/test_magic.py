"""`%diagkit` in a real IPython."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

import diagkit as dk
from diagkit.cli.magic import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "diagkit")
    yield made
    made.run_line_magic("unload_ext", "diagkit")
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: InteractiveShell):
    def ask(line: str) -> Any:
        return shell.run_line_magic("diagkit", line)

    return ask


@pytest.fixture
def folder(sample: Path, tmp_path: Path) -> Path:
    to = tmp_path / "an incident"
    ignore = shutil.ignore_patterns("capture")
    return shutil.copytree(sample.parent / "two_stacks", to, ignore=ignore)


@pytest.mark.filterwarnings("ignore:.*have no zone")
def test_each_gives_what_its_function_gives(run, sample: Path, folder: Path) -> None:
    explorer = run(f"leaks {sample / 'api.log'}")
    assert isinstance(explorer, dk.LeakExplorer)
    assert explorer.view().says.startswith("65 connections leaked")
    assert isinstance(run(f"audit {sample / 'progress.sqlite'}"), dk.ProgressExplorer)
    assert isinstance(run(f"pool {sample}"), dk.PoolExplorer)
    assert isinstance(run(f"board '{folder}'"), dk.IncidentBoard)
    assert run(f"http '{folder}/browser.har'")["failed"].tolist() == [46]
    assert run(f"triage '{folder}'")["code"].iloc[0] == "not_exposed"
    assert "not_published" in run(f"ports '{folder}'")["code"].tolist()
    assert len(run(f"check '{folder}'")) == 6
    same = run(f"compare '{folder}' '{folder}'")
    assert isinstance(same, pd.DataFrame)
    assert "not_published" in same["code"].tolist()
    output = folder.parent / "pm.md"
    assert run(f"report '{folder}' {output}") == f"report: {output}"
    assert output.is_file()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "%diagkit takes a command: %diagkit leaks PATH"),
        ("leeks x", "%diagkit takes a command; did you mean 'leaks'"),
        ("compare a", "write %diagkit compare BEFORE AFTER"),
        ("check a b", "write %diagkit check FOLDER"),
        ("triage nowhere", "nowhere: no such file or folder"),
        ("triage 'a", "No closing quotation"),
    ],
)
def test_what_is_wrong_is_one_line(run, capsys, line: str, said: str) -> None:
    assert run(line) is None
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_every_command_is_of_the_command_line_too() -> None:
    from diagkit.cli.commands import COMMANDS

    assert set(CALLS) - set(COMMANDS) == {"board"}
