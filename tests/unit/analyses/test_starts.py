from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.policies import TaskBook
from diagkit.analyses.starts import find_bursts

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def at(minute):
    return None if minute is None else BASE + pd.Timedelta(minutes=minute)


def build(project, tasks):
    """One project `a`, and tasks as (created, started, status) in minutes."""
    times = ("created_at", "updated_at", "execution_started_at")
    row = {k: [at(v) if k in times else v] for k, v in project.items()}
    return dk.Progress(
        dk.PROJECTS.build({"project_id": ["a"], **row}),
        dk.TASKS.build(
            {
                "project_id": ["a"] * len(tasks),
                "task_name": [f"t{i}" for i in range(len(tasks))],
                "status": [status for _, _, status in tasks],
                "created_at": [at(created) for created, _, _ in tasks],
                "started_at": [at(started) for _, started, _ in tasks],
            }
        ),
    )


def audit_one(project, tasks, **options):
    return dk.audit_started_at(build(project, tasks), **options).projects.iloc[0]


TWO_RUNS = [
    (0, 1, "completed"),
    (1, 2, "cancelled"),
    (200, 202, "completed"),
    (201, None, "pending"),
    (203, None, "completed"),
]


def test_bursts_are_told_apart_by_the_gap():
    progress = build({}, [(29, None, "x"), (0, 7, "x"), (59, 60, "x"), (90, None, "x")])
    book = TaskBook.from_frames(progress.projects, progress.tasks)
    bursts = find_bursts(book)
    minute = 60_000_000
    start = int(BASE.timestamp()) * 1_000_000
    assert ((bursts.created - start) // minute).tolist() == [0, 90]
    assert ((bursts.end - start) // minute).tolist() == [59, 90]
    assert bursts.tasks.tolist() == [3, 1]
    assert len(find_bursts(book, "2h").tasks) == 1
    assert len(find_bursts(book, pd.Timedelta("1min")).tasks) == 4


@pytest.mark.parametrize("gap", ["soon", "-1min", "0s"])
def test_a_gap_that_is_no_duration_is_refused(gap):
    with pytest.raises(dk.SettingError, match=f"gap='{gap}' is no"):
        audit_one({}, TWO_RUNS, gap=gap)


def test_the_last_burst_is_the_run():
    row = audit_one({"execution_status": "completed"}, TWO_RUNS)
    assert row["inferred_start"] == at(200)
    assert row["percent_inferred"] == 67
    # The first started at 202: only the task of minute 203 would count. All five: 60.
    assert (row["percent_low"], row["percent_high"]) == (60, 100)
    assert row["evidence"] == (
        "task_started: last burst of 3 tasks from 2025-11-24 13:20:00Z, first started "
        "2025-11-24 13:22:00Z; the data cannot decide between 60 and 100 %"
    )


def test_queued_tasks_are_the_second_best_evidence():
    row = audit_one({"execution_status": "running"}, [(0, None, "pending")])
    assert row["inferred_start"] == at(0)
    assert (
        row["evidence"]
        == "task_created: only burst of 1 task from 2025-11-24 10:00:00Z"
    )


def test_a_log_record_comes_third():
    project = {"execution_status": "running", "updated_at": 500}
    logged = pd.DataFrame(
        {"project_id": ["a", "a", "b"], "started_at": [at(300), at(310), at(900)]}
    )
    row = audit_one(project, [], logged=logged)
    assert row["inferred_start"] == at(310)
    # With tasks it only widens the bounds.
    row = audit_one(project, TWO_RUNS, logged=logged)
    assert row["inferred_start"] == at(200)
    assert row["percent_low"] == 0


def test_logged_without_its_columns_is_refused():
    with pytest.raises(dk.ContractError, match="logged has no column 'started_at'"):
        audit_one({}, [], logged=pd.DataFrame({"project_id": ["a"]}))


def test_the_rows_own_change_comes_last_and_never_the_present():
    row = audit_one({"execution_status": "running", "updated_at": 500}, [])
    assert row["inferred_start"] == at(500)
    row = audit_one({"execution_status": "running"}, [], now="2030-01-01")
    assert pd.isna(row["inferred_start"])
    assert row["percent_inferred"] == row["percent_low"] == row["percent_high"] == 0
    assert row["evidence"] == "no task: 0 % whatever the start"


def test_a_project_that_never_started_gets_no_start():
    row = audit_one({"execution_status": "pending", "updated_at": 500}, [])
    assert pd.isna(row["inferred_start"])
    assert bool(row["legal"])


def test_a_restart_may_have_cleared_the_start():
    row = audit_one({"execution_status": "pending", "updated_at": 500}, TWO_RUNS)
    assert row["percent_low"] == 0
    assert "a restart at 2025-11-24 18:20:00Z may have cleared it" in row["evidence"]
    # A project that is over has run: a later change of its row is no start.
    row = audit_one({"execution_status": "completed", "updated_at": 500}, TWO_RUNS)
    assert row["percent_low"] == 60


def test_tasks_without_times_decide_nothing():
    row = audit_one({"execution_status": "running"}, [(None, None, "completed")])
    assert pd.isna(row["percent_inferred"])
    assert (row["percent_low"], row["percent_high"]) == (0, 100)
    assert row["evidence"] == (
        "none: no task has a created_at; the data cannot decide between 0 and 100 %"
    )
    row = audit_one({"execution_status": "running"}, [(None, None, "pending")])
    assert (row["percent_low"], row["percent_high"]) == (0, 0)
    row = audit_one({"execution_status": "running"}, [(None, 7, "completed")])
    assert row["evidence"].startswith("task_started: 2025-11-24 10:07:00Z, no task has")
    assert (row["percent_low"], row["percent_inferred"]) == (0, 0)
    assert row["percent_high"] == 100
    row = audit_one(
        {"execution_status": "running", "updated_at": 5}, [(None, None, "completed")]
    )
    assert row["evidence"].startswith("updated_at: 2025-11-24 10:05:00Z")
    assert row["percent_inferred"] == 0


def test_a_plausible_recorded_start_is_the_only_candidate():
    row = audit_one({"execution_started_at": 199}, TWO_RUNS)
    assert row["evidence"] == "recorded"
    assert row["percent_low"] == row["percent_inferred"] == row["percent_high"] == 67


def test_a_start_after_every_task_stands_and_opens_the_bounds():
    row = audit_one({"execution_started_at": 300}, TWO_RUNS)
    assert row["percent_inferred"] == row["percent_low"] == 0
    assert row["percent_high"] == 100
    assert "later than every task: last burst of 3 tasks" in row["evidence"]
    row = audit_one({"execution_started_at": 300}, TWO_RUNS, now=at(250))
    assert "in the future: last burst of 3 tasks" in row["evidence"]


def names_of(progress, names):
    tasks = progress.tasks.assign(task_name=list(names))
    return dk.audit_started_at(dk.Progress(progress.projects, tasks))


def test_a_run_that_is_proven_leaves_nothing_before_it():
    rows = [(at + i, at + i, "completed") for at in (0, 300) for i in range(5)]
    rows[6] = (301, 301, "pending")
    progress = build({"execution_status": "running", "updated_at": 2}, rows)
    free = names_of(progress, "abcdefghij")
    assert free.candidates["evidence"].tolist() == [
        "task_created",
        "updated_at",
        "other_burst",
    ]
    assert free.projects["percent_high"][0] == 90
    # The same tasks are made again: a new run, whatever the gap.
    sure = names_of(progress, "abcdeabcde")
    assert sure.candidates["evidence"].tolist() == ["task_created"]
    assert sure.projects["percent_high"][0] == sure.projects["percent_low"][0] == 80


def test_candidates_say_what_they_rest_on():
    logged = pd.DataFrame({"project_id": ["a"], "started_at": [at(205)]})
    project = {"execution_status": "pending", "updated_at": 500}
    audit = dk.audit_started_at(build(project, TWO_RUNS), logged=logged)
    rows = audit.candidates
    assert list(rows["evidence"]) == [
        "task_created",
        "task_started",
        "logged",
        "updated_at",
        "other_burst",
    ]
    assert rows["rank"].tolist() == [1, 2, 3, 4, 5]
    assert rows["started_at"].tolist() == [at(m) for m in (200, 202, 205, 500, 0)]
    assert rows["percent"].tolist() == [67, 100, 0, 0, 60]
    assert len(dk.audit_started_at(build(project, [])).candidates) == 0


def test_a_task_without_a_time_counts_both_ways():
    rows = [(0, 1, "completed"), (1, None, "pending")]
    row = audit_one({}, [*rows, (None, None, "completed"), (None, 2, "pending")])
    assert row["percent_inferred"] == 50
    assert (row["percent_low"], row["percent_high"]) == (0, 67)
    # One that had started long before the run is none of it.
    row = audit_one({}, [(200, None, "pending"), (None, 1, "completed")])
    assert (row["percent_low"], row["percent_high"]) == (0, 0)


def test_a_row_that_changed_in_the_midst_of_silence():
    rows = [(0, 0, "completed"), (1, 2, "pending")]
    row = audit_one({"execution_status": "running", "updated_at": 20}, rows)
    assert row["percent_low"] == 50
    row = audit_one({"execution_status": "running", "updated_at": 90}, rows)
    assert row["percent_low"] == 0
    assert "a restart at 2025-11-24 11:30:00Z may have cleared it" in row["evidence"]


@pytest.mark.parametrize(
    ("start", "why"),
    [(202, "inside a burst of tasks"), (100, "long before the first task")],
)
def test_a_recorded_start_that_fits_badly_opens_the_bounds(start, why):
    row = audit_one({"execution_started_at": start}, TWO_RUNS)
    assert why in row["evidence"]
    assert row["percent_inferred"] == {202: 100, 100: 67}[start]
    assert (row["percent_low"], row["percent_high"]) == (60, 100)


minute = st.none() | st.integers(0, 300)
project = st.fixed_dictionaries(
    {
        "execution_status": st.sampled_from(["pending", "running", "completed", None]),
        "updated_at": minute,
        "execution_started_at": minute,
    }
)
row = st.tuples(minute, minute, st.sampled_from(["completed", "failed", "pending"]))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(project=project, tasks=st.lists(row, max_size=10), now=minute)
def test_the_bounds_hold_the_inferred_percentage(project, tasks, now):
    found = audit_one(project, tasks, now=at(now), gap="15min")
    low, value, high = (
        found[f"percent_{name}"] for name in ("low", "inferred", "high")
    )
    assert 0 <= low <= high <= 100
    if pd.isna(value):
        assert found["evidence"].startswith("none")
    else:
        assert low <= value <= high
    # Whoever differs from the recorded start without saying so would mislead.
    if found["evidence"] == "recorded":
        assert found["inferred_start"] == at(project["execution_started_at"])


def test_inferring_finds_again_what_the_case_study_recorded(case_study):
    progress = dk.read_progress(case_study / "progress")
    known = dk.audit_started_at(progress).projects
    recorded = known[(~known["null"]) & (known["evidence"] == "recorded")]
    blind = progress.projects.assign(
        execution_started_at=pd.to_datetime([None] * 66, utc=True).as_unit("us")
    )
    guessed = dk.audit_started_at(dk.Progress(blind, progress.tasks)).projects
    same = (
        guessed.loc[recorded.index, "percent_inferred"] == recorded["percent_inferred"]
    )
    # One task of edge-boundary is created a third of a second before its start.
    assert recorded["project_id"][~same].tolist() == ["edge-boundary"]
    assert len(same) == 40


def test_a_start_before_two_bursts_stands_and_opens_the_bounds():
    row = audit_one({"execution_started_at": -100}, TWO_RUNS)
    assert row["percent_inferred"] == row["percent_low"] == 60
    assert row["percent_high"] == 100
    assert "before 2 bursts of tasks: last burst of 3 tasks" in row["evidence"]


def test_the_bundled_samples_truth(sample):
    planted = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    planted = pd.DataFrame(planted["projects_planted"]).T
    rule = dk.ProgressPolicy("rule", null="inferred", numerator=("completed",))
    audit = dk.audit_started_at(dk.read_progress(sample / "progress.sqlite"), rule)
    table = audit.projects.set_index("project_id").loc[planted.index]
    ran = table[table["null"] & (table["tasks"] > 0)]
    assert len(ran) > 10
    truth = planted.loc[ran.index].astype({"true_run_completed": float})
    percent = truth["true_run_completed"] / truth["true_run_tasks"].astype(float) * 100
    assert ran["percent_rule"].tolist() == percent.round().tolist()
    late = ran["inferred_start"] - pd.to_datetime(truth["true_start"], utc=True)
    assert late.between(pd.Timedelta(0), pd.Timedelta("5min")).all()
    # Whatever was recorded wrongly, the bounds hold the truth by the newest rule.
    assert "start_off_by_hours" in audit.findings["code"].tolist()
    shifted = table[planted["kind"] == "local_time_as_utc"]
    assert (shifted["percent_low"] < shifted["percent_high"]).all()
