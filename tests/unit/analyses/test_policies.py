from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.policies import (
    NAT,
    TaskBook,
    apply_policy,
    microseconds,
    round_percent,
)
from diagkit.frames.progress import TASK_STATUSES

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")
BY_NAME = {policy.name: policy for policy in dk.POLICIES}


def test_the_names_and_their_order():
    assert list(BY_NAME) == [
        "all_runs_uncapped",
        "all_runs",
        "current_run_or_all",
        "current_run_or_all_finished",
        "current_run_or_zero",
        "sql_null",
        "exclude",
        "inferred",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": "runs"}, "population='runs' is none of 'all', 'run'; did you"),
        ({"null": "zero"}, "null='zero' is none of 'all', 'none', 'exclude'"),
        ({"unit": "rows"}, "did you mean 'row'"),
        ({"rounding": "half"}, "rounding='half' is none of None, 'half_even'"),
        ({"numerator": "completed"}, "is no tuple of statuses"),
        ({"numerator": ()}, "is no tuple of statuses"),
        ({"name": "my rule"}, "a name is of letters, digits and _"),
    ],
)
def test_an_option_without_meaning_is_refused(options, message):
    with pytest.raises(dk.SettingError, match=message):
        dk.ProgressPolicy(**({"name": "mine"} | options))


@pytest.mark.parametrize(
    ("value", "even", "up"),
    [
        (12.5, 12, 13),
        (37.5, 38, 38),
        (62.5, 62, 63),
        (0.5, 0, 1),
        (0.49999999999999994, 0, 0),
        (100.0, 100, 100),
        (61.25000000000001, 61, 61),
    ],
)
def test_rounding_is_pythons_and_javascripts(value, even, up):
    assert round_percent(np.array([value]), "half_even")[0] == even == round(value)
    assert round_percent(np.array([value]), "half_up")[0] == up
    assert round_percent(np.array([value]), None)[0] == value


# The same rules again, as a person would write them down: plain loops over rows.


def slow_choose(policy, tasks, start, inferred):
    if start is None and policy.null == "exclude":
        return None
    if start is None and policy.null == "inferred":
        if inferred is None and tasks:
            return None
        start = inferred
    if policy.population == "all" or (start is None and policy.null == "all"):
        return list(tasks)
    if start is None:
        return []
    return [t for t in tasks if t["created_at"] and t["created_at"] >= start]


def slow_percent(policy, tasks, start, inferred):
    chosen = slow_choose(policy, tasks, start, inferred)
    if chosen is None:
        return math.nan, math.nan
    units = {}
    for number, task in enumerate(chosen):
        key = number
        if policy.unit == "logical" and task["task_name"] is not None:
            key = (task["task_name"], task["agent_type"])
        units.setdefault(key, []).append(task["status"])
    total = len(units)
    done = sum(any(s in policy.numerator for s in unit) for unit in units.values())
    good = sum("completed" in unit for unit in units.values())
    percent = done / total * 100 if total else 0.0
    if policy.cap:
        percent = max(0.0, min(100.0, percent))
    if policy.rounding == "half_even":
        percent = float(round(percent))
    elif policy.rounding == "half_up":
        percent = float(math.floor(percent) + (percent % 1 >= 0.5))
    return percent, round(good / total * 100, 2) if total else 0.0


# Few distinct values, so that equal times, twins and the boundary itself come often.
minutes = st.none() | st.integers(0, 4)
task = st.fixed_dictionaries(
    {
        "project_id": st.sampled_from(["a", "b", "c", "nobody", None]),
        "task_name": st.sampled_from(["x", "y", None]),
        "agent_type": st.sampled_from(["web", None]),
        "status": st.sampled_from([*TASK_STATUSES, "odd", None]),
        "created_at": minutes,
    }
)


def moment(minute):
    return None if minute is None else BASE + pd.Timedelta(minutes=minute)


@settings(max_examples=60, deadline=None)
@given(
    tasks=st.lists(task, max_size=14),
    starts=st.tuples(minutes, minutes, minutes),
    guesses=st.tuples(minutes, minutes, minutes),
)
def test_every_policy_equals_plain_loops(tasks, starts, guesses):
    rows = [t | {"created_at": moment(t["created_at"])} for t in tasks]
    ids = ["a", "b", "c"]
    projects = dk.PROJECTS.build(
        {"project_id": ids, "execution_started_at": [moment(m) for m in starts]}
    )
    names = ["project_id", "task_name", "agent_type", "status", "created_at"]
    frame = dk.TASKS.conform(pd.DataFrame(rows, columns=names))
    book = TaskBook.from_frames(projects, frame)
    recorded = microseconds(projects["execution_started_at"])
    inferred = microseconds(
        pd.Series([moment(m) for m in guesses], dtype="datetime64[us, UTC]")
    )
    extra = [
        dk.ProgressPolicy("up", null="all", rounding="half_up"),
        dk.ProgressPolicy("own", numerator=("cancelled", "odd"), unit="logical"),
        replace(BY_NAME["all_runs"], name="all_excluded", null="exclude"),
    ]
    for policy in (*dk.POLICIES, *extra):
        shown = apply_policy(policy, book, recorded, inferred)
        for i, name in enumerate(ids):
            mine = [r for r in rows if r["project_id"] == name]
            expected = slow_percent(policy, mine, moment(starts[i]), moment(guesses[i]))
            np.testing.assert_array_equal(
                (shown.percent[i], shown.quality[i]), expected, err_msg=policy.name
            )


def test_no_tasks_at_all():
    projects = dk.PROJECTS.build({"project_id": ["a"]})
    book = TaskBook.from_frames(projects, dk.TASKS.empty())
    none = np.array([NAT])
    for policy in dk.POLICIES:
        percent = apply_policy(policy, book, none, none).percent[0]
        assert math.isnan(percent) if policy.name == "exclude" else percent == 0.0


RULES = {
    "b180613": "all_runs_uncapped",
    "e863776": "all_runs",
    "76d8d23": "current_run_or_all",
    "bf9595f": "current_run_or_all_finished",
    "102c18c": "current_run_or_all_finished",
    "8c25b3d": "current_run_or_zero",
}


@pytest.mark.parametrize("commit", RULES)
def test_the_case_studys_function_to_the_last_bit(case_study, commit):
    oracle = pd.read_csv(case_study / "oracle_progress.csv")
    oracle = oracle[oracle["function_commit"] == commit].set_index("project_id")
    audit = dk.audit_started_at(dk.read_progress(case_study / "progress"))
    table = audit.projects.set_index("project_id").loc[oracle.index]
    assert len(table) == 66
    shown = table[f"percent_{RULES[commit]}"]
    assert shown.tolist() == oracle["completion_percentage"].tolist()
    if commit in ("102c18c", "8c25b3d"):
        quality = table[f"quality_{RULES[commit]}"]
        assert quality.tolist() == oracle["quality_percentage"].tolist()
