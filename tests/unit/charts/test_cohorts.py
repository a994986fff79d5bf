from __future__ import annotations

from types import SimpleNamespace

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import diagkit as dk
from diagkit.analyses.cohorts import count_cohorts
from diagkit.charts.cohorts import plot_cohorts

BASE = pd.Timestamp("2025-11-10", tz="UTC")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def cohorts(count=20, since=9, undated=0, **options):
    """A project a day; those before `since` ran without a start, each fifth waits."""
    null = [i < since or i % 5 == 4 for i in range(count)]
    legal = pd.Series([i % 5 == 4 for i in range(count)], dtype="boolean")
    at = [BASE + pd.Timedelta(days=i) for i in range(count)] + [None] * undated
    table = pd.DataFrame(
        {
            "created_at": pd.Series(at, dtype="datetime64[us, UTC]"),
            "null": null + [False] * undated,
            "legal": legal.where(pd.Series(null)).reindex(range(count + undated)),
        }
    )
    return count_cohorts(SimpleNamespace(projects=table), **options)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_bar_a_cohort_in_three_parts():
    ax = plot_cohorts(cohorts())
    assert legend(ax) == [
        "ran without a start (8)",
        "not started, rightly NULL (4)",
        "start recorded (8)",
        "the change lies within",
        "fitted change",
    ]
    bars = [patch for patch in ax.patches if patch.get_label().endswith(")")]
    values = [patch.get_data().values - patch.get_data().baseline for patch in bars]
    assert [int(v.sum()) for v in values] == [8, 4, 8]
    assert values[0][:9].tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    edges = bars[0].get_data().edges
    assert mdates.num2date(edges[0]) == BASE
    assert np.diff(edges) == pytest.approx(1)
    # Two hatches and none: they are told apart in grey as well.
    assert [patch.get_hatch() or "" for patch in bars] == ["//", "..", ""]
    assert ax.get_ylabel() == "projects per day"


def test_the_change_is_a_line_within_a_band():
    found = cohorts()
    ax = plot_cohorts(found)
    (line,) = ax.lines
    assert mdates.num2date(line.get_xdata()[0]) == found.change.at
    band = next(p for p in ax.patches if p.get_label() == "the change lies within")
    assert mdates.num2date(band.get_x()) == found.change.low
    assert mdates.num2date(band.get_x() + band.get_width()) == found.change.high


def test_the_title_concludes_and_keeps_units():
    ax = plot_cohorts(cohorts())
    title = ax.get_title(loc="left")
    assert title.replace("\n", " ").startswith("NULL starts stop with projects set up")
    assert "100\N{NO-BREAK SPACE}%" in title


def test_a_given_date_and_a_mark():
    ax = plot_cohorts(cohorts(migration="2025-11-19"))
    assert "change" in legend(ax)
    assert "the change lies within" not in legend(ax)
    marks = dk.MARKS.build(
        {"timestamp": [BASE + pd.Timedelta(days=8.5)], "label": ["$migration$ 008\n"]}
    )
    ax = plot_cohorts(cohorts(marks=marks))
    assert r"\$migration\$ 008" in legend(ax)
    ax.figure.canvas.draw()


def test_what_is_left_out_is_said():
    ax = plot_cohorts(cohorts(undated=3))
    assert [text.get_text() for text in ax.texts] == ["left out: 3 without created_at"]
    ax = plot_cohorts(cohorts(0, undated=2))
    said = [text.get_text() for text in ax.texts]
    assert said == ["no project", "left out: 2 without created_at"]
    assert ax.get_legend() is None
    ax.figure.canvas.draw()


def test_without_a_change_there_is_no_line():
    ax = plot_cohorts(cohorts(6, 3, every="12h"))
    assert len(ax.lines) == 0
    assert ax.get_ylabel() == "projects per 0.5 days"


def test_it_draws_onto_the_axes_it_is_given():
    figure, ax = plt.subplots()
    assert plot_cohorts(cohorts(), ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert plot_cohorts(cohorts(400, 200)).get_ylabel() == "projects per week"
