from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.reconciliation import reconcile
from diagkit.errors import ContractError, SettingError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.frames.reconciliation import DISCREPANCIES, LEDGERS

START = pd.Timestamp("2025-11-24T10:00Z")


def at(second: float | None) -> Any:
    return pd.NaT if second is None else START + pd.Timedelta(seconds=second)


def make_checkouts(rows: list[tuple[str, float, float | None, Any]]) -> pd.DataFrame:
    """Rows of connection, from, to (NaN: to 100) and outcome."""
    return CHECKOUTS.build(
        {
            "checkout_id": [f"1-{n}" for n in range(1, len(rows) + 1)],
            "pool": "app",
            "connection": [row[0] for row in rows],
            "checked_out_at": pd.Series([at(row[1]) for row in rows], dtype=object),
            "checked_in_at": [at(r[2]) if r[3] == "returned" else None for r in rows],
            "held_s": [(100.0 if r[2] is None else r[2]) - r[1] for r in rows],
            "holder": "app/tiles.py:7 load",
            "outcome": pd.Categorical([row[3] for row in rows]),
        }
    )


def make_pool(rows: list[tuple[float, int]], name: str = "metrics") -> pd.DataFrame:
    return POOL.build(
        {
            "timestamp": [at(row[0]) for row in rows],
            "pool": name,
            "checked_out": [row[1] for row in rows],
        }
    )


def make_activity(
    rows: list[tuple[float, int, str, float | None]], started: float | None = -60
) -> pd.DataFrame:
    """Rows of time, pid, state and the transaction's start."""
    return ACTIVITY.build(
        {
            "timestamp": [at(row[0]) for row in rows],
            "pid": [row[1] for row in rows],
            "state": [row[2] for row in rows],
            "xact_start": [at(row[3]) for row in rows],
            "backend_start": [at(started)] * len(rows),
        }
    )


IDLE = "idle in transaction"


@pytest.mark.parametrize(
    ("checkouts", "activity", "verdicts"),
    [
        ([("7", 0, 5, "returned")], [(9, 7, "idle", None)], []),
        ([("7", 0, 5, "garbage_collected")], [(9, 7, "idle", None)], ["leaked"]),
        (
            [("7", 0, 5, "garbage_collected")],
            [(9, 7, IDLE, 1.0)],
            ["leaked", "stranded"],
        ),
        # Its transaction began after the process had let go: somebody else's.
        ([("7", 0, 5, "detached")], [(9, 7, IDLE, 8.0)], []),
        ([("7", 0, 5, "detached")], [(9, 7, IDLE, 4.0)], ["stranded"]),
        # Its number was given to another session meanwhile.
        ([("7", -99, -90, "garbage_collected")], [(9, 7, IDLE, -95.0)], ["leaked"]),
        # It is out again: of an earlier return nothing follows.
        ([("7", 0, 5, "returned"), ("7", 6, 30, "returned")], [(9, 7, IDLE, 6.1)], []),
        # A snapshot that is as good as simultaneous decides nothing.
        ([("7", 0, 5, "returned")], [(5.5, 7, IDLE, 0.0)], []),
        ([("7", 0, 5, "invalidated")], [(9, 7, "idle", None)], ["stranded"]),
        ([("7", 0, None, "held")], [(99, 7, IDLE, 0.0)], ["leaked"]),
        ([("7", 0, None, "held")], [(99, 7, "active", 0.0)], []),
        ([("7", 90, None, "held")], [(99, 7, IDLE, 90.0)], []),
        # The process says no more, the server does.
        ([("7", 90, None, "held")], [(199, 7, IDLE, 90.0)], ["leaked"]),
        ([("7", 0, 5, None)], [(9, 7, IDLE, 1.0)], []),
        ([("8", 0, 5, "returned")], [(9, 7, IDLE, 1.0)], []),
    ],
)
def test_verdicts_of_server_and_process(
    checkouts: Any, activity: Any, verdicts: list[str]
) -> None:
    found = reconcile(make_checkouts(checkouts), POOL.empty(), make_activity(activity))
    DISCREPANCIES.check(found.discrepancies)
    assert found.discrepancies["verdict"].tolist() == verdicts


def test_the_words_of_a_stranded_session() -> None:
    rows = make_checkouts([("7", 0, 5, "garbage_collected")])
    seen = make_activity([(9, 7, IDLE, 1.0), (15, 7, IDLE, 1.0), (20, 9, "idle", None)])
    found = reconcile(rows, POOL.empty(), seen)
    row = found.discrepancies.iloc[1]
    assert row["evidence"] == (
        "garbage_collected in the process; 10.0 s later the server's session 7 was "
        "still idle in transaction"
    )
    assert (row["since"], row["holder"]) == (at(5), "app/tiles.py:7 load")
    # In the snapshot of second 20 it is gone.
    assert row["until"] == at(15)
    assert found.counts == {"leaked": 1, "stranded": 1, "phantom": 0}
    assert str(found).startswith("1 leaked by the application, 1 stranded on the serv")


def test_ledgers_stand_side_by_side() -> None:
    rows = make_checkouts([("7", 0, 5, "returned"), ("8", 2, 20, "returned")])
    pool = make_pool([(1, 1), (3, 2), (10, 1)])
    seen = make_activity([(3.5, 7, IDLE, 0), (3.5, 8, "idle", None), (12, 8, IDLE, 2)])
    ledgers = LEDGERS.check(reconcile(rows, pool, seen).ledgers)
    figures = ledgers.drop(columns=["timestamp", "pool"]).astype("object")
    assert figures.where(figures.notna(), None).to_numpy().tolist() == [
        [1, 1, None, None],
        [2, 2, None, None],
        [2, 2, 2, 1],
        [1, 1, None, None],
        [1, 1, 1, 1],
    ]
    assert set(ledgers["pool"]) == {"app"}


@pytest.mark.parametrize(
    ("metrics", "since"),
    [
        ([(1, 1), (10, 0), (20, 0)], []),
        ([(1, 1), (10, 1), (20, 1)], [10]),
        ([(1, 1), (10, 1), (20, 2), (30, 2)], [10, 20]),
        # It went away again: late, but no phantom.
        ([(1, 1), (10, 1), (20, 0), (30, 0)], []),
        # One sample alone may have been taken in between.
        ([(1, 1), (10, 0), (20, 1)], []),
        ([(1, 1)], []),
        # As good as simultaneous with the return.
        ([(1, 1), (5.5, 1), (20, 0), (30, 0)], []),
    ],
)
def test_phantoms_do_not_go_away(metrics: Any, since: list[float]) -> None:
    rows = make_checkouts([("7", 0, 5, "returned")])
    found = reconcile(rows, make_pool(metrics)).discrepancies
    assert found["since"].tolist() == [at(second) for second in since]
    assert set(found["verdict"]) <= {"phantom"}


def test_what_was_out_before_is_undecided() -> None:
    rows = make_checkouts([("7", 0, 5, "returned")])
    found = reconcile(rows, make_pool([(1, 3), (10, 2), (20, 3), (30, 3)]))
    assert found.counts["phantom"] == 1
    assert found.undecided == (
        "pool 'metrics': 2 out before the first checkout was recorded; taken by "
        "somebody, or phantoms".replace("metrics", "app"),
    )


def test_what_cannot_be_known_is_told() -> None:
    rows = make_checkouts([("7", 0, 5, None), ("8", 0, None, "held")])
    pool = pd.concat([make_pool([(1, 1)], "app"), make_pool([(1, 1)], "other")])
    assert reconcile(rows, pool).undecided == (
        "pool 'other': no checkout is recorded of it",
        "checkout 1-2 was held for 100.0 s; no snapshot of the server says whether it "
        "was at work",
        "1 checkouts whose end was not recorded",
    )


def test_nothing_to_reconcile() -> None:
    found = reconcile(CHECKOUTS.empty(), POOL.empty(), ACTIVITY.empty())
    assert len(found.ledgers) == len(found.discrepancies) == 0
    assert found.undecided == ()


def test_other_frames_and_settings_are_refused() -> None:
    with pytest.raises(ContractError, match="not a CHECKOUTS frame"):
        reconcile(POOL.empty(), POOL.empty())
    with pytest.raises(SettingError, match="at least 0; -1 came"):
        reconcile(CHECKOUTS.empty(), POOL.empty(), held_longer_than_s=-1)


@pytest.mark.slow
@given(
    spans=st.lists(
        st.tuples(
            st.integers(0, 50),
            st.integers(0, 50),
            st.sampled_from(["returned", "held", "garbage_collected", "detached"]),
        ),
        min_size=1,
        max_size=12,
    ),
    times=st.lists(st.integers(0, 110), min_size=1, max_size=8, unique=True),
)
def test_the_process_column_is_a_count(spans: Any, times: list[int]) -> None:
    rows = [
        (str(n), begin, None if how == "held" else begin + took, how)
        for n, (begin, took, how) in enumerate(spans)
    ]
    ledgers = reconcile(
        make_checkouts(rows), make_pool([(time, 0) for time in sorted(times)])
    ).ledgers
    expected = [
        sum(begin <= time and (end is None or time < end) for _, begin, end, _ in rows)
        for time in sorted(times)
    ]
    assert ledgers["process"].tolist() == expected
