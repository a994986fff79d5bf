from __future__ import annotations

import pandas as pd
from hypothesis import given, strategies as st

from diagkit.analyses.checkouts import BARS, lay_out_holders
from diagkit.frames.checkouts import CHECKOUTS

START = pd.Timestamp("2025-11-24T10:00Z")


def make(rows) -> pd.DataFrame:
    """Build CHECKOUTS of (holder, begin, held_s, outcome)."""
    return CHECKOUTS.build(
        {
            "checkout_id": [str(n) for n in range(len(rows))],
            "pool": "app",
            "checked_out_at": [START + pd.Timedelta(seconds=r[1]) for r in rows],
            "holder": [r[0] for r in rows],
            "held_s": [r[2] for r in rows],
            "outcome": [r[3] for r in rows],
        }
    )


spans = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.integers(0, 20),
    st.integers(0, 9).map(float),
    st.sampled_from(["returned", "held", "garbage_collected", "detached", None]),
)


@given(st.lists(spans, max_size=40))
def test_bars_of_a_lane_do_not_overlap_and_no_lane_is_wasted(rows) -> None:
    layout = lay_out_holders(make(rows), 9)
    assert len(layout.bars) == len(rows)
    assert layout.holders["checkouts"].sum() == len(rows)
    for (_, lane), part in layout.bars.groupby(["row", "lane"]):
        ends = part.sort_values(["begin", "end"])["end"].shift()
        assert not (part.sort_values(["begin", "end"])["begin"] < ends).any()
        assert (lane < part["lanes"]).all()
    for _, part in layout.bars.groupby("row"):
        open_at = [
            int(((part["begin"] <= t) & (part["end"] > t)).sum()) for t in part["begin"]
        ]
        # No more lanes than are open at once; a bar without length may need one more.
        assert part["lane"].max() + 1 <= max(open_at) + 1


def test_rows_have_the_longest_first_and_say_what_is_left_out() -> None:
    rows = [(f"h{n}", 0, float(n), "returned") for n in range(5)]
    layout = lay_out_holders(make([*rows, ("h4", 0, None, None)]), 2)
    assert layout.holders["holder"].tolist() == ["h4", "h3"]
    assert layout.left_out == ("and 3 more holders", "1 checkouts of unknown length")
    assert layout.conclusion == "Every connection came back"


def test_only_so_many_bars_are_kept() -> None:
    rows = [("a", n, 1.0, "returned") for n in range(BARS)]
    layout = lay_out_holders(make([*rows, ("a", 5, 9.0, "held")]), 2)
    assert len(layout.bars) == BARS
    assert (layout.bars["outcome"] == "held").sum() == 1
    assert layout.left_out == ("1 checkouts, 1 s or shorter",)
    assert layout.conclusion == "1 of a still out at the end"


def test_the_conclusion_names_who_lost_most() -> None:
    lost = ("b", 0, 3.0, "garbage_collected")
    layout = lay_out_holders(
        make([lost, lost, ("a", 0, 1.0, "garbage_collected"), ("a", 1, 9.0, "held")]), 9
    )
    assert layout.conclusion == (
        "b lost 2 of 2 connections, all holders 3; 1 of a still out at the end"
    )
    assert (
        lay_out_holders(CHECKOUTS.empty(), 3).conclusion == "No checkout was recorded"
    )
