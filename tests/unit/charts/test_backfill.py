from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import diagkit as dk
from diagkit.analyses.backfill import plan_backfill
from diagkit.charts.backfill import plot_backfill

MINUS = "\N{MINUS SIGN}"
BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")
OLD = dk.ProgressPolicy("old", "2025-11-20", population="all", null="all")
NEW = dk.ProgressPolicy("new", "2025-11-29")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def plan(done, policies=(OLD, NEW), before=0, **options):
    """A project for each share: so many of its 10 tasks are done, in the last run."""
    ids = [f"p{i:04d} $" for i in range(len(done))]
    tasks = [
        (name, turn, "completed" if turn < share else "pending")
        for name, share in zip(ids, done, strict=True)
        for turn in range(10)
    ]
    earlier = [(name, -90, "completed") for name in ids for _ in range(before)]
    tasks = [*earlier, *tasks]
    projects = dk.PROJECTS.build(
        {"project_id": ids, "execution_status": ["completed"] * len(ids)}
    )
    frame = dk.TASKS.build(
        {
            "project_id": [t[0] for t in tasks],
            "status": [t[2] for t in tasks],
            "created_at": [BASE + pd.Timedelta(minutes=t[1]) for t in tasks],
        }
    )
    audit = dk.audit_started_at(dk.Progress(projects, frame), policies)
    return plan_backfill(audit, **options)


def ticks(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def marks(ax, label):
    line = next(part for part in ax.lines if part.get_label() == label)
    return line.get_xdata().tolist()


def test_the_largest_change_comes_first():
    ax = plot_backfill(plan([2, 9, 0, 5]))
    assert ticks(ax) == ["p0001 \\$", "p0003 \\$", "p0000 \\$"]
    assert marks(ax, "before the backfill") == [0, 0, 0]
    assert marks(ax, "after the backfill") == [90, 50, 20]
    assert texts(ax)[:3] == ["+90 pp", "+50 pp", "+20 pp"]
    assert texts(ax)[3] == (
        "mean of all 4 projects: 0.0 % before, 40.0 % after; 1 are shown as before"
    )
    assert ax.get_xlabel() == "progress shown by new (%)"
    assert ax.get_title(loc="left").replace("\n", " ") == (
        "A backfill of 4 of 4 missing starts: new shows 40 % for them on average, "
        "where it shows 0 % now"
    )
    shapes = {part.get_marker() for part in ax.lines}
    assert {"o", "D"} <= shapes


def test_a_policy_may_be_asked_for():
    wide = plan([5], before=10, within_pp=100)
    old = dk.ProgressPolicy("half", "2025-11-20", null="all")
    both = plan([5], (old, NEW), before=10, within_pp=100)
    assert plot_backfill(wide, policy="old").get_title(loc="left") == (
        "A backfill of 1 of 1 missing start changes nothing that old shows"
    )
    ax = plot_backfill(both, policy="half")
    assert texts(ax)[0] == f"{MINUS}25 pp"
    # What the evidence allows lies behind the marks.
    bar = ax.containers[0].patches[0]
    assert (bar.get_x(), bar.get_width()) == (50, 25)


def test_the_latest_policy_that_changes_is_chosen():
    late = dk.ProgressPolicy("late", "2025-12-01", population="all", null="all")
    ax = plot_backfill(plan([5], (NEW, late)))
    assert ax.get_xlabel() == "progress shown by new (%)"
    ax = plot_backfill(plan([5], (OLD, late)))
    assert ax.get_xlabel() == "progress shown by late (%)"
    assert "late shows the same before and after" in texts(ax)
    assert ax.get_legend() is None


def test_what_was_not_shown_before_comes_first_of_all():
    out = dk.ProgressPolicy("out", "2025-11-30", null="exclude")
    ax = plot_backfill(plan([2, 9], (out,)))
    assert ticks(ax) == ["p0000 \\$", "p0001 \\$"]
    assert texts(ax)[:2] == ["not shown before"] * 2
    assert "where it shows nothing now" in ax.get_title(loc="left").replace("\n", " ")
    assert np.isnan(marks(ax, "before the backfill")).all()


def test_many_projects_are_folded_into_bands():
    shares = [10] * 3 + [8] * 4 + [6] * 5 + [3] * 6 + [1] * 7
    many = plan(shares)
    ax = plot_backfill(many, limit=2)
    assert ticks(ax) == [
        "p0000 \\$",
        "p0001 \\$",
        "5 more, 75 to 100 pp",
        "5 more, 50 to 75 pp",
        "6 more, 25 to 50 pp",
        "7 more, less than 25 pp",
    ]
    assert marks(ax, "after the backfill") == pytest.approx([100, 100, 84, 60, 30, 10])
    styles = [label.get_fontstyle() for label in ax.get_yticklabels()]
    assert styles == ["normal"] * 2 + ["italic"] * 4
    assert len(ticks(plot_backfill(many, limit=25))) == 25
    out = dk.ProgressPolicy("out", "2025-11-30", null="exclude")
    ax = plot_backfill(plan([2, 9, 5], (out,)), limit=1)
    assert ticks(ax) == ["p0000 \\$", "2 more, not shown before"]


def test_what_stays_null_is_told():
    ax = plot_backfill(plan([5, 7], before=10))
    assert ax.get_title(loc="left") == (
        "2 starts missing, and the data can decide none of them"
    )
    assert texts(ax)[-1] == (
        "left NULL: 2 projects whose evidence is none, or more than 5 pp apart"
    )


def test_the_callers_axes_are_used():
    _, ax = plt.subplots()
    ax.set_xlabel("what the page shows (%)")
    ax.set_title("Mine", loc="left")
    assert plot_backfill(plan([5]), ax) is ax
    assert ax.get_xlabel() == "what the page shows (%)"
    assert ax.get_title(loc="left") == "Mine"
    assert plot_backfill(plan([])).get_title(loc="left") == (
        "No start is missing that has to be there: a backfill changes nothing"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"policy": "nwe"}, "no policy 'nwe' in this plan; did you mean 'new'"),
        ({"limit": 0}, "limit=0 draws nothing"),
    ],
)
def test_errors(options, text):
    with pytest.raises(dk.SettingError, match=text):
        plot_backfill(plan([5]), **options)
