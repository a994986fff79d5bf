from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.leaks import count_leaks
from diagkit.charts.images import to_png
from diagkit.charts.leaks import plot_leaks
from diagkit.errors import ContractError
from diagkit.frames.incidents import MARKS
from diagkit.frames.leaks import LEAKS
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def make_line() -> pd.DataFrame:
    index = pd.date_range("2025-11-24T10:00Z", periods=4, freq="1min", name="timestamp")
    line = pd.DataFrame(
        {"leak": [2, 0, pd.NA, 3], "exhaustion": [0, 5, pd.NA, 1]}, index=index
    ).astype("Int64")
    line.attrs = {"every": "1min", "undated": 1}
    return line


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_kinds_are_stacked_and_counted_in_the_legend() -> None:
    ax = plot_leaks(make_line())
    leaks, timeouts = ax.patches[:2]
    values, edges, baseline = leaks.get_data()
    assert values.tolist() == [2, 0, 0, 3]
    assert np.diff(edges) * 24 * 60 == pytest.approx([1, 1, 1, 1])
    assert baseline.tolist() == [0, 0, 0, 0]
    values, _, baseline = timeouts.get_data()
    assert values.tolist() == [2, 5, 0, 4]
    assert baseline.tolist() == [2, 0, 0, 3]
    assert legend(ax)[:2] == ["connection leaked (5)", "no connection available (6)"]
    assert leaks.get_hatch() != timeouts.get_hatch()


def test_the_title_is_the_conclusion() -> None:
    title = plot_leaks(make_line()).get_title(loc="left")
    assert (
        title == "5 connections leaked; most (3) from 10:03 UTC; 1 event without a time"
    )


def test_units_and_zone_are_named() -> None:
    ax = plot_leaks(make_line())
    assert ax.get_xlabel() == "time (UTC)"
    assert ax.get_ylabel() == "events per 1min"


def test_leaks_are_added_up_on_the_right() -> None:
    ax = plot_leaks(make_line())
    (right,) = [a for a in ax.figure.axes if a is not ax]
    values, _, _ = right.patches[0].get_data()
    assert values.tolist() == [2, 2, 2, 5]
    assert right.get_ylabel() == "connections leaked so far"


def test_bins_without_records_are_hatched() -> None:
    ax = plot_leaks(make_line())
    assert "no log records" in legend(ax)
    (gap,) = [p for p in ax.collections if p.get_label() == "no log records"]
    start = pd.Timestamp("2025-11-24T10:02").to_datetime64().astype("datetime64[s]")
    days = [path.get_extents() for path in gap.get_paths()]
    assert [one.x0 for one in days] == [pytest.approx(start.astype(float) / 86400)]
    assert days[0].width == pytest.approx(1 / 1440)


def test_marks_are_numbered_and_their_text_is_harmless() -> None:
    at = pd.to_datetime(["2025-11-24T10:01Z"])
    marks = MARKS.build({"timestamp": at, "label": ["killed $\\frac{1}{0}$\x1b[31m"]})
    ax = plot_leaks(make_line(), marks=marks)
    assert "1" in [text.get_text() for text in ax.texts]
    assert any(text.startswith("1: killed \\$") for text in legend(ax))
    assert to_png(ax).startswith(b"\x89PNG")


def make_pool(seconds: list[int]) -> pd.DataFrame:
    start = pd.Timestamp("2025-11-24T10:00Z")
    return POOL.build(
        {
            "timestamp": [start + pd.Timedelta(seconds=s) for s in seconds],
            "pool": "app",
            "size": 3,
            "max_overflow": 2,
            "checked_out": range(len(seconds)),
        }
    )


def test_the_pool_is_drawn_below_with_its_capacity() -> None:
    ax = plot_leaks(make_line(), pool=make_pool([0, 1, 2]))
    below = ax.figure.axes[1]
    assert below.get_ylabel() == "connections"
    assert below.lines[0].get_ydata().tolist() == [0, 1, 2]
    assert [text.get_text() for text in below.texts] == ["app: 5 at most"]


def test_missing_samples_break_the_line() -> None:
    ax = plot_leaks(make_line(), pool=make_pool([0, 1, 2, 60, 61]))
    values = ax.figure.axes[1].lines[0].get_ydata()
    assert np.isnan(values).tolist() == [False, False, False, True, False, False]


def test_it_draws_on_the_axes_of_the_caller() -> None:
    _, mine = plt.subplots()
    assert plot_leaks(make_line(), ax=mine) is mine


def test_a_pool_needs_a_new_figure() -> None:
    _, mine = plt.subplots()
    with pytest.raises(ContractError, match="pass either ax or pool"):
        plot_leaks(make_line(), ax=mine, pool=make_pool([0]))


def test_what_has_no_bins_is_refused() -> None:
    with pytest.raises(ContractError, match="draws what count_leaks returns"):
        plot_leaks(pd.DataFrame({"leak": [1]}))


def test_nothing_found_is_said() -> None:
    ax = plot_leaks(count_leaks(LEAKS.empty()))
    assert ax.get_title(loc="left") == "No event, and no record of a log with a time"


def test_the_same_chart_is_the_same_bytes() -> None:
    one, two = (to_png(plot_leaks(make_line())) for _ in range(2))
    assert one == two
    assert plt.get_fignums() == []


def test_what_is_no_event_of_a_connection_is_counted_and_not_drawn() -> None:
    line = make_line()
    line["unrounded_percentage"] = pd.array([7, 7, pd.NA, 7], dtype="Int64")
    ax = plot_leaks(line)
    assert "not drawn: unrounded percentage (21)" in legend(ax)
    assert max(max(p.get_data()[0]) for p in ax.patches[:2]) == 5
