"""A part of what is known of pools: a time, a pool, an operation, a least hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.checkouts import ENDS, HELD, CheckoutBook
from diagkit.analyses.poolseries import PoolSeries, list_series
from diagkit.analyses.timebins import (
    choose_edges,
    divide_time,
    name_times,
    read_moment,
    to_moments,
    write_values,
)
from diagkit.errors import SettingError, suggest
from diagkit.frames.holds import HOLDS, UNATTRIBUTED
from diagkit.frames.pool import POOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

__all__ = ["PoolBook", "PoolView", "view_pool"]

RECORDS = ("held_s", "holder", "operation", "outcome", "pool")
QUANTILES = {"wait_p50_s": 0.5, "wait_p95_s": 0.95, "wait_max_s": 1.0}


@dataclass(frozen=True, eq=False)
class PoolBook:
    """What is known of pools, made ready to be cut and counted many times.

    Attributes
    ----------
    series
        Samples, one a pool.
    checkouts
        Checkouts.
    """

    series: list[PoolSeries]
    checkouts: CheckoutBook

    @classmethod
    def from_frames(cls, pool: pd.DataFrame, checkouts: pd.DataFrame) -> PoolBook:
        """Make one from POOL and CHECKOUTS.

        Parameters
        ----------
        pool
            POOL.
        checkouts
            CHECKOUTS.

        Returns
        -------
        PoolBook
            All of them.

        Raises
        ------
        ContractError
            If a frame is none of its contract.

        Examples
        --------
        >>> from diagkit.frames.checkouts import CHECKOUTS
        >>> PoolBook.from_frames(POOL.empty(), CHECKOUTS.empty()).pools
        []
        """
        return cls(list_series(POOL.check(pool)), CheckoutBook.from_frame(checkouts))

    @property
    def pools(self) -> list[str]:
        """The names of the pools that samples or checkouts are of, sorted."""
        sampled = [series.name for series in self.series]
        return sorted({*sampled, *self.checkouts.names["pool"]})

    @property
    def operations(self) -> list[str]:
        """What checkouts were for; last those that say nothing."""
        names = self.checkouts.names["operation"]
        rest = [name for name in names if name != UNATTRIBUTED]
        return [*rest, UNATTRIBUTED] if len(rest) < len(names) else rest

    @cached_property
    def held_s(self) -> Floats:
        """How long each checkout was held; less than nothing where nobody knows."""
        return np.nan_to_num(self.checkouts.held_s, nan=-1.0)

    @cached_property
    def ends(self) -> Ints:
        """Until when each checkout is known to last, in microseconds since 1970."""
        book = self.checkouts
        held = np.maximum(self.held_s, 0)
        ends: Ints = book.begin + np.round(held * 1e6).astype(np.int64)
        # What was still out, nobody knows how long, was out until nothing more is seen.
        out = (book.end == ENDS.index(HELD)) & np.isnan(book.held_s)
        if out.any():
            lasts = [int(one.at.max()) for one in self.series if len(one.at)]
            ends[out] = max([*lasts, int(ends.max())])
        return ends

    @cached_property
    def span(self) -> tuple[int, int] | None:
        """The first and the last time that is known, in microseconds since 1970."""
        lows = [int(one.at.min()) for one in self.series if len(one.at)]
        highs = [int(one.at.max()) for one in self.series if len(one.at)]
        if len(self.ends):
            lows.append(int(self.checkouts.begin.min()))
            highs.append(int(self.ends.max()))
        return (min(lows), max(highs)) if lows else None

    @property
    def times(self) -> list[str]:
        """Times at which a view may begin or end, in equal steps."""
        return [] if self.span is None else divide_time(*to_moments(self.span))

    @cached_property
    def by_wait(self) -> Ints:
        """The rows of checkouts, by operation, the shortest wait first."""
        book = self.checkouts
        return np.lexsort((book.wait_s, book.operation))


@dataclass(frozen=True, eq=False)
class PoolView:
    """What is known of pools in a part of the time.

    Attributes
    ----------
    series
        Samples, one a pool.
    book
        All that is known.
    keep
        Which of the checkouts are in view.
    low, high
        The first and the last moment in view, in microseconds since 1970; None where
        nothing is known.
    """

    series: list[PoolSeries]
    book: PoolBook
    keep: Bools
    low: int | None
    high: int | None

    @property
    def rows(self) -> Ints:
        """The rows of the checkouts that are in view."""
        return np.flatnonzero(self.keep)

    @property
    def checkouts(self) -> pd.DataFrame:
        """CHECKOUTS that are in view."""
        frame = self.book.checkouts.frame
        return frame if self.keep.all() else frame[self.keep]

    @property
    def count(self) -> int:
        """How many checkouts are in view."""
        return int(self.keep.sum())

    @property
    def edges(self) -> Ints:
        """Of bins in which the time in view can be divided."""
        if self.low is None or self.high is None or self.high < self.low:
            return np.zeros(1, dtype=np.int64)
        return choose_edges(self.low, self.high)[0]

    def begun(self, edges: Ints) -> Ints:
        """Count the checkouts in view that begin in each bin.

        Parameters
        ----------
        edges
            Of the bins, of one length.

        Returns
        -------
        numpy.ndarray
            The counts.
        """
        begin = self.book.checkouts.begin[self.keep]
        place = (begin - edges[0]) // (edges[1] - edges[0])
        inside = (place >= 0) & (place < len(edges) - 1)
        return np.bincount(place[inside], minlength=len(edges) - 1)

    def during(self, low: int, high: int) -> Ints:
        """Return the rows of checkouts in view that were out in a time.

        Parameters
        ----------
        low, high
            Microseconds since 1970; `high` is not part of it.

        Returns
        -------
        numpy.ndarray
            The rows.
        """
        book = self.book
        return np.flatnonzero(
            self.keep & (book.ends >= low) & (book.checkouts.begin < high)
        )

    def named(self, column: str, name: str) -> Ints:
        """Return the rows of checkouts in view of one holder, or one operation.

        Parameters
        ----------
        column
            ``holder`` or ``operation``.
        name
            As in the pictures.

        Returns
        -------
        numpy.ndarray
            The rows.
        """
        book = self.book.checkouts
        place = book.names[column].index(name)
        codes = book.holder if column == "holder" else book.operation
        return np.flatnonzero(self.keep & (codes == place))

    def waits(self) -> pd.DataFrame:
        """Count how long callers waited, by operation.

        Returns
        -------
        pandas.DataFrame
            ``name``, ``checkouts`` and the ``wait_…`` of HOLDS, by name.
        """
        book = self.book.checkouts
        order = self.book.by_wait
        order = order[self.keep[order]]
        counts = np.bincount(book.operation[order], minlength=len(self.names))
        waits = book.wait_s[order]
        begins = np.cumsum(counts) - counts
        # Those of which nobody knows how long they waited stand last in each group.
        unknown = np.isnan(waits)
        known = counts - np.bincount(
            book.operation[order[unknown]], minlength=len(counts)
        )
        some = np.flatnonzero(counts)
        columns: dict[str, Any] = {
            "name": [self.names[place] for place in some],
            "checkouts": counts[some],
        }
        for column, share in QUANTILES.items():
            columns[column] = [
                _quantile(waits, begins[place], known[place], share) for place in some
            ]
        names = ["name", "checkouts", *QUANTILES]
        empty = HOLDS.empty()[names].astype({"checkouts": "int64"})
        return pd.DataFrame(columns).astype(empty.dtypes.to_dict())

    @property
    def names(self) -> list[str]:
        """The names of the operations."""
        return self.book.checkouts.names["operation"]

    def records(self, limit: int = 50, rows: Ints | None = None) -> pd.DataFrame:
        """Return the longest checkouts, the longest first.

        Parameters
        ----------
        limit
            How many at most.
        rows
            Of which; None: of those in view.

        Returns
        -------
        pandas.DataFrame
            Since when it is ``out`` (the day stands in the column's name where it is
            one), ``held_s``, ``holder``, ``operation``, ``outcome``, ``pool``, as
            texts.
        """
        rows = self.rows if rows is None else rows
        held = self.book.held_s
        # Of a million only those that can be among the first are sorted.
        if len(rows) > limit:
            least = np.partition(held[rows], len(rows) - limit)[len(rows) - limit]
            rows = rows[held[rows] >= least]
        order = np.lexsort((self.book.checkouts.begin[rows], -held[rows]))
        rows = rows[order[:limit]]
        found = self.book.checkouts.frame.iloc[rows]
        columns = name_times(found["checked_out_at"], "out")
        columns |= {name: write_values(found[name]) for name in RECORDS}
        return pd.DataFrame(columns, dtype="str")


def view_pool(
    book: PoolBook,
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
    book
        All that is known.
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
    SettingError
        If there is no such pool or operation, or a time is none.

    Examples
    --------
    >>> from diagkit.frames.checkouts import CHECKOUTS
    >>> at = pd.to_datetime(["2025-11-24 10:00Z", "2025-11-24 10:05Z"])
    >>> rows = CHECKOUTS.build({"checkout_id": ["1", "2"], "pool": "app",
    ...     "checked_out_at": at, "held_s": [400.0, 0.2]})
    >>> view = view_pool(PoolBook.from_frames(POOL.empty(), rows),
    ...     since="2025-11-24 10:06Z")
    >>> view.checkouts["checkout_id"].tolist()
    ['1']
    """
    rows = book.checkouts
    ends = read_moment("since", since), read_moment("until", until)
    low, high = (None if end is None else end.value // 1000 for end in ends)
    keep = (book.held_s >= longer_than_s) | (longer_than_s <= 0)
    series = book.series
    if name is not None:
        _known("pool", name, book.pools)
        keep &= _is(rows.pool, rows.names["pool"], name)
        series = [one for one in series if one.name == name]
    if operation is not None:
        _known("operation", operation, [*book.operations, UNATTRIBUTED])
        keep &= _is(rows.operation, rows.names["operation"], operation)
    if low is not None:
        keep &= book.ends >= low
    if high is not None:
        keep &= rows.begin <= high
    cut = [one.cut(low, high) for one in series]
    span = book.span or (None, None)
    return PoolView(
        [one for one in cut if len(one.at)],
        book,
        keep,
        span[0] if low is None else low,
        span[1] if high is None else high,
    )


def _is(codes: Ints, names: list[str], name: str) -> Bools:
    if name not in names:
        return np.zeros(len(codes), dtype=bool)
    same: Bools = codes == names.index(name)
    return same


def _quantile(values: Any, begin: int, count: int, share: float) -> float:
    """Return a quantile of a part of values that is in order, as pandas has it."""
    if not count:
        return float("nan")
    at = (count - 1) * share
    low = int(at)
    high = min(low + 1, count - 1)
    first, last = values[begin + low], values[begin + high]
    return float(first + (last - first) * (at - low))


def _known(what: str, name: str, known: list[str]) -> None:
    if name not in known:
        msg = f"no {what} {name!r} is known{suggest(name, known)}"
        raise SettingError(msg)
