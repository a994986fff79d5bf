from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from diagkit.charts.checkouts import plot_holders, plot_waits
from diagkit.charts.images import to_png
from diagkit.errors import SettingError
from diagkit.frames.checkouts import CHECKOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

START = pd.Timestamp("2025-11-24T10:00Z")
ROWS = (
    # holder, operation, begin, held_s, wait_s, outcome
    ("app.py:7 load", "GET /tiles", 0, 31.0, 0.0, "garbage_collected"),
    ("app.py:7 load", "GET /tiles", 5, 2.0, 0.002, "returned"),
    ("app.py:9 $keep^{", "POST /tiles", 1, 60.0, 2.5, "held"),
    ("app.py:11 end", None, 2, 0.5, None, "detached"),
)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def make(rows=ROWS) -> pd.DataFrame:
    names = ("holder", "operation", "begin", "held_s", "wait_s", "outcome")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    begin = columns.pop("begin")
    return CHECKOUTS.build(
        {
            "checkout_id": [str(n) for n in range(len(rows))],
            "pool": "app",
            "checked_out_at": [START + pd.Timedelta(seconds=s) for s in begin],
            **columns,
        }
    )


def ticks(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_row_a_holder_the_longest_first() -> None:
    ax = plot_holders(make())
    assert ticks(ax) == ["app.py:9 \\$keep^{", "app.py:7 load", "app.py:11 end"]
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlabel() == "time (UTC)"
    assert to_png(ax).startswith(b"\x89PNG")


def test_leaks_are_hatched_marked_and_counted() -> None:
    ax = plot_holders(make())
    assert legend(ax) == [
        "returned (1)",
        "leak: the collector found it (1)",
        "still out at the end (1)",
        "invalidated, detached, or unknown (1)",
    ]
    returned, leaked, *_ = ax.collections
    assert not returned.get_hatch()
    assert leaked.get_hatch()
    box = leaked.get_paths()[0].get_extents()
    assert (box.x1 - box.x0) * 86400 == pytest.approx(31, abs=0.01)
    # In the second row, above the other checkout of that time.
    assert (box.y0, box.y1) == (pytest.approx(0.6), pytest.approx(1.0))
    cross = next(line for line in ax.lines if line.get_marker() == "X")
    assert cross.get_ydata().tolist() == [pytest.approx(0.8)]
    assert [text.get_text() for text in ax.texts] == [
        "1 still out\n1 in all, 60 s at most",
        "1 leaked\n2 in all, 31 s at most",
        "1 in all, 500 ms at most",
    ]


def test_the_title_is_the_conclusion_and_what_is_left_out_is_said() -> None:
    ax = plot_holders(make(), limit=1)
    assert ax.get_title(loc="left") == (
        "app.py:7 load lost 1 of 2 connections; 1 of app.py:9 \\$keep^{ still out at "
        "the end"
    )
    assert ax.texts[-1].get_text() == "left out: and 2 more holders"


def test_it_draws_where_the_caller_says_and_keeps_its_title() -> None:
    for plot in (plot_holders, plot_waits):
        _, mine = plt.subplots()
        mine.set_title("mine", loc="left")
        assert plot(make(), ax=mine) is mine
        assert mine.get_title(loc="left") == "mine"


def test_nothing_is_said_to_be_nothing() -> None:
    ax = plot_holders(CHECKOUTS.empty())
    assert ax.get_title(loc="left") == "No checkout was recorded"
    assert [text.get_text() for text in ax.texts] == ["no checkout"]
    ax = plot_waits(CHECKOUTS.empty())
    assert ax.get_title(loc="left") == "No checkout says how long its caller waited"
    assert [text.get_text() for text in ax.texts] == ["no wait"]


def test_a_checkout_of_unknown_length_is_counted_without_a_bar() -> None:
    ax = plot_holders(make([("a", None, 0, None, None, None)]))
    assert [text.get_text() for text in ax.texts] == [
        "1 in all",
        "left out: 1 checkouts of unknown length",
    ]


@pytest.mark.parametrize("plot", [plot_holders, plot_waits])
def test_a_limit_below_one_is_refused(plot) -> None:
    with pytest.raises(SettingError, match="limit=0 draws nothing; use 1 or more"):
        plot(make(), limit=0)


def test_waits_by_operation_with_real_units() -> None:
    ax = plot_waits(make())
    assert ticks(ax) == ["POST /tiles  (1)", "GET /tiles  (2)"]
    half, most, longest = ax.lines
    assert half.get_xdata().tolist() == [2.5, pytest.approx(0.001)]
    assert most.get_xdata().tolist() == [2.5, pytest.approx(0.0019)]
    assert longest.get_xdata().tolist() == [2.5, 0.002]
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert ax.get_xscale() == "log"
    write = ax.xaxis.get_major_formatter()
    assert [write(v) for v in (1e-6, 1e-4, 0.01, 1, 100)] == [
        "1 µs",
        "100 µs",
        "10 ms",
        "1 s",
        "100 s",
    ]
    assert ax.get_title(loc="left") == (
        "POST /tiles waited longest: 2.5 s at most, 2.5 s for 95 of 100"
    )
    assert ax.texts[-1].get_text() == "left out: 1 operations without a known wait"


def test_no_wait_is_drawn_at_the_left_and_rows_beyond_the_limit_are_told() -> None:
    ax = plot_waits(make([*ROWS[:1], *ROWS[2:]]), limit=1)
    assert ax.texts[-1].get_text() == (
        "left out: 1 more operations; 1 operations without a known wait"
    )
    plt.close("all")
    ax = plot_waits(make(ROWS[:1]))
    assert ax.lines[0].get_xdata().tolist() == [1e-6]
    assert ax.get_title(loc="left") == (
        "GET /tiles waited longest: 0 s at most, 0 s for 95 of 100"
    )
