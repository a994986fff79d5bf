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


# And once more as functions, each written from its line of the table of the rules that
# the dashboard has used: what a policy means must not follow from its options alone.


def rows_from(tasks, start):
    return [
        t for t in tasks if t["created_at"] is not None and t["created_at"] >= start
    ]


def share_of(rows, statuses):
    if not rows:
        return 0.0
    return sum(t["status"] in statuses for t in rows) / len(rows) * 100


def capped(percent):
    return max(0.0, min(100.0, percent))


def logical(rows):
    """A group counts completed if any row is; failed if any is and none completed."""
    groups = {}
    for number, task in enumerate(rows):
        alone = task["task_name"] is None
        key = number if alone else (task["task_name"], task["agent_type"])
        groups.setdefault(key, []).append(task["status"])
    judged = []
    for statuses in groups.values():
        if "completed" in statuses:
            judged.append({"status": "completed"})
        elif "failed" in statuses:
            judged.append({"status": "failed"})
        else:
            judged.append({"status": "open"})
    return judged


def finished(rows):
    percent = float(round(capped(share_of(rows, ("completed", "failed")))))
    return percent, round(share_of(rows, ("completed",)), 2)


def all_runs_uncapped(tasks, start, guess):
    return share_of(tasks, ("completed",)), None


def all_runs(tasks, start, guess):
    return capped(share_of(tasks, ("completed",))), None


def current_run_or_all(tasks, start, guess):
    rows = tasks if start is None else rows_from(tasks, start)
    return capped(share_of(rows, ("completed",))), None


def current_run_or_all_finished(tasks, start, guess):
    return finished(tasks if start is None else rows_from(tasks, start))


def current_run_or_zero(tasks, start, guess):
    if start is None:
        return 0.0, 0.0
    return finished(logical(rows_from(tasks, start)))


def sql_null(tasks, start, guess):
    # `created_at >= NULL` is true for no row.
    return finished([] if start is None else rows_from(tasks, start))[0], None


def exclude(tasks, start, guess):
    if start is None:
        return math.nan, math.nan
    return finished(logical(rows_from(tasks, start)))


def inferred(tasks, start, guess):
    start = guess if start is None else start
    if start is None:
        return (math.nan, math.nan) if tasks else (0.0, 0.0)
    return finished(logical(rows_from(tasks, start)))


WRITTEN = (
    all_runs_uncapped,
    all_runs,
    current_run_or_all,
    current_run_or_all_finished,
    current_run_or_zero,
    sql_null,
    exclude,
    inferred,
)
# Times as they come: with and without a zone, in another zone, at the same instant.
spelled = st.sampled_from(["{:%Y-%m-%d %H:%M:%S}", "{:%Y-%m-%dT%H:%M:%SZ}", "jamaica"])


def spell(minute, how):
    if minute is None:
        return None
    at = moment(minute)
    if how == "jamaica":
        return at.tz_convert("America/Jamaica").isoformat()
    return how.format(at)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(
    tasks=st.lists(task, max_size=40),
    starts=st.tuples(minutes, minutes, minutes),
    how=st.tuples(spelled, spelled),
)
def test_every_policy_equals_the_function_from_the_table(tasks, starts, how):
    assert [function.__name__ for function in WRITTEN] == list(BY_NAME)
    ids = ["a", "b", "c"]
    projects = dk.PROJECTS.build(
        {
            "project_id": ids,
            "execution_started_at": pd.to_datetime(
                [spell(m, how[0]) for m in starts], utc=True, format="ISO8601"
            ),
        }
    )
    rows = [t | {"created_at": moment(t["created_at"])} for t in tasks]
    names = ["project_id", "task_name", "agent_type", "status", "created_at"]
    frame = pd.DataFrame(tasks, columns=names)
    frame["created_at"] = pd.to_datetime(
        [spell(t["created_at"], how[1]) for t in tasks], utc=True, format="ISO8601"
    )
    progress = dk.Progress(projects, dk.TASKS.conform(frame))
    audit = dk.audit_started_at(progress)
    for i, name in enumerate(ids):
        mine = [r for r in rows if r["project_id"] == name]
        row = audit.projects.iloc[i]
        guess = None if pd.isna(row["inferred_start"]) else row["inferred_start"]
        for function in WRITTEN:
            percent, quality = function(mine, moment(starts[i]), guess)
            policy = function.__name__
            np.testing.assert_array_equal(row[f"percent_{policy}"], percent, policy)
            if quality is not None:
                np.testing.assert_array_equal(row[f"quality_{policy}"], quality, policy)


@given(st.integers(0, 5_000), st.integers(1, 5_000))
def test_quality_is_rounded_as_python_and_as_javascript_do(part, total):
    raw = part / total * 100
    even = round_percent(np.array([raw]), "half_even", 2)[0]
    up = round_percent(np.array([raw]), "half_up", 2)[0]
    assert even == round(raw, 2)
    # Math.round(x * 100) / 100, where Math.round is the greatest integer not above x+.5
    assert up == math.floor(raw * 100 + 0.5) / 100
    assert abs(up - even) < 0.0101


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
