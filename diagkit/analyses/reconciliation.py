"""Process, pool and server side by side: whose figure of open connections is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from diagkit.errors import SettingError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.pool import ACTIVITY, POOL
from diagkit.frames.reconciliation import (
    DISCREPANCIES,
    LEDGERS,
    VERDICTS,
    Reconciliation,
)

Row = Mapping[Any, Any]
# How far the clocks of two ledgers may be apart, and a snapshot behind an event.
SLACK = pd.Timedelta("1s")
# States of a session that is in a transaction.
BUSY = (
    "active",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
)


def reconcile(
    checkouts: pd.DataFrame,
    pool: pd.DataFrame,
    activity: pd.DataFrame | None = None,
    held_longer_than_s: float = 30.0,
) -> Reconciliation:
    """Set what process, pool and server say of the same connections side by side.

    Parameters
    ----------
    checkouts
        CHECKOUTS: what the process did.
    pool
        POOL: what the pool's metrics said. Where there is one pool in each of the two
        frames, their names may differ.
    activity
        ACTIVITY: snapshots of the server's sessions. A session is known by a checkout
        of its ``pid``; others are left alone.
    held_longer_than_s
        A checkout that is open at the end is called leaked only when it has been for
        so long and no snapshot of that time shows it at work.

    Returns
    -------
    Reconciliation
        ``leaked``: a checkout that the application did not return. ``stranded``: a
        session in a transaction, or of an invalidated connection, that the server
        keeps while nobody in the process has it. ``phantom``: one that the metrics
        count as out since a moment from which no checkout is open for it, to the end.

    Raises
    ------
    ContractError
        If a frame is not of its contract.
    SettingError
        If `held_longer_than_s` is below 0.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-11-24T10:00Z", "2025-11-24T10:01Z"])
    >>> rows = CHECKOUTS.build({
    ...     "checkout_id": ["1-1"], "pool": "app", "checked_out_at": at[:1],
    ...     "held_s": 2.5, "holder": "app/tiles.py:7 load",
    ...     "outcome": "garbage_collected"})
    >>> samples = POOL.build({"timestamp": at, "pool": "app", "checked_out": [1, 0]})
    >>> print(reconcile(rows, samples))
    1 leaked by the application, 0 stranded on the server, 0 phantom in the metrics
    """
    CHECKOUTS.check(checkouts)
    POOL.check(pool)
    activity = ACTIVITY.empty() if activity is None else ACTIVITY.check(activity)
    if held_longer_than_s < 0:
        msg = f"held_longer_than_s is at least 0; {held_longer_than_s} came"
        raise SettingError(msg)
    spans = _spans(checkouts)
    pool, undecided = _same_names(spans, pool)
    sessions = _sessions(spans, activity)
    ledgers = [
        _ledger(str(name), own, pool[pool["pool"] == name], sessions, activity)
        for name, own in spans.groupby("pool", sort=True)
    ]
    rows = _leaked(spans, sessions, pd.Timedelta(seconds=held_longer_than_s), undecided)
    rows += _stranded(spans, sessions, activity["timestamp"].max())
    for ledger in ledgers:
        rows += _phantoms(ledger, undecided)
    missing = int(spans["end_unknown"].sum())
    if missing:
        undecided.append(f"{missing} checkouts whose end was not recorded")
    found = DISCREPANCIES.build(
        {name: [row.get(name) for row in rows] for name in DISCREPANCIES.names}
    )
    found["verdict"] = pd.Categorical(found["verdict"], categories=VERDICTS)
    sides = pd.concat(ledgers, ignore_index=True) if ledgers else LEDGERS.empty()
    return Reconciliation(
        LEDGERS.conform(sides[LEDGERS.names]).sort_values(
            ["timestamp", "pool"], kind="stable", ignore_index=True
        ),
        found.sort_values(["verdict", "since"], kind="stable", ignore_index=True),
        tuple(undecided),
    )


def _spans(checkouts: pd.DataFrame) -> pd.DataFrame:
    """Return checkouts with their ``end``; NaT while they are held."""
    spans = checkouts.copy()
    took = pd.to_timedelta(spans["held_s"], unit="s").astype("timedelta64[us]")
    held = (spans["outcome"] == "held").fillna(False).astype(bool)
    spans["end"] = (spans["checked_out_at"] + took).where(~held)
    # Its own time stands where there is one: a wall clock may have been set.
    spans["end"] = spans["checked_in_at"].fillna(spans["end"])
    spans["seen_until"] = (spans["checked_out_at"] + took).where(held, spans["end"])
    spans["end_unknown"] = spans["outcome"].isna()
    # Of an unknown end nothing follows but that it was there for a moment.
    spans["end"] = spans["end"].where(~spans["end_unknown"], spans["checked_out_at"])
    return spans


def _same_names(
    spans: pd.DataFrame, pool: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    ours, theirs = set(spans["pool"]), set(pool["pool"])
    if len(ours) == len(theirs) == 1 and ours != theirs:
        return pool.assign(pool=next(iter(ours))), []
    strange = sorted(theirs - ours) if ours else []
    return pool, [f"pool {name!r}: no checkout is recorded of it" for name in strange]


def _sessions(spans: pd.DataFrame, activity: pd.DataFrame) -> pd.DataFrame:
    """Return the snapshots of sessions that checkouts tell of, a row a snapshot.

    Each has the checkout that came last before it (``position``): a server gives the
    number of a session that has ended to another one.
    """
    seen = activity.copy()
    seen["connection"] = seen["pid"].astype("str")
    seen["in_transaction"] = seen["xact_start"].notna() | seen["state"].isin(BUSY)
    taken = spans[["connection", "checked_out_at", "pool"]].copy()
    taken["position"] = range(len(taken))
    taken = taken[taken["connection"].notna()].sort_values("checked_out_at")
    joined = pd.merge_asof(
        seen.sort_values("timestamp", kind="stable"),
        taken,
        left_on="timestamp",
        right_on="checked_out_at",
        by="connection",
    )
    joined = joined[joined["position"].notna()]
    started = joined["backend_start"]
    same = started.isna() | (started <= joined["checked_out_at"] + SLACK)
    joined = joined[same]
    return joined.assign(position=joined["position"].astype("int64"))


def _ledger(
    name: str,
    spans: pd.DataFrame,
    pool: pd.DataFrame,
    sessions: pd.DataFrame,
    activity: pd.DataFrame,
) -> pd.DataFrame:
    times = pd.concat([pool["timestamp"], activity["timestamp"]])
    times = times.drop_duplicates().sort_values(ignore_index=True)
    rows = pd.DataFrame({"timestamp": times, "pool": name})
    rows["process"], rows["least"], rows["most"] = _open_at(spans, times)
    said = pool[pool["checked_out"].notna()].sort_values("timestamp", kind="stable")
    said = said.drop_duplicates("timestamp", keep="last")
    rows["sampled"] = rows["timestamp"].isin(said["timestamp"])
    rows = pd.merge_asof(rows, said[["timestamp", "checked_out"]], on="timestamp")
    rows = rows.rename(columns={"checked_out": "metrics"})
    own = sessions[sessions["pool"] == name].groupby("timestamp")
    snapshot = rows["timestamp"].isin(activity["timestamp"])
    for column, counted in (
        ("server", own["pid"].nunique()),
        ("in_transaction", own["in_transaction"].sum()),
    ):
        figures = rows["timestamp"].map(counted).fillna(0).astype("Int64")
        rows[column] = figures.where(snapshot)
    return rows


def _open_at(spans: pd.DataFrame, times: pd.Series) -> tuple[Any, Any, Any]:
    """Count what is open at times, and the least and most within `SLACK` of them."""
    steps = pd.concat(
        [
            pd.Series(1, spans["checked_out_at"]),
            pd.Series(-1, pd.DatetimeIndex(spans["end"].dropna())),
        ]
    )
    steps = steps.groupby(level=0).sum()
    known = pd.DatetimeIndex(steps.index)
    # One more at the end, since the ranges below are half-open.
    counts = np.concatenate([[0], steps.cumsum().to_numpy(), [0]]).astype("int64")
    low = known.searchsorted(pd.DatetimeIndex(times - SLACK), "right")
    high = known.searchsorted(pd.DatetimeIndex(times + SLACK), "right") + 1
    ranges = np.column_stack([low, high]).ravel()
    if not len(ranges):
        return 0, 0, 0
    return (
        counts[known.searchsorted(pd.DatetimeIndex(times), "right")],
        np.minimum.reduceat(counts, ranges)[::2],
        np.maximum.reduceat(counts, ranges)[::2],
    )


def _leaked(
    spans: pd.DataFrame,
    sessions: pd.DataFrame,
    longest: pd.Timedelta,
    undecided: list[str],
) -> list[Row]:
    rows = []
    for row in spans[spans["outcome"] == "garbage_collected"].to_dict("records"):
        why = f"found by the garbage collector after {row['held_s']:.1f} s"
        rows.append(_row("leaked", row, row["checked_out_at"], row["end"], why))
    for position, row in enumerate(spans.to_dict("records")):
        if row["outcome"] != "held":
            continue
        latest = row["seen_until"]
        seen = sessions[sessions["position"] == position]
        if len(seen):
            latest = max(latest, seen["timestamp"].max())
        took = latest - row["checked_out_at"]
        if not took > longest:
            continue
        seconds = took.total_seconds()
        if seen.empty:
            undecided.append(
                f"checkout {row['checkout_id']} was held for {seconds:.1f} s; no "
                "snapshot of the server says whether it was at work"
            )
            continue
        lately = seen.loc[seen["timestamp"] > latest - longest, "state"]
        if (lately == "active").any():
            continue
        state = seen["state"].iloc[-1]
        why = f"held for {seconds:.1f} s; the server's session is {state}"
        rows.append(_row("leaked", row, row["checked_out_at"], None, why))
    return rows


def _stranded(
    spans: pd.DataFrame, sessions: pd.DataFrame, final: pd.Timestamp
) -> list[Row]:
    rows = []
    every = spans.to_dict("records")
    for position, seen in sessions.groupby("position"):
        row = every[int(str(position))]
        end = row["end"]
        if pd.isna(end) or row["end_unknown"]:
            continue
        after = seen[seen["timestamp"] > end + SLACK]
        # What began later was begun by somebody else's hand.
        began = after["xact_start"].fillna(after["query_start"])
        kept = after["in_transaction"] & ~(began > end + SLACK)
        if row["outcome"] == "invalidated":
            kept = kept | True
        after = after[kept]
        if after.empty:
            continue
        last = after.iloc[-1]
        until = None if last["timestamp"] >= final - SLACK else last["timestamp"]
        state = "present" if pd.isna(last["state"]) else last["state"]
        seconds = (last["timestamp"] - end).total_seconds()
        why = (
            f"{row['outcome']} in the process; {seconds:.1f} s later the server's "
            f"session {last['pid']} was still {state}"
        )
        rows.append(_row("stranded", row, end, until, why))
    return rows


def _phantoms(ledger: pd.DataFrame, undecided: list[str]) -> list[Row]:
    """Find what the metrics count for ever: a phantom does not go away again."""
    told = ledger[ledger["sampled"]]
    if len(told) < 2:
        return []
    name = str(told["pool"].iloc[0])
    # What has not gone away is at least what it once surely was, and at most what it
    # may have been at any time since.
    surely = (told["metrics"] - told["most"]).astype("int64").cummax()
    maybe = (told["metrics"] - told["least"]).astype("int64")[::-1].cummin()[::-1]
    lasting = surely.where(surely < maybe, maybe).clip(lower=0)
    # One sample alone may be wrong: the last two must agree.
    lasting.iloc[-1] = lasting.iloc[-2]
    first = int(lasting.iloc[0])
    if first:
        undecided.append(
            f"pool {name!r}: {first} out before the first checkout was "
            "recorded; taken by somebody, or phantoms"
        )
    rows = []
    for level in range(first + 1, int(lasting.max()) + 1):
        since = told["timestamp"].iloc[int((lasting >= level).to_numpy().argmax())]
        why = (
            f"the metrics say {int(told['metrics'].iloc[-1])} out at the end, the "
            f"process has {int(told['process'].iloc[-1])}"
        )
        rows.append(_row("phantom", {"pool": name}, since, None, why))
    return rows


def _row(verdict: str, row: Row, since: Any, until: Any, evidence: str) -> Row:
    same = ("pool", "connection", "holder", "operation", "checkout_id")
    return {
        "verdict": verdict,
        **{name: row.get(name) for name in same},
        "since": since,
        "until": until,
        "evidence": evidence,
    }
