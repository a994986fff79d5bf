"""How far pools were used over time, and their samples made ready to be drawn.

A sample stands until the next one. Where samples come at a steady pace, one that comes
late leaves a gap: nobody knows what was in it. A recorder's samples come with the
events of its pool instead, and none means that nothing happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.poolseries import (
    GAP_STEPS,
    PoolSeries,
    find_pace,
    list_series,
)
from diagkit.analyses.tasks import microseconds
from diagkit.frames.pool import POOL
from diagkit.frames.utilisation import UTILISATION

if TYPE_CHECKING:
    from collections.abc import Iterable


def count_utilisation(pool: pd.DataFrame) -> pd.DataFrame:
    """Count how far pools were used, and for how long they were used up.

    Parameters
    ----------
    pool
        POOL.

    Returns
    -------
    pandas.DataFrame
        UTILISATION, a row a pool, those that were used up for the longest part of
        their time first. Times count to the next sample, gaps left out. What the
        samples do not tell is missing: a capacity without ``max_overflow``.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.

    Examples
    --------
    >>> times = pd.date_range("2025-11-24", periods=5, freq="1s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 2,
    ...     "max_overflow": 0, "checked_out": [0, 1, 2, 2, 1]})
    >>> count_utilisation(pool)[["pool", "most_out", "full_share"]].values.tolist()
    [['app', 2, 0.4]]
    """
    POOL.check(pool)
    said = pool["checked_out"].notna()
    known = pool if bool(said.all()) else pool[said]
    return rank_series(list_series(known))


def rank_series(series: Iterable[PoolSeries]) -> pd.DataFrame:
    """Count how far pools were used, whose samples are made ready.

    Parameters
    ----------
    series
        One a pool; those whose samples do not say how many are out are left out.

    Returns
    -------
    pandas.DataFrame
        UTILISATION, as `count_utilisation` returns it.
    """
    rows = [row for one in series if (row := one.utilisation)["samples"]]
    columns = {name: [row[name] for row in rows] for name in UTILISATION.names}
    return UTILISATION.build(columns).sort_values(
        ["full_share", "mean_out"], ascending=False, kind="stable", ignore_index=True
    )


def break_gaps(samples: pd.DataFrame) -> pd.DataFrame:
    """Put an empty sample where samples are missing, so that no line bridges it.

    Parameters
    ----------
    samples
        Rows of POOL of one pool.

    Returns
    -------
    pandas.DataFrame
        In order of time. Where the samples come at a steady pace, a gap of more than
        three of their usual steps begins with a row that has a ``timestamp`` alone.

    Examples
    --------
    >>> at = pd.to_datetime([0, 1, 2, 3, 60, 61], unit="s", utc=True)
    >>> rows = POOL.build({"timestamp": at, "pool": "app", "checked_out": 1})
    >>> break_gaps(rows)["checked_out"].isna().tolist()
    [False, False, False, False, True, False, False]
    """
    ordered = _in_order(samples)
    pace = find_pace(microseconds(ordered["timestamp"]))
    if not pace:
        return ordered
    usual = pd.Timedelta(pace, unit="us")
    before = ordered["timestamp"].shift()
    after = before[ordered["timestamp"] - before > GAP_STEPS * usual]
    if after.empty:
        return ordered
    empty = pd.DataFrame({"timestamp": after + usual})
    joined = pd.concat([ordered, empty], ignore_index=True)
    return joined.sort_values("timestamp", kind="stable", ignore_index=True)


def _in_order(samples: pd.DataFrame) -> pd.DataFrame:
    """Return samples in order of time: to sort a million that are takes its time."""
    if samples["timestamp"].is_monotonic_increasing:
        return samples.reset_index(drop=True)
    return samples.sort_values("timestamp", kind="stable", ignore_index=True)
