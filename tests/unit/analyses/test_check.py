"""The checks that have to hold after a fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import diagkit as dk
from diagkit.analyses.check import CHECKS, check_incident

if TYPE_CHECKING:
    from pathlib import Path

LINE = "2025-11-24 10:00:{second:02d} [{level:5}] {logger}: {text}\n"


@pytest.fixture
def incident(tmp_path: Path):
    """Make an incident of log lines and files."""

    def make(*lines, **files: str) -> dk.Incident:
        (tmp_path / "incident.toml").write_text('zone = "UTC"\n')
        text = "".join(
            LINE.format(second=n, level=level, logger=logger, text=said)
            for n, (level, logger, said) in enumerate(lines)
        )
        if text:
            (tmp_path / "api.log").write_text(text)
        for name, body in files.items():
            path = tmp_path / name.replace("__", "/").replace("_csv", ".csv")
            path.parent.mkdir(exist_ok=True)
            path.write_text(body)
        return dk.open_incident(tmp_path)

    return make


def ask(incident: dk.Incident, name: str) -> tuple[str, str, str]:
    rows = check_incident(incident).set_index("check")
    row = rows.loc[name]
    return str(row["result"]), row["summary"], row["evidence"]


def test_every_check_is_answered_in_order(incident) -> None:
    rows = check_incident(incident(("INFO", "a", "up")))
    assert rows["check"].tolist() == [check.name for check in CHECKS]
    assert rows["result"].tolist() == [
        "passed",
        "not done",
        "not done",
        "not done",
        "not done",
        "passed",
    ]


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("48.72", ("passed", "none of 1 logged percentages is unrounded", "")),
        (
            "48.717948717948715",
            (
                "failed",
                "1 of 1 logged percentages are not rounded",
                "first 48.717948717948715 at api.log:1",
            ),
        ),
    ],
)
def test_whole_percentages(incident, number: str, answer) -> None:
    made = incident(("INFO", "a", f"Project x: completion_percentage={number}"))
    assert ask(made, "whole_percentages") == answer


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (
            [("INFO", "app.subscriptions", "user joined")],
            ("passed", "none of 1 records of subscriptions is an error", ""),
        ),
        (
            [
                ("INFO", "app.subscriptions", "user joined"),
                ("ERROR", "app.subscriptions", "cannot send"),
                ("ERROR", "app.other", "also wrong"),
            ],
            (
                "failed",
                "1 of 2 records of subscriptions fail",
                "first ERROR at api.log:2",
            ),
        ),
    ],
)
def test_subscriptions(incident, lines, answer) -> None:
    assert ask(incident(*lines), "subscriptions_without_errors") == answer


SAMPLES = "timestamp,pool,size,max_overflow,checked_out\n"


@pytest.mark.parametrize(
    ("out", "answer"),
    [
        ((1, 0), ("passed", "at most 1 of 3 connections were out")),
        (
            (3, 0),
            ("failed", "pool 'app' had no connection left in 1 of 2 samples (50%)"),
        ),
    ],
)
def test_pool_in_bounds(incident, out, answer) -> None:
    rows = "".join(
        f"2025-11-24T10:00:{n:02d}Z,app,2,1,{value}\n" for n, value in enumerate(out)
    )
    assert ask(incident(pool_csv=SAMPLES + rows), "pool_in_bounds")[:2] == answer


def test_a_pool_of_unknown_size(incident) -> None:
    made = incident(pool_csv="timestamp,size,checked_out\n2025-11-24T10:00:00Z,5,4\n")
    assert ask(made, "pool_in_bounds")[1] == "at most 4 connections were out"


PROJECTS = "project_id,created_at,execution_status,execution_started_at\n"
TASKS = "task_id,project_id,task_name,agent_type,status,created_at,started_at\n"


@pytest.mark.parametrize(
    ("start", "old", "filtering"),
    [
        (
            "2025-11-24 09:59:00",
            ("passed", "none of 1 projects lacks a start that it had"),
            ("passed", "every start that is there picks the tasks of its run"),
        ),
        (
            "",
            ("failed", "1 of 1 projects ran and have no start"),
            ("passed", "every start that is there picks the tasks of its run"),
        ),
        (
            "2025-11-24 12:30:00",
            ("passed", "none of 1 projects lacks a start that it had"),
            (
                "failed",
                "1 project with a start later than every task",
            ),
        ),
    ],
)
def test_projects(incident, start: str, old, filtering) -> None:
    made = incident(
        progress__llm_project_config_csv=PROJECTS
        + f"a,2025-11-20 10:00:00,running,{start}\n",
        progress__agent_tasks_csv=TASKS
        + "t1,a,x,w,completed,2025-11-24 10:00:00Z,2025-11-24 10:00:01Z\n"
        + "t2,a,y,w,running,2025-11-24 10:05:00Z,2025-11-24 10:05:01Z\n",
    )
    assert ask(made, "old_projects_right")[:2] == old
    result, summary, _ = ask(made, "filtering_right")
    assert (result, summary[: len(filtering[1])]) == filtering


def test_a_page_that_shows_all_runs(incident) -> None:
    made = incident(
        ("INFO", "board", "Project a: completion_percentage=66.66666666666666"),
        progress__llm_project_config_csv=PROJECTS
        + "a,2025-11-20 10:00:00,running,2025-11-24 10:00:00\n",
        progress__agent_tasks_csv=TASKS
        + "t0,a,w,w,completed,2025-11-23 10:00:00Z,2025-11-23 10:00:01Z\n"
        + "t1,a,x,w,completed,2025-11-24 10:00:00Z,2025-11-24 10:00:01Z\n"
        + "t2,a,y,w,running,2025-11-24 10:05:00Z,2025-11-24 10:05:01Z\n",
    )
    result, summary, _ = ask(made, "filtering_right")
    assert result == "failed"
    assert summary.startswith("board shows all runs (all_runs")


def test_results_are_of_the_contract(incident) -> None:
    rows = check_incident(incident(("INFO", "a", "up")))
    assert rows["result"].cat.categories.tolist() == ["passed", "failed", "not done"]
    assert isinstance(rows, pd.DataFrame)


def test_a_log_that_nobody_could_read_proves_nothing(tmp_path) -> None:
    (tmp_path / "odd.log").write_text("~~ hello ~~\n" * 50)
    incident = dk.open_incident(tmp_path)
    assert len(incident.logs) > 0
    rows = dk.check_incident(incident).set_index("check")["result"].astype("str")
    assert rows["no_new_leaks"] == rows["pool_in_bounds"] == "not done"
    steps = dk.triage(incident).checklist
    of_logs = steps[steps["evidence"].str.contains("nothing in logs")]
    assert of_logs.empty
    assert set(steps.loc[steps["area"] == "logs", "result"]) == {"not done"}
