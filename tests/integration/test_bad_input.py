"""Everything that a folder or an address can get wrong: one line, exit code 2."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from diagkit.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PROJECTS = (
    "create table llm_project_config (project_id text, execution_status text, "
    "execution_started_at text, created_at text)"
)
TASKS = "create table agent_tasks (project_id text, status text, created_at text)"
BINARY = bytes(range(256)) * 16


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as link:
        for statement in statements:
            link.execute(statement)
        link.commit()
    return path


def corrupt(path: Path) -> Path:
    database(path, PROJECTS, TASKS)
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * (4096 - 100)
    path.write_bytes(data)
    return path


def write(path: Path, data: bytes = b"") -> Path:
    path.write_bytes(data)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


# what is wrong -> the command, how it is made, what the one line must say
CASES = {
    "an empty folder of logs": (
        "leaks",
        lambda d: folder(d / "empty"),
        "empty: the folder holds no file",
    ),
    "an empty folder of an incident": (
        "report",
        lambda d: folder(d / "empty"),
        "empty: the folder holds no file",
    ),
    "an empty folder of tables": (
        "audit",
        lambda d: folder(d / "empty"),
        "empty: the folder holds no file",
    ),
    "an empty log": ("leaks", lambda d: write(d / "a.log"), "a.log: the file is empty"),
    "a binary": (
        "leaks",
        lambda d: write(d / "a.log", BINARY),
        "a.log: is no text file (binary data)",
    ),
    "a database that is none": (
        "audit",
        lambda d: write(d / "x.sqlite", b"this is not a database at all" * 50),
        "x.sqlite",
    ),
    "a database without the tables": (
        "audit",
        lambda d: f"sqlite:///{database(d / 'y.sqlite', 'create table t (a)')}",
        "no table 'llm_project_config'; no table 'agent_tasks'; it has t",
    ),
    "a table without the column": (
        "audit",
        lambda d: database(
            d / "z.sqlite", "create table llm_project_config (project_id text)", TASKS
        ),
        "(the migration that adds it has not run here)",
    ),
    "a corrupt database": (
        "audit",
        lambda d: corrupt(d / "c.sqlite"),
        "c.sqlite is a damaged SQLite database",
    ),
    "a database that is not there": (
        "audit",
        lambda d: f"sqlite:///{d / 'nowhere.sqlite'}",
        "nowhere.sqlite",
    ),
    "an address of no dialect": ("audit", lambda d: "nonsense://x/y", "nonsense"),
    "an address that is none": (
        "audit",
        lambda d: "postgresql://[::1",
        "not a database URL",
    ),
    "a server that does not answer": (
        "audit",
        lambda d: "postgresql+psycopg://app:hunter2hunter2@127.0.0.1:9/app",
        "127.0.0.1",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_half_written(
    case: str, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, make, said = CASES[case]
    where = make(tmp_path)
    monkeypatch.chdir(folder(tmp_path / "here"))
    assert main([command, str(where)]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("diagkit: ")
    assert len(err.splitlines()) == 1
    assert out == ""
    assert "hunter2" not in err
    assert list((tmp_path / "here").iterdir()) == []


def test_a_log_in_an_unknown_format(tmp_path: Path, capsys) -> None:
    log = write(tmp_path / "a.log", b"free text failure\n" * 9)
    assert main(["leaks", str(log), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "a.log: no line is in a format that is known; its 9 lines are kept" in err
    assert len(err.splitlines()) == 1
    assert '"findings": []' in out


def test_a_locked_database(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diagkit.sources.sessions.BUSY_S", 0.1)
    path = database(tmp_path / "x.sqlite", PROJECTS, TASKS)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        assert main(["audit", str(path)]) == 2
    err = capsys.readouterr().err
    assert "x.sqlite is locked by a writer" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["leaks", "audit", "report"])
def test_a_folder_without_permission(
    command: str, tmp_path: Path, capsys, request, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a command needs is imported before the rights are gone.
    main([command, str(tmp_path / "nowhere")])
    capsys.readouterr()
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    closed = folder(tmp_path / "closed")
    write(closed / "api.log", b"x")
    closed.chmod(0)
    request.getfixturevalue("unprivileged")
    assert main([command, str(closed)]) == 2
    err = capsys.readouterr().err
    assert re.search(r"closed.*(permission denied|may not be read)", err, re.I)
    assert len(err.splitlines()) == 1


def test_a_pipe_that_is_closed_early(sample: Path) -> None:
    """As in ``diagkit leaks ... --json | head``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "diagkit", "leaks", str(sample / "api.log"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert b"Traceback" not in err
