from __future__ import annotations

import json
import sqlite3

import pytest

from diagkit.cli import main
from diagkit.sources.lints import find_squawk

MINE = """
name = "jobs_state"
[[steps]]
kind = "add_column"
table = "jobs"
column = "state"
type = "varchar(10)"
default = "'new'"
[[steps]]
kind = "add_index"
table = "jobs"
name = "jobs_state"
columns = ["state"]
"""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "app.sqlite"
    link = sqlite3.connect(path)
    link.execute("create table jobs (id integer)")
    link.close()
    return path


@pytest.fixture
def described(tmp_path):
    path = tmp_path / "jobs.toml"
    path.write_text(MINE)
    return path


def test_what_mends_it_can_be_run_as_it_is_printed(database, described, capsys):
    argv = ["migration", str(database), "--migration", str(described)]
    assert main([*argv, "--fail-on", "high"]) == 1
    out = capsys.readouterr().out
    assert "0 of 2 statements in effect" in out
    assert "migration_not_applied" in out
    script = out.partition("read it before you run it:")[2]
    assert script.count("/* missing_column */") == 1
    link = sqlite3.connect(database)
    link.executescript(script)
    link.close()
    assert main([*argv, "--fail-on", "info"]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 statements in effect" in out
    assert "nothing to mend" in out


def test_json(database, described, capsys):
    argv = ["migration", str(database), "--migration", str(described), "--json"]
    assert main(argv) == 0
    body = json.loads(capsys.readouterr().out)
    assert [f["code"] for f in body["findings"]] == [
        "migration_not_applied",
        "missing_column",
        "missing_index",
    ]
    assert body["findings"][1]["remedy"].startswith('ALTER TABLE "jobs" ADD COLUMN')
    assert [s["in_effect"] for s in body["steps"]] == ["NO", "NO"]
    assert body["notes"] == [
        "read from app.sqlite: migration jobs_state, 0 of 2 statements in effect"
    ]


def test_the_case_studys_migration_is_asked_by_default(sample, capsys):
    assert main(["migration", str(sample / "progress.sqlite")]) == 0
    out = capsys.readouterr().out
    assert "migration 008_execution_tracking" in out


def test_a_lint_is_joined_in_where_it_can_be(database, described, tmp_path, capsys):
    sql = tmp_path / "jobs.sql"
    sql.write_text("CREATE INDEX i ON jobs (state);\n")
    argv = ["migration", str(database), "--migration", str(described)]
    assert main([*argv, "--sql", str(sql)]) == 0
    out = capsys.readouterr().out
    if find_squawk() is None:
        assert "jobs.sql is not linted: pip install squawk-cli" in out
    else:
        assert "jobs.sql is linted by squawk" in out
        assert "require-concurrent-index-creation" in out


def test_without_squawk_it_is_said(database, described, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    argv = ["migration", str(database), "--migration", str(described)]
    assert main([*argv, "--sql", "x.sql"]) == 0
    assert "x.sql is not linted: pip install squawk-cli" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.sqlite"], "nowhere.sqlite: no such file"),
        (["{db}", "--migration", "no.toml"], "no.toml: no such file"),
        (["{db}", "--fail-on", "hgih"], "did you mean 'high'"),
        (["oracle://u:hunter2@h/d"], "does not read 'oracle' databases"),
        (["postgresql://u:hun@ter2@h/d"], "more than one '@'"),
    ],
)
def test_errors_are_one_line(database, capsys, arguments, text):
    filled = [a.format(db=database) for a in arguments]
    assert main(["migration", *filled]) == 2
    shown = capsys.readouterr().err
    assert text in shown
    assert "ter2" not in shown
    assert len(shown.splitlines()) == 1
