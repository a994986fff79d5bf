from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.policies import TaskBook
from diagkit.analyses.runs import find_bursts, find_runs

BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")
MINUTE = 60_000_000


def book(*tasks):
    """Tasks as (created, name, status, started), times in minutes, project ``a``."""
    full = [(*task, *(None,) * (5 - len(task))) for task in tasks]
    at = [None if t[0] is None else BASE + pd.Timedelta(minutes=t[0]) for t in full]
    begun = [None if t[3] is None else BASE + pd.Timedelta(minutes=t[3]) for t in full]
    frame = dk.TASKS.build(
        {
            "project_id": [t[4] or "a" for t in full],
            "task_name": [t[1] for t in full],
            "agent_type": ["web"] * len(full),
            "status": [t[2] or "completed" for t in full],
            "created_at": at,
            "started_at": begun,
        }
    )
    projects = dk.PROJECTS.build({"project_id": ["a", "b"]})
    return TaskBook.from_frames(projects, frame)


def begins(bursts):
    start = int(BASE.timestamp()) * 1_000_000
    return ((bursts.created - start) / MINUTE).round(2).tolist()


def plan(at, names="abcdefgh", status="completed", pace=0.5):
    return [
        (at + pace * i, name, status, at + pace * i) for i, name in enumerate(names)
    ]


def test_a_gap_parts_runs():
    found = find_runs(book(*plan(0), *plan(60, "stuvwxyz")))
    assert begins(found.runs) == begins(found.bursts) == [0, 60]
    assert found.runs.tasks.tolist() == [8, 8]


def test_a_run_goes_on_where_what_waited_was_started():
    before = [*plan(0, "abcd"), (3, "e", "completed", 61), (4, "f", "pending")]
    after = plan(60, "stuvwxyz")
    found = find_runs(book(*before, *after))
    assert begins(found.bursts) == [0, 60]
    assert begins(found.runs) == [0]
    assert found.runs.tasks.tolist() == [14]
    # Those of another project say nothing.
    other = [(*task, "b") for task in plan(60, "stuvwxyz")]
    assert begins(find_runs(book(*before, *other)).runs) == [0, 60]


def test_a_restart_cancels_what_waits():
    before = [*plan(0, "abcd"), (3, "e", "completed", 61)]
    before += [(4, "f", "cancelled"), (4.5, "g", "cancelled")]
    assert begins(find_runs(book(*before, *plan(60, "stuvwxyz"))).runs) == [0, 60]


def test_a_restart_makes_the_plan_again_whatever_else_goes_on():
    before = [*plan(0, "abcdefg"), (4, "h", "completed", 61)]
    assert begins(find_runs(book(*before, *plan(60))).runs) == [0, 60]


def test_a_plan_that_is_made_again_proves_its_run():
    again = find_runs(book(*plan(0), *plan(60)))
    assert again.proven.tolist() == [False, True]
    start = int(BASE.timestamp()) * 1_000_000
    assert ((again.proven_since(2) - start)[0]) == 60 * MINUTE
    # Other names, or too few of them, prove nothing.
    for second in (plan(60, "stuvwxyz"), plan(60, "abcd")):
        other = find_runs(book(*plan(0), *second))
        assert other.proven.tolist() == [False, False]
        assert (other.proven_since(2) < 0).all()


def test_late_retries_are_no_run():
    before = [*plan(0), *plan(4, "ij", "failed")]
    found = find_runs(book(*before, *plan(90, "ij")))
    assert begins(found.bursts) == [0, 90]
    assert begins(found.runs) == [0]
    # What had not failed is made again by a new run only.
    assert begins(find_runs(book(*before, *plan(90, "hij"))).runs) == [0, 90]
    # So is a whole plan, also if all of it had failed.
    every = plan(0, status="failed")
    assert begins(find_runs(book(*every, *plan(90))).runs) == [0, 90]


def test_a_plan_begins_again_without_a_gap():
    found = find_runs(book(*plan(0), *plan(9)))
    assert begins(found.bursts) == [0]
    assert begins(found.runs) == [0, 9]
    # Most of it is enough, and more that is new does no harm.
    found = find_runs(book(*plan(0, "abcdefghij"), *plan(9, "abcdefgxijklmno")))
    assert begins(found.runs) == [0, 9]
    twice = find_runs(book(*plan(0), *plan(9), *plan(18)))
    assert begins(twice.runs) == [0, 9, 18]


def test_backup_agents_and_retries_are_no_plan_that_begins_again():
    twins = [(at + 0.4, *rest) for at, *rest in plan(0)]
    assert begins(find_runs(book(*plan(0), *twins)).runs) == [0]
    failed = plan(0, status="failed")
    assert begins(find_runs(book(*failed, *plan(9))).runs) == [0]
    # Names that come again now and then, out of order, are chance.
    chance = plan(0, "abcdefgh"), plan(9, "rcstauvw")
    assert begins(find_runs(book(*chance[0], *chance[1])).runs) == [0]


def moments(found):
    start = int(BASE.timestamp()) * 1_000_000
    return ((found.moment - start) / MINUTE).round(2).tolist()


def test_what_is_not_sure_is_a_moment():
    # Two tasks of a plan that may have begun again.
    found = find_runs(book(*plan(0), *plan(9, "ab")))
    assert begins(found.runs) == [0]
    assert 9 in moments(found)
    # A plan that was cut short at once.
    found = find_runs(book(*plan(0, "ab"), *plan(9)))
    assert begins(found.runs) == [0]
    assert 9 in moments(found)
    # A silence that is no gap.
    assert moments(find_runs(book(*plan(0), *plan(20, "stuvwxyz")))) == [0, 20]
    assert moments(find_runs(book(*plan(0), *plan(12, "stuvwxyz")))) == [0]


def test_nothing_and_undated_tasks():
    for tasks in ([], [(None, "a"), (None, "b")]):
        found = find_runs(book(*tasks))
        assert begins(found.runs) == begins(found.bursts) == moments(found) == []
        assert begins(find_bursts(book(*tasks))) == []


def test_what_a_run_is_told_with():
    found = find_runs(book((5, "a", "completed", 7), (0, "b", "pending"), (8, "c")))
    assert found.runs.tasks.tolist() == [3]
    assert begins(found.runs) == [0]
    start = int(BASE.timestamp()) * 1_000_000
    assert (found.runs.started - start).tolist() == [7 * MINUTE]
    assert (found.runs.end - start).tolist() == [8 * MINUTE]
    assert (found.runs.active - start).tolist() == [8 * MINUTE]


minute = st.none() | st.integers(0, 200)
task = st.tuples(
    minute,
    st.sampled_from("abcdef"),
    st.sampled_from(["completed", "failed", "cancelled", "pending"]),
    minute,
    st.sampled_from("ab"),
)


@settings(max_examples=80, deadline=None)
@given(tasks=st.lists(task, max_size=25), gap=st.integers(1, 60))
def test_bursts_equal_plain_loops_and_runs_are_made_of_tasks(tasks, gap):
    held = book(*tasks)
    bursts = find_bursts(held, f"{gap}min")
    expected = []
    for number, project in enumerate("ab"):
        last = None
        for at in sorted(t[0] for t in tasks if t[4] == project and t[0] is not None):
            if last is None or at - last > gap:
                expected.append([number, at, 0])
            expected[-1][2] += 1
            last = at
    got = zip(bursts.project, begins(bursts), bursts.tasks, strict=True)
    assert [list(row) for row in got] == expected
    found = find_runs(held, f"{gap}min")
    assert begins(found.bursts) == begins(bursts)
    assert found.runs.tasks.sum() == bursts.tasks.sum()
    # The first burst of a project begins a run, and every run is among the moments.
    both = set(zip(found.project.tolist(), found.moment.tolist(), strict=True))
    for one in (found.runs, bursts):
        pairs = set(zip(one.project.tolist(), one.created.tolist(), strict=True))
        assert pairs <= both
    assert set(found.runs.project.tolist()) == set(bursts.project.tolist())


@pytest.mark.parametrize("gap", ["soon", "-1min", "0s"])
def test_a_gap_that_is_no_duration_is_refused(gap):
    for find in (find_bursts, find_runs):
        with pytest.raises(dk.SettingError, match=f"gap='{gap}' is no"):
            find(book(), gap)
