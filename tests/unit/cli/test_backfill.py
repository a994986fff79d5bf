from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from diagkit.cli.commands import run

TABLES = """
create table llm_project_config (project_id text, execution_status text,
  execution_started_at datetime);
create table agent_tasks (project_id text, status text, created_at text);
insert into llm_project_config values ('ran\x1b', 'completed', null),
  ('waits', 'pending', null), ('blind', 'running', null),
  ('fine', 'running', '2025-11-24 10:00:00');
insert into agent_tasks values ('ran\x1b', 'completed', '2025-11-24 10:00:01');
"""


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "progress.sqlite"
    with closing(sqlite3.connect(path)) as link:
        link.executescript(TABLES)
    return path


def test_a_table_for_people(database, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["backfill", str(database)]) == 0
    out = capsys.readouterr().out
    assert "current_run_or_zero 0 -> 100" in out
    assert "ran\\x1b" in out
    assert "waits" not in out
    assert "planned for sqlite, from progress.sqlite" in out
    assert (
        "starts that get a value: 1; left NULL because the data cannot decide within "
        "5 pp: 1; legally NULL: 1; recorded: 1" in out
    )


def test_the_scripts_are_written_and_work(database, tmp_path, capsys):
    folder = tmp_path / "for" / "review"
    assert run(["backfill", f"sqlite:///{database}", "--output", str(folder)]) == 0
    assert f"for review: {folder / 'undo.sql'}" in capsys.readouterr().out
    scripts = {path.name: path.read_text("ascii") for path in folder.iterdir()}
    assert sorted(scripts) == ["backfill.sql", "check.sql", "undo.sql"]
    with closing(sqlite3.connect(database)) as link:
        query = "select project_id, execution_started_at from llm_project_config"
        before = link.execute(query).fetchall()
        link.executescript(scripts["backfill.sql"])
        assert dict(link.execute(query))["ran\x1b"] == "2025-11-24 10:00:01"
        with pytest.raises(sqlite3.IntegrityError, match="illegal NULL starts remain"):
            link.executescript(scripts["check.sql"])
        link.executescript(scripts["undo.sql"])
        assert link.execute(query).fetchall() == before


def test_the_undo_of_another_plan_is_not_overwritten(database, tmp_path, capsys):
    arguments = ["backfill", str(database), "--output", str(tmp_path)]
    assert run(arguments) == 0
    written = (tmp_path / "undo.sql").read_bytes()
    assert run(arguments) == 0
    assert run([*arguments, "--dialect", "mariadb"]) == 2
    assert "is there, and of another plan" in capsys.readouterr().err
    assert (tmp_path / "undo.sql").read_bytes() == written


def test_json_and_a_chart(database, tmp_path, capsys):
    chart = tmp_path / "chart.png"
    arguments = ["--json", "--chart", str(chart), "--dialect", "postgresql"]
    assert run(["backfill", str(database), *arguments]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [p["action"] for p in body["backfill"]] == [
        "set",
        "legal",
        "undecided",
        "recorded",
    ]
    assert body["backfill"][0]["after_exclude"] == 100
    assert chart.read_bytes()[:4] == b"\x89PNG"


def test_other_names_come_from_a_file(database, tmp_path, capsys):
    with closing(sqlite3.connect(database)) as link:
        link.execute("alter table llm_project_config rename to jobs")
    schema = tmp_path / "schema.toml"
    schema.write_text('projects_table = "jobs"', encoding="utf-8")
    folder = tmp_path / "review"
    arguments = ["--schema", str(schema), "--output", str(folder)]
    assert run(["backfill", str(database), *arguments]) == 0
    assert 'UPDATE "jobs" AS p' in (folder / "backfill.sql").read_text("ascii")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["{folder}"], "a folder does not say which database its tables are from"),
        (["{db}", "--dialect", "oracle"], "dialect='oracle' is none of"),
        (["{db}", "--batch", "0"], "batch=0 sets no rows"),
        (["{db}", "--within-pp", "-1"], "within_pp=-1.0 is no distance"),
        (["{db}", "--output", "{db}/x"], "cannot be written"),
        (["nowhere.sqlite"], "nowhere.sqlite: no such file"),
    ],
)
def test_errors_are_one_line(database, capsys, arguments, text):
    filled = [a.format(db=database, folder=database.parent) for a in arguments]
    assert run(["backfill", *filled]) == 2
    shown = capsys.readouterr().err
    assert text in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("postgresql+psycopg://a@b/c", "postgresql"),
        ("postgres://a@b/c", "postgresql"),
        ("mysql://a@b/c", "mysql"),
        ("mariadb+pymysql://a@b/c", "mysql"),
        ("sqlite:///a.sqlite", "sqlite"),
        ("a.sqlite", "sqlite"),
    ],
)
def test_the_source_tells_the_dialect(url, dialect):
    from diagkit.analyses.dialects import check_dialect
    from diagkit.cli.backfill import _dialect

    assert check_dialect(_dialect(url)) == dialect


def test_help_has_an_example(capsys):
    assert run(["backfill", "--help"]) == 0
    assert "Example: diagkit backfill postgresql://" in capsys.readouterr().out
