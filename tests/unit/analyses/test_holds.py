"""What was held too long and why, and how long each operation holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.holds import count_holds, find_held
from diagkit.errors import SettingError
from diagkit.frames.checkouts import CHECKOUTS, OUTCOMES
from diagkit.frames.holds import HELD, HOLDS
from diagkit.frames.pool import ACTIVITY

START = pd.Timestamp("2025-11-24 10:00", tz="UTC")


def second(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=number)


def checkout(outcome: str | None, held_s: float = 60.0) -> pd.DataFrame:
    return CHECKOUTS.build(
        {
            "checkout_id": ["1-1"],
            "pool": "app",
            "connection": ["17"],
            "checked_out_at": [START],
            "held_s": [held_s],
            "outcome": [outcome],
            "holder": "app.py:3 work",
            "operation": [None],
        }
    )


def snapshots(
    *rows: tuple[float, str, float | None, float | None, float],
) -> pd.DataFrame:
    """Rows: at, state, query_start, xact_start, state_change; in seconds."""
    return ACTIVITY.build(
        {
            "timestamp": [second(row[0]) for row in rows],
            "pid": 17,
            "state": [row[1] for row in rows],
            "query_start": [None if row[2] is None else second(row[2]) for row in rows],
            "xact_start": [None if row[3] is None else second(row[3]) for row in rows],
            "state_change": [second(row[4]) for row in rows],
        }
    )


SLOW = snapshots(
    (10, "active", 1, 0, 1), (30, "active", 1, 0, 1), (50, "active", 1, 0, 1)
)
LONG = snapshots(
    (10, "active", 9, 0, 9),
    (30, "idle in transaction", 28, 0, 29),
    (55, "idle in transaction", 54, 0, 54),
)
STILL = snapshots(
    (10, "idle in transaction", 1, 0, 1), (58, "idle in transaction", 1, 0, 1)
)
IDLE = snapshots((10, "idle", 1, None, 1), (58, "idle", 55, None, 55))


@pytest.mark.parametrize(
    ("outcome", "activity", "cause", "said"),
    [
        ("garbage_collected", None, "leak", "the garbage collector found it"),
        ("returned", None, "undecided", "pg_stat_activity would tell"),
        ("held", None, "undecided", "it is out to the end"),
        (None, None, "undecided", "its end was not recorded"),
        ("returned", SLOW, "slow_query", "one query ran for 49.0 s (3 snapshots)"),
        ("returned", LONG, "long_transaction", "one transaction was open for 55.0 s"),
        ("returned", STILL, "long_transaction", "no query for more than 0.0 s"),
        (
            "held",
            STILL,
            "leak",
            "was 'idle in transaction' and did nothing in the last",
        ),
        ("held", SLOW, "slow_query", "it is out to the end; one query"),
        ("returned", IDLE, "undecided", "the application kept it"),
        ("returned", SLOW.assign(pid=18), "undecided", "no snapshot of its session"),
        (
            "returned",
            SLOW.assign(timestamp=SLOW["timestamp"] + pd.Timedelta("2h")),
            "undecided",
            "no snapshot of its session",
        ),
    ],
)
def test_causes_are_told_apart(
    outcome: str | None, activity: pd.DataFrame | None, cause: str, said: str
) -> None:
    (found,) = find_held(checkout(outcome), 30, activity).to_dict("records")
    assert found["cause"] == cause
    assert said in found["evidence"]


def test_only_what_was_held_so_long_is_found() -> None:
    rows = pd.concat([checkout("returned", s) for s in (29.9, 30.0, 99.0)])
    found = find_held(rows, 30)
    assert found["held_s"].tolist() == [99.0, 30.0]
    assert HELD.check(found)["holder"].tolist() == ["app.py:3 work"] * 2
    empty = find_held(CHECKOUTS.empty())
    assert HELD.check(empty).empty
    with pytest.raises(SettingError, match="from 0 on; -1 came"):
        find_held(rows, -1)


rows_of = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from([*OUTCOMES, None]),
        st.one_of(st.none(), st.floats(0, 1e4)),
        st.one_of(st.none(), st.floats(0, 10)),
    ),
    max_size=40,
)


@given(rows_of)
def test_figures_are_those_of_a_loop(
    rows: list[tuple[str | None, str | None, float | None, float | None]],
) -> None:
    frame = CHECKOUTS.build(
        {
            "checkout_id": [str(n) for n in range(len(rows))],
            "pool": ["p"] * len(rows),
            "checked_out_at": [START] * len(rows),
            "operation": [row[0] for row in rows],
            "outcome": [row[1] for row in rows],
            "held_s": [row[2] for row in rows],
            "wait_s": [row[3] for row in rows],
        }
    )
    table = HOLDS.check(count_holds(frame)).set_index("name")
    assert set(table.index) == {row[0] or "unattributed" for row in rows}
    assert int(table["checkouts"].sum()) == len(rows)
    total = sum(row[2] or 0 for row in rows)
    for name, found in table.iterrows():
        own = [row for row in rows if (row[0] or "unattributed") == name]
        assert found["checkouts"] == len(own)
        assert found["leaked"] == sum(row[1] == "garbage_collected" for row in own)
        assert found["open"] == sum(row[1] == "held" for row in own)
        for place, kind in ((2, "hold"), (3, "wait")):
            values = [row[place] for row in own if row[place] is not None]
            for q, label in ((50, "p50"), (95, "p95"), (100, "max")):
                value = found[f"{kind}_{label}_s"]
                if values:
                    assert value == pytest.approx(np.percentile(values, q))
                else:
                    assert np.isnan(value)
        assert found["leak_low"] <= found["leak_rate"] <= found["leak_high"]
        if total:
            share = sum(row[2] or 0 for row in own) / total
            assert found["held_share"] == pytest.approx(share)


def test_other_names_and_wrong_ones() -> None:
    rows = checkout("returned")
    assert count_holds(rows, by="holder")["name"].tolist() == ["app.py:3 work"]
    assert count_holds(rows, by="pool")["name"].tolist() == ["app"]
    assert count_holds(rows)["name"].tolist() == ["unattributed"]
    with pytest.raises(SettingError, match=r"by='operations' is none of.*operation"):
        count_holds(rows, by="operations")


def test_whose_lock_a_query_waited_for_is_said() -> None:
    waiting = SLOW.assign(wait_event_type="Lock", blocked_by="23")
    row = find_held(checkout("returned"), 30, waiting).iloc[0]
    assert row["cause"] == "slow_query"
    assert row["evidence"].endswith(
        "s, and waited for a lock of pid 23 in 3 of 3 (3 snapshots)"
    )
    unknown = SLOW.assign(wait_event_type=["Lock", None, None])
    said = find_held(checkout("returned"), 30, unknown)["evidence"][0]
    assert "and waited for a lock in 1 of 3 (" in said
