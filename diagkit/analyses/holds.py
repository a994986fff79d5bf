"""How long connections are held: which too long and why, and which operations do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.rates import bound_share
from diagkit.errors import SettingError, suggest
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.holds import HELD, HOLDS, UNATTRIBUTED
from diagkit.frames.pool import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterator

# One thing that takes so much of a hold is what the hold was for.
MOST = 0.5
BY = ("operation", "holder", "pool")
LEAKED = "garbage_collected"


def name_places(holders: pd.Series) -> pd.Series:
    """Leave the line out of holders: a function stays the same when lines are added.

    Parameters
    ----------
    holders
        As in CHECKOUTS: file:line function.

    Returns
    -------
    pandas.Series
        File and function.

    Examples
    --------
    >>> name_places(pd.Series(["app/tiles.py:12 load"])).tolist()
    ['app/tiles.py load']
    """
    return holders.str.replace(r":\d+ ", " ", n=1, regex=True)


def find_held(
    checkouts: pd.DataFrame,
    longer_than_s: float = 30,
    activity: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find connections that were held too long, and say why.

    What the process knows is who asked, for how long, and how it ended. A slow query
    and a long transaction look alike from there: `pg_stat_activity` tells them apart.
    What nothing tells is ``undecided``, and the evidence says what is missing.

    Parameters
    ----------
    checkouts
        CHECKOUTS.
    longer_than_s
        Held for at least so many seconds.
    activity
        ACTIVITY of the same server and time, by `read_activity` or `sample_activity`;
        ``CHECKOUTS.connection`` is the process id there.

    Returns
    -------
    pandas.DataFrame
        HELD, the longest first. ``cause`` is ``leak`` where the garbage collector found
        the connection, or where it is out to the end and its session does nothing;
        ``slow_query`` where one query ran for half of the time or more;
        ``long_transaction`` where one transaction was open for as long and no query
        was; else ``undecided``.

    Raises
    ------
    ContractError
        If a frame is none of its contract.
    SettingError
        If `longer_than_s` is negative.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-11-24 10:00", "2025-11-24 10:01"], utc=True)
    >>> rows = CHECKOUTS.build({"checkout_id": ["1-1", "1-2"], "pool": "app",
    ...     "checked_out_at": at, "held_s": [45.0, 0.2],
    ...     "outcome": ["garbage_collected", "returned"]})
    >>> find_held(rows)[["checkout_id", "held_s", "cause"]].values.tolist()
    [['1-1', 45.0, 'leak']]
    """
    CHECKOUTS.check(checkouts)
    if not longer_than_s >= 0:
        msg = f"longer_than_s is a number of seconds from 0 on; {longer_than_s} came"
        raise SettingError(msg)
    long = checkouts[checkouts["held_s"] >= longer_than_s]
    sessions = None if activity is None else _Sessions(ACTIVITY.check(activity))
    judged = [_judge(row, longer_than_s, sessions) for row in _rows(long)]
    columns = {name: long[name] for name in HELD.names if name in long.columns}
    columns["cause"] = pd.Series([cause for cause, _ in judged], long.index, dtype=str)
    columns["evidence"] = pd.Series([why for _, why in judged], long.index, dtype=str)
    found = HELD.build(columns)
    return found.sort_values(
        ["held_s", "checked_out_at"], ascending=[False, True], kind="stable"
    ).reset_index(drop=True)


def count_holds(checkouts: pd.DataFrame, by: str = "operation") -> pd.DataFrame:
    """Count checkouts, how long they last, how long they wait, and how many leak.

    Parameters
    ----------
    checkouts
        CHECKOUTS.
    by
        ``operation``, ``holder`` or ``pool``.

    Returns
    -------
    pandas.DataFrame
        HOLDS, a row a name, those that leak most first. Checkouts that are ``open``
        count with the time that they were seen to be held, so that the figures of
        such a row are the least that they can be. Checkouts without a name are the row
        ``unattributed``. ``leak_low`` and ``leak_high`` are Clopper and Pearson's.

    Raises
    ------
    ContractError
        If `checkouts` is no CHECKOUTS frame.
    SettingError
        If `by` is something else.

    Examples
    --------
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2", "3"], "pool": "app",
    ...     "checked_out_at": pd.Timestamp("2025-11-24 10:00", tz="UTC"),
    ...     "operation": ["GET /tiles", "GET /tiles", None], "held_s": [0.5, 1.5, 9.0],
    ...     "outcome": ["returned", "garbage_collected", "held"]})
    >>> count_holds(rows)[["name", "checkouts", "open", "leaked"]].values.tolist()
    [['GET /tiles', 2, 0, 1], ['unattributed', 1, 1, 0]]
    """
    CHECKOUTS.check(checkouts)
    if by not in BY:
        msg = f"by={by!r} is none of {', '.join(BY)}{suggest(str(by), BY)}"
        raise SettingError(msg)
    rows = checkouts.assign(name=checkouts[by].fillna(UNATTRIBUTED))
    outcome = rows["outcome"].astype("str")
    rows = rows.assign(leaked=outcome == LEAKED, open=outcome == "held")
    groups = rows.groupby("name", sort=True)
    table = groups.agg(
        checkouts=("name", "size"),
        open=("open", "sum"),
        leaked=("leaked", "sum"),
        held=("held_s", "sum"),
    )
    for name in ("hold", "wait"):
        times = groups["held_s" if name == "hold" else "wait_s"]
        table[f"{name}_p50_s"] = times.quantile(0.5)
        table[f"{name}_p95_s"] = times.quantile(0.95)
        table[f"{name}_max_s"] = times.max()
    total = float(table["held"].sum())
    table["held_share"] = table["held"] / total if total else np.nan
    table["leak_rate"] = table["leaked"] / table["checkouts"]
    bounds = [
        bound_share(int(part), int(whole))
        for part, whole in zip(table["leaked"], table["checkouts"], strict=True)
    ]
    table["leak_low"] = [low for low, _ in bounds]
    table["leak_high"] = [high for _, high in bounds]
    table = table.reset_index().sort_values(
        ["leaked", "held"], ascending=False, kind="stable"
    )
    return HOLDS.conform(table.drop(columns="held")).reset_index(drop=True)


@dataclass(frozen=True)
class _Held:
    """A checkout that was held too long."""

    connection: Any
    outcome: str
    start: pd.Timestamp
    held_s: float


@dataclass(frozen=True)
class _Seen:
    """What the server said of a session while one checkout had it; seconds."""

    snapshots: int
    query_s: float
    transaction_s: float
    still_s: float
    last: str
    waited: str


class _Sessions:
    """Snapshots of each session, in order of time."""

    def __init__(self, activity: pd.DataFrame) -> None:
        ordered = activity.sort_values("timestamp", kind="stable")
        self._of = dict(iter(ordered.groupby(ordered["pid"].astype("str"))))

    def during(self, held: _Held) -> _Seen | None:
        rows = self._of.get(str(held.connection))
        if rows is None:
            return None
        end = held.start + pd.Timedelta(seconds=held.held_s)
        rows = rows[rows["timestamp"].between(held.start, end)]
        if rows.empty:
            return None
        state = rows["state"].astype("str")
        last = rows.iloc[-1]
        return _Seen(
            len(rows),
            _longest(rows[state == "active"], "query_start", held.start),
            _longest(rows, "xact_start", held.start),
            _seconds(end - last["state_change"]) if last["state"] != "active" else 0.0,
            str(last["state"]),
            _locks(rows),
        )


def _locks(rows: pd.DataFrame) -> str:
    """Say for whose lock a session waited; empty where for none."""
    waits = rows[rows["wait_event_type"].astype("str") == "Lock"]
    if waits.empty:
        return ""
    pids = waits["blocked_by"].dropna().mode()
    whose = f" of pid {pids.iloc[0].replace(' ', ', ')}" if len(pids) else ""
    return f", and waited for a lock{whose} in {len(waits)} of {len(rows)}"


def _longest(rows: pd.DataFrame, began: str, start: pd.Timestamp) -> float:
    """Return how long the longest query or transaction was seen to last."""
    since = rows[began].where(rows[began].isna() | (rows[began] > start), start)
    return _seconds((rows["timestamp"] - since).max())


def _seconds(length: Any) -> float:
    return 0.0 if pd.isna(length) else max(0.0, length.total_seconds())


def _rows(long: pd.DataFrame) -> Iterator[_Held]:
    names = ("connection", "outcome", "checked_out_at", "held_s")
    for connection, outcome, start, held_s in zip(
        *(long[name] for name in names), strict=True
    ):
        yield _Held(connection, str(outcome), start, held_s)


def _judge(
    held: _Held, longer_than_s: float, sessions: _Sessions | None
) -> tuple[str, str]:
    """Say why a connection was held, and what says so."""
    if held.outcome == LEAKED:
        return "leak", "the garbage collector found it; nobody returned it"
    out = held.outcome == "held"
    ended = "it is out to the end" if out else f"it was {held.outcome}"
    if held.outcome == "nan":
        ended = "its end was not recorded"
    if sessions is None:
        return "undecided", f"{ended}; pg_stat_activity would tell what it waited for"
    seen = sessions.during(held)
    if seen is None:
        return "undecided", f"{ended}; no snapshot of its session in that time"
    times = f"{seen.snapshots} snapshots" if seen.snapshots != 1 else "1 snapshot"
    if seen.query_s >= MOST * held.held_s:
        return (
            "slow_query",
            f"{ended}; one query ran for {seen.query_s:.1f} s{seen.waited} ({times})",
        )
    if out and seen.still_s >= max(longer_than_s, MOST * held.held_s):
        return "leak", (
            f"{ended}; its session was {seen.last!r} and did nothing in the last "
            f"{seen.still_s:.1f} s ({times})"
        )
    if seen.transaction_s >= MOST * held.held_s:
        return "long_transaction", (
            f"{ended}; one transaction was open for {seen.transaction_s:.1f} s, no "
            f"query for more than {seen.query_s:.1f} s ({times})"
        )
    return "undecided", (
        f"{ended}; no transaction was open for more than {seen.transaction_s:.1f} s: "
        f"the application kept it and did something else ({times})"
    )
