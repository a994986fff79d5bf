"""`%diagkit` in a real IPython."""

from __future__ import annotations

import html
import shutil
import warnings
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
        ("leeks x", "has no command 'leeks'; did you mean 'leaks'"),
        ("leaks --every 1min a.log", "takes only --tz ZONE; --every came"),
        ("leaks --tz", "--tz takes a zone"),
        ("board --tz UTC x", "%diagkit board FOLDER takes no option; --tz came"),
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


@pytest.mark.parametrize("line", ["", "help", "--help", "# nothing"])
def test_help_has_a_line_for_each_command(run, capsys, line: str) -> None:
    assert run(line) is None
    out, err = capsys.readouterr()
    assert err == ""
    assert [row.split()[1] for row in out.splitlines()] == list(CALLS)
    for row in out.splitlines():
        assert len(row.split("  ")[-1]) > 10


@pytest.mark.filterwarnings("ignore:.*have no zone")
def test_their_code_runs_in_a_fresh_kernel(run, sample: Path, capsys) -> None:
    for line in (
        f"leaks --tz Europe/Berlin {sample / 'api.log'}  # of the API",
        f"audit {sample / 'progress.sqlite'}",
        f"pool {sample}",
        f"board {sample}",
    ):
        explorer = run(line)
        *lines, call = explorer.as_code().splitlines()
        assert lines[0] == "import diagkit as dk"
        names: dict[str, Any] = {}
        exec("\n".join(lines), names)
        again = eval(call, names)
        assert str(again.view()) == str(explorer.view())


def test_what_was_read_only_in_part_is_one_line(run, tmp_path: Path, capsys) -> None:
    log = tmp_path / "a.log"
    log.write_text("2025-11-24 10:00:00 ERROR a: The garbage collector\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(f"leaks {log}") is not None
    err = capsys.readouterr().err
    assert err.startswith("diagkit: ")
    assert "zone" in err
    assert err.count("\n") == 1
    # With its zone there is nothing to say.
    explorer = run(f"leaks --tz=Europe/Berlin {log}")
    assert "tz='Europe/Berlin'" in explorer.as_code()
    assert capsys.readouterr().err == ""


def test_a_folder_without_a_pool_is_told(run, folder: Path, capsys) -> None:
    assert run(f"pool '{folder}'") is None
    assert "no samples of a pool and no checkouts" in capsys.readouterr().err


def test_a_home_is_found(run, sample: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(sample))
    monkeypatch.setenv("USERPROFILE", str(sample))
    assert isinstance(run("audit ~/progress.sqlite"), dk.ProgressExplorer)


def test_tables_are_complete_and_stand_at_the_left(run, folder: Path) -> None:
    shown = run(f"triage '{folder}'")
    page = html.unescape(shown._repr_html_().replace("<span>$</span>", "$"))
    for summary in shown["summary"]:
        assert summary in page
    assert max(shown["summary"].str.len()) > 50
    assert page.count("<td") == page.count('<td style="text-align:left') > 0


def test_every_command_is_of_the_command_line_too() -> None:
    from diagkit.cli.commands import COMMANDS

    assert set(CALLS) - set(COMMANDS) == {"board"}
