from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import diagkit as dk

MINUS = "\N{MINUS SIGN}"
BASE = pd.Timestamp("2025-11-24 10:00", tz="UTC")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def audit(ids=("small", "large", "same", "null"), starts=(60, 120, 0, None)):
    """Projects of four tasks in two runs; `starts` in minutes."""
    tasks = [
        (name, created, status)
        for name in ids
        for created, status in (
            (0, "pending"),
            (1, "completed"),
            (70, "completed"),
            (130, "failed"),
        )
    ]
    projects = dk.PROJECTS.build(
        {
            "project_id": list(ids),
            "execution_status": ["completed"] * len(ids),
            "execution_started_at": [
                None if s is None else BASE + pd.Timedelta(minutes=s) for s in starts
            ],
        }
    )
    frame = dk.TASKS.build(
        {
            "project_id": [t[0] for t in tasks],
            "task_name": [f"{i}" for i in range(len(tasks))],
            "created_at": [BASE + pd.Timedelta(minutes=t[1]) for t in tasks],
            "status": [t[2] for t in tasks],
        }
    )
    rules = (
        dk.ProgressPolicy("old", "2025-11-20", population="all", null="all"),
        dk.ProgressPolicy("new", "2025-11-29"),
        dk.ProgressPolicy("never_used"),
    )
    return dk.audit_started_at(dk.Progress(projects, frame), rules)


def ticks(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def line(ax, label):
    return next(part for part in ax.lines if part.get_label() == label)


def test_null_comes_first_and_then_the_largest_effect():
    ax = dk.plot_started_at(audit())
    assert ticks(ax) == ["null   NULL", "large", "small"]
    assert [label.get_fontweight() for label in ax.get_yticklabels()] == [
        "bold",
        "normal",
        "normal",
    ]
    assert "left out: 1 project that the policies show alike" in texts(ax)


def test_the_marks_stand_where_the_policies_do():
    ax = dk.plot_started_at(audit())
    assert list(line(ax, "new").get_xdata()) == [0, 100, 100]
    assert list(line(ax, "old").get_xdata()) == [75, 75, 75]
    assert list(line(ax, "inferred (best evidence)").get_xdata()) == [100, 100, 100]
    assert texts(ax)[:3] == [f"{MINUS}100 pp", f"{MINUS}25 pp", f"{MINUS}25 pp"]
    assert ax.get_xlabel() == "shown progress (%)"


def test_no_two_marks_share_shape_or_colour():
    ax = dk.plot_started_at(audit(), policies=["old", "new", "never_used"])
    marks = [part for part in ax.lines if part.get_marker() not in ("None", None)]
    assert len({part.get_marker() for part in marks}) == len(marks) == 4
    assert len({part.get_markeredgecolor() for part in marks}) == 4
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names[:4] == ["old", "new", "never_used", "inferred (best evidence)"]


def test_the_title_concludes():
    ax = dk.plot_started_at(audit())
    assert ax.get_title(loc="left") == (
        "1 project ran without a recorded start: new shows them 100 pp too low on "
        "average"
    )
    ax = dk.plot_started_at(audit(starts=(60, 120, 0, 60)))
    assert ax.get_title(loc="left") == (
        "Every project that ran has its start; the rules differ by 25 pp"
    )


def test_the_evidence_has_a_bar():
    # A start that is NULL, and one that has two bursts of tasks after it.
    ax = dk.plot_started_at(audit())
    (bars,) = ax.containers
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(75, 25)] * 2


def test_what_the_limit_leaves_out_is_said():
    ax = dk.plot_started_at(audit(), limit=1)
    assert ticks(ax) == ["null   NULL"]
    assert texts(ax)[-1].endswith("; 2 more with no larger effect")
    with pytest.raises(dk.SettingError, match="limit=0 draws nothing"):
        dk.plot_started_at(audit(), limit=0)


def test_it_draws_onto_the_axes_it_is_given():
    figure, ax = plt.subplots()
    assert dk.plot_started_at(audit(), ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(
        dk.SettingError, match=r"no policy 'newer' .* did you mean 'new'"
    ):
        dk.plot_started_at(audit(), policies=["newer"])
    ax = dk.plot_started_at(audit(), policies="new")
    assert ax.get_legend().get_texts()[0].get_text() == "new"


def test_names_from_data_are_no_formulas():
    ax = dk.plot_started_at(audit(ids=("$\\frac{$", "a\nb", "c", "d" * 90)))
    ax.figure.canvas.draw()
    assert "a b" in ticks(ax)
    assert any(label.startswith("d" * 30) and "…" in label for label in ticks(ax))


def test_nothing_to_show_is_said():
    for found in (audit(ids=(), starts=()), audit(ids=("same",), starts=(0,))):
        ax = dk.plot_started_at(found)
        assert "the policies agree about every project" in texts(ax)
        assert ax.get_legend() is None
        ax.figure.canvas.draw()


def test_the_case_study(case_study):
    found = dk.audit_started_at(dk.read_progress(case_study / "progress"))
    ax = dk.plot_started_at(found)
    assert sum(label.endswith("NULL") for label in ticks(ax)) == 15
    assert len(ticks(ax)) == 40
    assert "15 projects ran without a recorded start" in ax.get_title(loc="left")
    # Nothing is written over anything else.
    renderer = ax.figure.canvas.get_renderer()
    ax.figure.canvas.draw()
    title = ax._left_title.get_window_extent(renderer)
    assert not title.overlaps(ax.get_legend().get_window_extent(renderer))
