from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from diagkit.charts.images import to_png
from diagkit.charts.pool import COLUMNS, PANELS, plot_pool
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    from collections.abc import Iterator

START = pd.Timestamp("2025-11-24T10:00Z")


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def make_pool(out, seconds=None, name="app", **more) -> pd.DataFrame:
    seconds = range(len(out)) if seconds is None else seconds
    columns = {"size": 2, "max_overflow": 1, **more}
    return POOL.build(
        {
            "timestamp": [START + pd.Timedelta(seconds=s) for s in seconds],
            "pool": name,
            "checked_out": out,
            **columns,
        }
    )


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_use_is_a_line_of_steps_with_its_capacity() -> None:
    ax = plot_pool(make_pool([0, 1, 3, 2]))
    line = ax.lines[0]
    assert line.get_ydata().tolist() == [0, 1, 3, 2]
    assert line.get_drawstyle() == "steps-post"
    assert [t.get_text() for t in ax.texts] == ["app: size 2", "app: at most 3"]
    assert [one.get_ydata()[0] for one in ax.lines[1:]] == [2, 3]
    assert ax.lines[1].get_linestyle() != "-"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (UTC)", "connections")
    assert ax.get_title(loc="left") == (
        "Pool 'app' had no connection left for 25 % of 4.0 s"
    )


def test_those_who_wait_stand_hatched_on_top() -> None:
    ax = plot_pool(make_pool([3, 3, 3, 1], waiting=[0, 4, 1, 0]))
    (area,) = ax.collections
    assert area.get_hatch()
    assert area.get_paths()[0].get_extents().y1 == 7
    assert legend(ax) == ["app: callers waiting", "app: checked out"]
    assert ax.get_title(loc="left").endswith("75 % of 4.0 s; up to 4 callers waited")


def test_missing_samples_break_the_line_and_are_hatched() -> None:
    ax = plot_pool(make_pool([0, 1, 2, 1, 1], [0, 1, 2, 60, 61]))
    values = ax.lines[0].get_ydata()
    assert np.isnan(values).tolist() == [False, False, False, True, False, False]
    (gap,) = ax.collections
    assert gap.get_label() == "app: no samples"
    assert gap.get_hatch()
    box = gap.get_paths()[0].get_extents()
    assert (box.x1 - box.x0) * 86400 == pytest.approx(57, abs=0.01)


def test_each_pool_has_a_panel_the_shortest_of_connections_first() -> None:
    pool = pd.concat([make_pool([0, 1]), make_pool([3, 3], name="b$")])
    ax = plot_pool(pool)
    upper, lower = ax.figure.axes
    assert ax is upper
    assert legend(upper) == ["b\\$: checked out"]
    assert legend(lower) == ["app: checked out"]
    assert upper.get_xlabel() == ""
    assert lower.get_xlabel() == "time (UTC)"
    assert to_png(ax).startswith(b"\x89PNG")


def test_pools_on_one_axes_differ_without_colour() -> None:
    _, mine = plt.subplots()
    mine.set_title("mine", loc="left")
    mine.set_ylabel("sessions")
    pool = pd.concat([make_pool([0, 1]), make_pool([3, 3], name="b")])
    assert plot_pool(pool, ax=mine) is mine
    use = [one for one in mine.lines if one.get_drawstyle() == "steps-post"]
    assert len({one.get_linestyle() for one in use}) == 2
    assert len({one.get_marker() for one in use}) == 2
    assert mine.get_title(loc="left") == "mine"
    assert mine.get_ylabel() == "sessions"


def test_pools_that_have_no_panel_are_named() -> None:
    pool = pd.concat([make_pool([3], name=f"p{n}") for n in range(PANELS + 1)])
    ax = plot_pool(pool)
    assert len(ax.figure.axes) == PANELS
    assert ax.get_title(loc="left").endswith("not drawn: p6")


def test_a_million_samples_are_one_line_of_few_points() -> None:
    rng = np.random.default_rng(1)
    out = np.clip(np.cumsum(rng.integers(-1, 2, 1_000_000)), 0, 3)
    times = pd.date_range(START, periods=len(out), freq="1s")
    pool = POOL.build({"timestamp": times, "pool": "app", "checked_out": out})
    ax = plot_pool(pool)
    values = ax.lines[0].get_ydata()
    assert len(values) <= 6 * COLUMNS
    assert (values.min(), values.max()) == (0, 3)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (POOL.empty(), "No samples of a pool"),
        (
            make_pool([2, 1]),
            "Pool 'app' was not used up: at most 2 of 3 connections were out",
        ),
        (
            make_pool([2, 1], max_overflow=None),
            "Pool 'app' had at most 2 connections out; the samples do not say how many "
            "it may have",
        ),
        (
            pd.concat([make_pool([2, 1]), make_pool([1, 1], name="b")]),
            "Pool 'app' was not used up: at most 2 of 3 connections were out; it came "
            "closest",
        ),
        (
            make_pool([3] + [0] * 299, waiting=1),
            "Pool 'app' had no connection left for less than 1 % of 5.0 min; up to 1 "
            "caller waited",
        ),
        (
            make_pool([3, 3, 3], [0, 3600, 7200], max_overflow=0, size=3),
            "Pool 'app' had no connection left for 100 % of 3.0 h",
        ),
    ],
)
def test_the_title_is_the_conclusion(pool: pd.DataFrame, said: str) -> None:
    title = plot_pool(pool).get_title(loc="left")
    assert " ".join(title.split()) == said


def test_the_same_chart_is_the_same_bytes() -> None:
    one, two = (to_png(plot_pool(make_pool([0, 3, 1]))) for _ in range(2))
    assert one == two
