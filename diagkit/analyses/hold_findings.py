"""Findings about recorded checkouts: which line loses connections, which keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.analyses.cadence import find_cadence
from diagkit.analyses.holds import LEAKED, count_holds, find_held, name_places
from diagkit.analyses.onset import find_onset
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.holds import UNATTRIBUTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

# Held for longer than this, a connection is worth a look.
LONGER_THAN_S = 30.0
_REMEDIES = {
    "slow_query": "Look at the query's plan, and at what it waits for.",
    "long_transaction": "Commit before anything that waits for somebody else: another "
    "service, a lock, a user.",
    "leak": "Return the connection: `with engine.connect()`, or `finally`.",
    "undecided": "Record the server's sessions too: diagkit pool record.",
}
_SAID = {
    "slow_query": "a slow query",
    "long_transaction": "a long transaction",
    "leak": "never given back",
    "undecided": "why, nothing tells",
}


def check_holds(
    checkouts: pd.DataFrame, activity: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Report the lines that lost connections, and those that kept them for long.

    Parameters
    ----------
    checkouts
        CHECKOUTS.
    activity
        ACTIVITY, which tells a slow query from a long transaction.

    Returns
    -------
    pandas.DataFrame
        FINDINGS: ``recorded_leak`` for each function that left connections to the
        garbage collector, with their number, share, operations, cadence and onset;
        ``connection_held`` for each holder and cause that kept one for more than half a
        minute.

    Raises
    ------
    ContractError
        If a frame is none of its contract.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": pd.Timestamp("2025-11-24 10:00", tz="UTC"),
    ...     "holder": "app/tiles.py:12 load", "held_s": [0.5, 45.0],
    ...     "outcome": ["garbage_collected", "returned"]})
    >>> for summary in check_holds(rows)["summary"]:
    ...     print(summary)
    app/tiles.py:12 load left 1 of 2 connections to the garbage collector (1 % to 99 %)
    app/tiles.py:12 load kept 1 connection, the longest for 45 s: why, nothing tells
    """
    CHECKOUTS.check(checkouts)
    return build_findings([*_leaks(checkouts), *_held(checkouts, activity)])


def group_lost(checkouts: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Group the checkouts that were lost by who lost them.

    Parameters
    ----------
    checkouts
        CHECKOUTS.

    Yields
    ------
    tuple of str and pandas.DataFrame
        The holder, as findings name it, and its rows.
    """
    lost = checkouts[checkouts["outcome"].astype("str") == LEAKED]
    by = name_places(checkouts["holder"]).fillna(UNATTRIBUTED).loc[lost.index]
    for name, rows in lost.groupby(by):
        yield str(name), rows


def name_lost(holder: str) -> str:
    """Return what the finding on a holder's lost connections is about.

    Parameters
    ----------
    holder
        As `group_lost` names it.

    Returns
    -------
    str
        The subject that its id is made of.
    """
    return f"holder {holder}"


def _leaks(checkouts: pd.DataFrame) -> Iterator[Finding]:
    places = checkouts.assign(holder=name_places(checkouts["holder"]))
    table = count_holds(places, by="holder")
    table[["low", "high"]] = 100 * table[["leak_low", "leak_high"]]
    parts = dict(group_lost(checkouts))
    for row in table[table["leaked"] > 0].itertuples():
        name = str(row.name)
        every = checkouts[places["holder"].fillna(UNATTRIBUTED) == name]
        own = parts[name]
        operations = own["operation"].fillna(UNATTRIBUTED).value_counts()
        said = ", ".join(f"{n} in {what}" for what, n in operations.head(3).items())
        cadence, onset = find_cadence(own), find_onset(every)
        more = [] if cadence.period_s is None else [cadence.conclusion]
        more += [] if onset.at is None else [onset.conclusion]
        first, last = own["checked_out_at"].min(), own["checked_out_at"].max()
        lines = own["holder"].fillna(UNATTRIBUTED).drop_duplicates().sort_values()
        yield Finding(
            code="recorded_leak",
            subject=name_lost(name),
            area="code",
            severity="high",
            summary=f"{' and '.join(lines)} left {row.leaked} of {row.checkouts} "
            f"connections to the garbage collector ({row.low:.0f} % to "
            f"{row.high:.0f} %)",
            evidence="; ".join(
                [said, f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC", *more]
            ),
            remedy=_REMEDIES["leak"],
        )


def _held(checkouts: pd.DataFrame, activity: pd.DataFrame | None) -> Iterator[Finding]:
    held = find_held(checkouts, LONGER_THAN_S, activity)
    held = held[held["outcome"].astype("str") != LEAKED]
    named = held.assign(holder=held["holder"].fillna(UNATTRIBUTED))
    for (holder, cause), rows in named.groupby(
        ["holder", "cause"], observed=True, sort=True
    ):
        many = "connection" if len(rows) == 1 else "connections"
        yield Finding(
            code="connection_held",
            subject=f"holder {holder}, {cause}",
            area="code",
            severity="medium",
            summary=f"{holder} kept {len(rows)} {many}, the longest for "
            f"{rows['held_s'].max():.0f} s: {_SAID[str(cause)]}",
            evidence=f"{rows['checked_out_at'].iloc[0]:%Y-%m-%d %H:%M:%S} UTC: "
            f"{rows['evidence'].iloc[0]}",
            remedy=_REMEDIES[str(cause)],
        )
