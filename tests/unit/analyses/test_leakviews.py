from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.leaks import count_leaks
from diagkit.analyses.leakviews import UNNAMED, LeakBook, view_leaks
from diagkit.analyses.timebins import choose_edges
from diagkit.errors import SettingError
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS

START = pd.Timestamp("2025-11-24T10:00Z")
EVENTS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 900),
        st.sampled_from([("leak", "a"), ("exhaustion", "b"), ("own", "c")]),
        st.sampled_from([None, "x", "y"]),
    ),
    max_size=40,
)


def make(events) -> pd.DataFrame:
    return LEAKS.build(
        {
            "timestamp": [
                pd.NaT if s is None else START + pd.Timedelta(seconds=s)
                for s, _, _ in events
            ],
            "kind": [kind for _, (kind, _), _ in events],
            "signature": [name for _, (_, name), _ in events],
            "severity": ["high"] * len(events),
            "logger": [logger for _, _, logger in events],
            "source": ["a.log"] * len(events),
            "line": range(1, len(events) + 1),
            "message": ["m"] * len(events),
        }
    )


@given(EVENTS, st.sampled_from([None, "a", "b"]), st.sampled_from([None, "x", UNNAMED]))
def test_a_view_counts_what_a_filter_counts(events, signature, logger) -> None:
    leaks = make(events)
    mine = leaks.copy()
    if signature is not None:
        mine = mine[mine["signature"] == signature]
    if logger is not None:
        mine = mine[mine["logger"].fillna(UNNAMED) == logger]
    book = LeakBook.from_frames(leaks)
    chosen = {"signature": signature, "logger": logger}
    if any(
        name is not None and name not in set(book.groups[what])
        for what, name in chosen.items()
    ):
        with pytest.raises(SettingError):
            view_leaks(book, **chosen)
        return
    view = view_leaks(book, every="1min", **chosen)
    wanted = count_leaks(mine, every="1min")
    # Neither bins nor kinds in which nothing is are of matter.
    found, wanted = (
        line.loc[line.sum(axis=1) > 0, sorted(line.columns[line.sum() > 0])]
        for line in (view.line, wanted)
    )
    pd.testing.assert_frame_equal(found, wanted, check_freq=False)
    dated = mine[mine["timestamp"].notna()].sort_values("timestamp", kind="stable")
    assert view.rows.tolist() == dated.index.tolist()
    assert view.undated.tolist() == mine.index[mine["timestamp"].isna()].tolist()
    for place in range(len(view.line)):
        rows = view.rows[slice(*view.bounds[place : place + 2])]
        begin = view.line.index[place]
        times = leaks["timestamp"].iloc[rows]
        assert ((times >= begin) & (times < begin + pd.Timedelta("1min"))).all()


@given(
    st.integers(0, 10**16), st.integers(0, 10**16), st.sampled_from([None, "1s", "7D"])
)
def test_edges_hold_both_ends_in_few_bins(one: int, other: int, every) -> None:
    low, high = sorted((one, other))
    edges, _ = choose_edges(low, high, every)
    assert edges[0] <= low
    assert high < edges[-1]
    assert 1 <= len(edges) - 1 <= 120


def test_bins_without_a_record_are_gaps() -> None:
    times = [START, START + pd.Timedelta("5min")]
    logs = LOGS.build(
        {"timestamp": times, "message": "m", "source": "a", "line": [1, 2], "lines": 1}
    )
    book = LeakBook.from_frames(make([(10, ("leak", "a"), None)]), logs)
    line = view_leaks(book, every="1min").line
    assert line["leak"].isna().tolist() == [False, True, True, True, True, False]
    assert line["leak"].iloc[0] == 1


def test_a_time_may_be_empty() -> None:
    book = LeakBook.from_frames(make([(10, ("leak", "a"), None)]))
    view = view_leaks(book, since="2025-11-25", until="2025-11-24")
    assert len(view.line) == len(view.rows) == 0
