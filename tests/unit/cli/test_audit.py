from __future__ import annotations

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from diagkit.cli.commands import run

PROJECTS = (
    "create table llm_project_config (project_id text, execution_status text, "
    "execution_started_at text, updated_at text)"
)
TASKS = (
    "create table agent_tasks (project_id text, task_name text, agent_type text, "
    "status text, created_at text)"
)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "progress.sqlite"
    with sqlite3.connect(path) as link:
        link.execute(PROJECTS)
        link.execute(TASKS)
        link.executemany(
            "insert into llm_project_config values (?, ?, ?, ?)",
            [
                ("ran\x1b[31m", "completed", None, None),
                ("fine", "completed", "2025-11-24 10:00", None),
                ("waits", "pending", None, None),
            ],
        )
        link.executemany(
            "insert into agent_tasks values (?, ?, ?, 'completed', '2025-11-24 10:01')",
            [("ran\x1b[31m", "x", "a"), ("fine", "x", "a"), ("gone", "x", "a")],
        )
    link.close()
    return path


def test_a_table_for_people(database, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["audit", str(database)]) == 0
    out = capsys.readouterr().out
    assert "1 project that ran has no execution_started_at" in out
    assert "ran\\x1b[31m" in out
    assert "\x1b" not in out
    assert "read from progress.sqlite: 3 projects, 3 tasks" in out
    assert "tasks of no project that is there: 1" in out
    assert "projects left out because the rules show them alike: 2" in out


def test_json_holds_every_project(database, capsys):
    assert run(["audit", f"sqlite:///{database}", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [p["null"] for p in body["projects"]] == [True, False, True]
    assert body["projects"][0]["percent_current_run_or_zero"] == 0
    assert body["projects"][0]["percent_inferred"] == 100
    assert body["findings"][0]["code"] == "null_started_at"
    assert len(body["portfolio"]) == 8


@pytest.mark.parametrize(("least", "code"), [("high", 1), ("critical", 0)])
def test_fail_on(database, least, code):
    assert run(["audit", str(database), "--fail-on", least]) == code


def test_all_policies_and_a_zone(database, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    assert run(["audit", str(database), "--all-policies", "--tz", "Asia/Tokyo"]) == 0
    assert "all_runs_uncapped" in capsys.readouterr().out.split("Projects")[1]


def test_an_incident_folder_is_looked_through(database, capsys):
    assert run(["audit", str(database.parent), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["projects"]) == 3


def test_a_folder_of_tables(case_study, capsys):
    assert run(["audit", str(case_study / "progress"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["projects"]) == 66


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nowhere.sqlite"], "nowhere.sqlite: no such file or folder"),
        (["oracle://u:hunter2@h/d"], "diagkit does not read 'oracle' databases"),
        (["{db}", "--fail-on", "hgih"], "did you mean 'high'"),
        (["{db}", "--gap", "soon"], "gap='soon' is no duration"),
        (["{db}", "--now", "soon"], "now='soon' is no time"),
        (["{db}", "--tz", "Mars"], "no time zone 'Mars'"),
        (["{db}", "--migration", "soon"], "migration='soon' is no time"),
        (["{db}", "--logs", "nowhere.log"], "nowhere.log: no such file or folder"),
        (["{log}"], "neither a table 'llm_project_config' nor a SQLite file"),
    ],
)
def test_errors_are_one_line(database, tmp_path, capsys, arguments, text):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "api.log").write_text("2025-11-24 10:00:00 - x - INFO - up\n")
    filled = [a.format(db=database, log=folder) for a in arguments]
    assert run(["audit", *filled]) == 2
    shown = capsys.readouterr().err
    assert text in shown
    assert "hunter2" not in shown
    assert len(shown.splitlines()) == 1


def test_cohorts_are_counted_and_the_change_dated(sample, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["audit", str(sample / "progress.sqlite")]) == 0
    out = capsys.readouterr().out
    assert "NULL starts stop with projects set up between 2025-11-19 00:12" in out
    assert "Cohorts" in out
    assert "Rules in the logs" not in out
    when = ["--migration", "2025-11-19", "--json"]
    assert run(["audit", str(sample / "progress.sqlite"), *when]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["notes"][0] == (
        "Of the projects that ran, 100 % of those set up before 2025-11-19 lack a "
        "start, 12 % of those after."
    )
    assert sum(row["projects"] for row in body["cohorts"]) == 42
    assert {row["rank"] for row in body["candidates"]} >= {1, 2}
    assert body["rules_in_the_logs"] == []


def test_percentages_of_logs_are_held_against_the_rules(sample, capsys):
    given = ["--logs", str(sample / "api.log"), "--logs", str(sample / "console.log")]
    bodies = []
    for arguments in ([str(sample / "progress.sqlite"), *given], [str(sample)]):
        assert run(["audit", *arguments, "--json"]) == 0
        bodies.append(json.loads(capsys.readouterr().out))
    # An incident's own logs are read without being asked for.
    assert bodies[0]["rules_in_the_logs"] == bodies[1]["rules_in_the_logs"]
    best = bodies[0]["rules_in_the_logs"][0]
    assert (best["policy"], best["shown"]) == ("current_run_or_all", 42)
    codes = [row["code"] for row in bodies[0]["findings"]]
    assert codes.count("unrounded_percentage") == 1


def test_help_has_an_example():
    from diagkit.cli.commands import build_app

    done = CliRunner().invoke(build_app(), ["audit", "--help"])
    assert "Example: diagkit audit sqlite:///progress.sqlite" in done.output
