"""A part of what is known of pools: a time, a pool, an operation, a least hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagkit.errors import SettingError, suggest
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.holds import UNATTRIBUTED
from diagkit.frames.pool import POOL

RECORDS = ("checked_out_at", "pool", "holder", "operation", "held_s", "outcome")


@dataclass(frozen=True, eq=False)
class PoolView:
    """What is known of pools in a part of the time.

    Attributes
    ----------
    pool
        POOL.
    every
        CHECKOUTS, all of them.
    keep
        Which of them are in view.
    """

    pool: pd.DataFrame
    every: pd.DataFrame
    keep: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def checkouts(self) -> pd.DataFrame:
        """CHECKOUTS that are in view."""
        return self.every if self.keep.all() else self.every[self.keep]

    @property
    def count(self) -> int:
        """How many checkouts are in view."""
        return int(self.keep.sum())

    def records(self, limit: int = 50) -> pd.DataFrame:
        """Return the longest checkouts in view, the longest first.

        Parameters
        ----------
        limit
            How many at most.

        Returns
        -------
        pandas.DataFrame
            ``checked_out_at``, ``pool``, ``holder``, ``operation``, ``held_s``,
            ``outcome``, as texts.
        """
        held = self.every["held_s"].fillna(-1.0).to_numpy()
        rows = np.flatnonzero(self.keep)
        # Of a million only those that can be among the first are sorted.
        if len(rows) > limit:
            least = np.partition(held[rows], len(rows) - limit)[len(rows) - limit]
            rows = rows[held[rows] >= least]
        found = self.every.iloc[rows][list(RECORDS)].sort_values(
            ["held_s", "checked_out_at"], ascending=[False, True], kind="stable"
        )
        found = found.head(limit).reset_index(drop=True)
        times = found["checked_out_at"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
        lasts = found["held_s"].map("{:.3f}".format, na_action="ignore")
        texts = found.assign(checked_out_at=times, held_s=lasts)
        return texts.astype("object").where(texts.notna(), "–").astype("str")


def view_pool(
    pool: pd.DataFrame,
    checkouts: pd.DataFrame,
    *,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    name: str | None = None,
    operation: str | None = None,
    longer_than_s: float = 0.0,
) -> PoolView:
    """Take a part of what is known of pools.

    Parameters
    ----------
    pool
        POOL.
    checkouts
        CHECKOUTS.
    since, until
        From when, and to when; None: from the first, to the last.
    name
        Which pool; None: all.
    operation
        Which checkouts; ``unattributed`` for those that say nothing; None: all.
    longer_than_s
        Checkouts that were held for at least so many seconds.

    Returns
    -------
    PoolView
        Samples of that time, with the last one before it, which stands until the next;
        and checkouts that were out at some moment of it.

    Raises
    ------
    ContractError
        If a frame is none of its contract.
    SettingError
        If there is no such pool or operation, or a time is none.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-11-24 10:00Z", "2025-11-24 10:05Z"])
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": at, "held_s": [400.0, 0.2]})
    >>> view = view_pool(POOL.empty(), rows, since="2025-11-24 10:06Z")
    >>> view.checkouts["checkout_id"].tolist()
    ['1']
    """
    POOL.check(pool)
    CHECKOUTS.check(checkouts)
    first, last = _moment("since", since), _moment("until", until)
    held = checkouts["held_s"].fillna(0.0)
    keep = np.array(held >= longer_than_s, dtype=bool)
    if name is not None:
        _known("pool", name, list_pools(pool, checkouts))
        pool = pool[pool["pool"] == name]
        keep &= (checkouts["pool"] == name).to_numpy(dtype=bool)
    if operation is not None:
        _known("operation", operation, [*list_operations(checkouts), UNATTRIBUTED])
        named = checkouts["operation"]
        same = named.isna() if operation == UNATTRIBUTED else named == operation
        keep &= same.fillna(False).to_numpy(dtype=bool)
    if first is not None:
        ends = checkouts["checked_out_at"] + pd.to_timedelta(held, unit="s")
        keep &= (ends >= first).to_numpy(dtype=bool)
        pool = _from(pool, first)
    if last is not None:
        keep &= (checkouts["checked_out_at"] <= last).to_numpy(dtype=bool)
        pool = pool[pool["timestamp"] <= last]
    return PoolView(pool, checkouts, keep)


def list_pools(pool: pd.DataFrame, checkouts: pd.DataFrame) -> list[str]:
    """Return the names of the pools that samples or checkouts are of.

    Parameters
    ----------
    pool, checkouts
        POOL and CHECKOUTS.

    Returns
    -------
    list of str
        Sorted.
    """
    return sorted({*pool["pool"].unique(), *checkouts["pool"].unique()})


def list_operations(checkouts: pd.DataFrame) -> list[str]:
    """Return what checkouts were for.

    Parameters
    ----------
    checkouts
        CHECKOUTS.

    Returns
    -------
    list of str
        Sorted, with ``unattributed`` at the end where some say nothing.
    """
    names = sorted(checkouts["operation"].dropna().unique())
    return [*names, UNATTRIBUTED] if checkouts["operation"].isna().any() else names


def list_times(
    pool: pd.DataFrame, checkouts: pd.DataFrame, count: int = 60
) -> list[str]:
    """Return times at which a view may begin or end, in equal steps.

    Parameters
    ----------
    pool, checkouts
        POOL and CHECKOUTS.
    count
        How many steps.

    Returns
    -------
    list of str
        As ``2025-11-24T10:00:00.000Z``; empty where there is neither a sample nor a
        checkout.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-11-24 10:00Z", "2025-11-24 10:01Z"])
    >>> rows = POOL.build({"timestamp": at, "pool": "app"})
    >>> list_times(rows, CHECKOUTS.empty(), 2)[:2]
    ['2025-11-24T10:00:00.000Z', '2025-11-24T10:00:30.000Z']
    """
    held = pd.to_timedelta(checkouts["held_s"].fillna(0.0), unit="s")
    starts = [pool["timestamp"].min(), checkouts["checked_out_at"].min()]
    ends = [pool["timestamp"].max(), (checkouts["checked_out_at"] + held).max()]
    known = [time for time in starts if not pd.isna(time)]
    if not known:
        return []
    first, last = min(known), max(time for time in ends if not pd.isna(time))
    # Of the last, a millisecond is cut off otherwise.
    last = last.ceil("ms")
    steps = pd.date_range(first.floor("ms"), last, periods=count + 1)
    return [f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z" for at in steps]


def _from(pool: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Return the samples from a time on; those that stand then are moved to it."""
    before = pool[pool["timestamp"] < first]
    standing = before.sort_values("timestamp", kind="stable")
    standing = standing.drop_duplicates("pool", keep="last").assign(timestamp=first)
    after = pool[pool["timestamp"] >= first]
    return pd.concat([standing, after]) if len(standing) else after


def _known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        msg = f"no {what} {name!r} is known{suggest(name, known)}"
        raise SettingError(msg)


def _moment(what: str, when: str | pd.Timestamp | None) -> pd.Timestamp | None:
    if when is None:
        return None
    found = pd.to_datetime(pd.Series([when]), utc=True, errors="coerce")
    if found.isna().any():
        msg = f"{what}={when!r} is no time; write '2025-11-19 12:00Z'"
        raise SettingError(msg)
    return pd.Timestamp(found.iloc[0])
