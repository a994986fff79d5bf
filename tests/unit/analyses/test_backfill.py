from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import diagkit as dk
from diagkit.analyses.backfill import plan_backfill
from diagkit.analyses.dialects import DIALECTS
from diagkit.frames.backfill import ACTIONS, BACKFILL, backfill_contract

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def audit(schema=None, policies=dk.POLICIES, status="completed", **options):
    """One project of each kind; `apart` has two runs, `blind` tasks without a time."""
    tasks = [
        ("sure", 0.5, "completed"),
        ("sure", 1, "pending"),
        ("apart", 0, "completed"),
        ("apart", 120, "completed"),
        ("apart", 121, "pending"),
        ("apart", 122, "failed"),
        ("blind", None, "completed"),
        ("known", 0, "completed"),
        ("known", 120, "pending"),
    ]
    projects = dk.PROJECTS.build(
        {
            "project_id": ["sure", "apart", "blind", "waits", "known"],
            "execution_status": [status, status, "completed", "pending", "running"],
            "execution_started_at": [None] * 4 + [BASE + pd.Timedelta(minutes=100)],
        }
    )
    frame = dk.TASKS.build(
        {
            "project_id": [t[0] for t in tasks],
            "task_name": [str(i) for i in range(len(tasks))],
            "status": [t[2] for t in tasks],
            "created_at": [
                None if t[1] is None else BASE + pd.Timedelta(minutes=t[1])
                for t in tasks
            ],
        }
    )
    progress = dk.Progress(
        projects, frame, "shop", schema=schema or dk.ProgressSchema()
    )
    return dk.audit_started_at(progress, policies, **options)


def actions(plan):
    return dict(zip(plan.preview["project_id"], plan.preview["action"], strict=True))


def test_every_project_has_an_action():
    plan = plan_backfill(audit())
    assert actions(plan) == {
        "sure": "set",
        "apart": "undecided",
        "blind": "undecided",
        "waits": "legal",
        "known": "recorded",
    }
    assert repr(plan) == (
        "BackfillPlan(postgresql: 1 set, 2 undecided, 1 legal, 1 recorded)"
    )
    assert plan.preview["started_at"].tolist() == [
        BASE + pd.Timedelta(seconds=30),
        *[pd.NaT] * 4,
    ]


def test_how_sure_the_data_must_be_is_the_callers_choice():
    table = audit()
    bounds = table.projects.set_index("project_id").loc["apart"]
    apart = bounds["percent_high"] - bounds["percent_low"]
    assert apart > 5
    assert actions(plan_backfill(table, within_pp=apart))["apart"] == "set"
    assert actions(plan_backfill(table, within_pp=apart - 0.1))["apart"] == "undecided"
    # Without a time there is nothing to write.
    assert actions(plan_backfill(table, within_pp=100))["blind"] == "undecided"


def test_the_preview_is_what_the_policies_show_of_the_filled_table():
    before = audit()
    plan = plan_backfill(before, within_pp=100)
    shown = plan.preview.set_index("project_id")
    assert shown.loc["apart", "before_current_run_or_zero"] == 0
    assert shown.loc["apart", "after_current_run_or_zero"] == 67
    assert shown.loc["apart", "change_pp_current_run_or_zero"] == 67
    assert shown.loc["apart", "before_current_run_or_all"] == 50
    assert shown.loc["apart", "after_current_run_or_all"] == 1 / 3 * 100
    assert np.isnan(shown.loc["apart", "before_exclude"])
    assert shown.loc["apart", "after_exclude"] == 67
    assert shown.loc["apart", "quality_before_current_run_or_zero"] == 0
    assert shown.loc["apart", "quality_after_current_run_or_zero"] == 33.33
    assert shown.loc["apart", "changes"] == (
        "current_run_or_all 50 -> 33.33; current_run_or_all_finished 75 -> 67; "
        "current_run_or_zero 0 -> 67; sql_null 0 -> 67; exclude none -> 67"
    )
    for project in ("blind", "waits", "known"):
        assert shown.loc[project, "changes"] == ""
    names = [rule.name for rule in plan.policies]
    quality = [rule.name for rule in plan.policies if rule.quality]
    assert list(plan.preview) == backfill_contract(names, quality).names


def test_own_policies_and_the_baseline_are_previewed():
    mine = dk.ProgressPolicy("mine", population="all", null="all")
    plan = plan_backfill(audit(policies=[mine]))
    assert [rule.name for rule in plan.policies] == ["mine", "inferred"]
    assert plan.preview["after_inferred"].equals(plan.preview["before_inferred"])
    assert "quality_after_inferred" not in plan.preview


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rows_are_in_order_and_in_batches(dialect):
    table = audit()
    plan = plan_backfill(table, dialect, batch=1, within_pp=100)
    assert plan.sql.index("'apart'") < plan.sql.index("'sure'")
    for sql in (plan.sql, plan.undo_sql):
        assert [line for line in sql.splitlines() if line.startswith("-- Batch")] == [
            "-- Batch 1 of 2",
            "-- Batch 2 of 2",
        ]
        assert sql.count("COMMIT;") == 2
        evidence = table.projects.set_index("project_id")["evidence"]
        assert f"-- {evidence['sure']}\n" in sql
    assert "2 of 3 illegal NULL starts get a value; left NULL: 1" in plan.sql
    assert f"--   blind: {evidence['blind']}\n" in plan.sql
    assert "Planned from shop." in plan.sql


@pytest.mark.parametrize("dialect", DIALECTS)
def test_same_input_same_text(dialect):
    one, two = (plan_backfill(audit(), dialect) for _ in range(2))
    assert (one.sql, one.undo_sql, one.check_sql) == (
        two.sql,
        two.undo_sql,
        two.check_sql,
    )
    pd.testing.assert_frame_equal(one.preview, two.preview)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_to_set_is_a_script_of_comments(dialect):
    empty = dk.audit_started_at(dk.Progress(dk.PROJECTS.empty(), dk.TASKS.empty()))
    plan = plan_backfill(empty, dialect)
    for sql in (plan.sql, plan.undo_sql):
        assert all(line.startswith("--") for line in sql.splitlines())
    assert "Planned from" not in plan.sql
    assert len(plan.preview) == 0
    assert "agent_tasks" in plan.check_sql


def test_the_check_speaks_of_the_tables_own_statuses():
    schema = dk.ProgressSchema(
        "shop.jobs",
        "steps",
        project_columns={"project_id": "job", "execution_status": "stage"},
        task_columns={"project_id": "job_no"},
        statuses={"queued": "pending", "pending": "paused"},
    )
    sql = plan_backfill(audit(schema), "sqlite").check_sql
    assert "COALESCE(CAST(p.\"stage\" AS TEXT) IN ('queued'), TRUE)" in sql
    assert 'SELECT DISTINCT CAST(t."job_no" AS TEXT) FROM "steps" AS t' in sql
    assert 'FROM "shop"."jobs" AS p' in sql


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (["pending"], "  AND (NOT COALESCE(p.\"s\"::text IN ('pending'), TRUE)"),
        ({None: "without_tasks"}, '  AND (NOT (p."s" IS NULL)'),
        (
            {"paused": "always"},
            "  AND NOT COALESCE(p.\"s\"::text IN ('paused'), FALSE)",
        ),
        ({}, "  AND (NOT FALSE"),
    ],
)
def test_the_check_has_the_audits_rule(rule, line):
    schema = dk.ProgressSchema(project_columns={"execution_status": "s"})
    plan = plan_backfill(audit(schema, never_started=rule))
    assert line in plan.check_sql.splitlines()


def test_a_table_without_a_status_is_not_asked_for_one():
    projects = dk.PROJECTS.build({"project_id": ["a"]})
    table = dk.audit_started_at(dk.Progress(projects, dk.TASKS.empty()))
    plan = plan_backfill(table)
    assert "execution_status" not in plan.check_sql
    assert "  AND (NOT TRUE\n" in plan.check_sql
    assert "Legal NULLs: no status (while it has no task); pending" in plan.check_sql


def test_an_id_that_is_spelled_out_is_told_in_words():
    projects = dk.PROJECTS.build(
        {"project_id": ["caf\u00e9", "back\\slash"], "execution_status": ["failed"] * 2}
    )
    tasks = dk.TASKS.build(
        {"project_id": ["caf\u00e9", "back\\slash"], "created_at": [BASE] * 2}
    )
    plan = plan_backfill(dk.audit_started_at(dk.Progress(projects, tasks)), "mysql")
    assert "-- caf\\xe9: task_created: only " in plan.sql
    assert "-- back\\slash: task_created: only " in plan.sql
    assert "_utf8mb4 X'636166c3a9'" in plan.sql


def test_a_body_in_dollars_does_not_end_at_a_name():
    schema = dk.ProgressSchema(project_columns={"project_id": "a $diagkit$ b"})
    plan = plan_backfill(audit(schema))
    assert plan.sql.count("$diagkit_$") == 2
    assert plan.check_sql.count("$diagkit_$") == 2


def test_a_value_needs_the_digits_that_it_has():
    table = audit()
    sql = plan_backfill(table, batch=1, within_pp=100).sql
    assert sql.count("BETWEEN 0 AND 0 - 1") == 2
    start = table.projects["inferred_start"] + pd.Timedelta(milliseconds=120)
    table.projects["inferred_start"] = start
    sql = plan_backfill(table, batch=1, within_pp=100).sql
    assert sql.count("BETWEEN 0 AND 2 - 1") == 2
    assert "'2025-11-24 10:00:30.120000+00'" in sql


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dialect": "oracle"}, "dialect='oracle' is none of 'postgresql'"),
        ({"batch": 0}, "batch=0 sets no rows"),
        ({"within_pp": -1}, "within_pp=-1 is no distance"),
        ({"within_pp": float("nan")}, "within_pp=nan is no distance"),
    ],
)
def test_settings_without_a_meaning_are_refused(options, text):
    with pytest.raises(dk.SettingError, match=text):
        plan_backfill(audit(), **options)


def test_the_page_tells_every_action_and_column():
    page = (Path(__file__).parents[3] / "docs/backfill.md").read_text(encoding="utf-8")
    told = [line.split("`")[1] for line in page.splitlines() if line[:3] == "| `"]
    assert told[:5] == ["action", *ACTIONS]
    columns = [c.name for c in BACKFILL.columns if not c.name.startswith("execution")]
    assert [name for name in columns[1:] if f"`{name}`" not in page] == []


def test_an_audit_that_can_apply_no_policy_is_refused():
    with pytest.raises(dk.SettingError, match="make it with audit_started_at"):
        plan_backfill(replace(audit(), apply=None))
