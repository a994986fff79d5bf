"""A part of the requests that were seen: a time, in bins, and the records of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.http import count_statuses
from diagkit.analyses.tasks import microseconds
from diagkit.analyses.timebins import (
    choose_edges,
    name_times,
    read_moment,
    write_places,
    write_values,
)
from diagkit.frames.http import HTTP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["HttpBook", "HttpView", "view_http"]

RECORDS = ("status", "method", "path", "observer")


@dataclass(frozen=True, eq=False)
class HttpBook:
    """Requests made ready to be cut and counted many times.

    Attributes
    ----------
    http
        HTTP.
    order
        The rows of requests with a time, in order of time.
    at
        Their times in microseconds since 1970, in that order.
    undated
        The rows of requests without a time.
    """

    http: pd.DataFrame
    order: Ints
    at: Ints
    undated: Ints

    @classmethod
    def from_frame(cls, http: pd.DataFrame) -> HttpBook:
        """Make one from HTTP.

        Parameters
        ----------
        http
            HTTP.

        Returns
        -------
        HttpBook
            The requests by time.

        Raises
        ------
        ContractError
            If it is no such frame.

        Examples
        --------
        >>> HttpBook.from_frame(HTTP.empty()).span is None
        True
        """
        HTTP.check(http)
        dated = http["timestamp"].notna().to_numpy()
        rows = np.flatnonzero(dated)
        at = microseconds(http["timestamp"])[rows]
        by_time = np.argsort(at, kind="stable")
        undated = np.flatnonzero(~dated)
        return cls(http, rows[by_time], at[by_time], undated)

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last time, in microseconds since 1970."""
        return (int(self.at[0]), int(self.at[-1])) if len(self.at) else None


@dataclass(frozen=True, eq=False)
class HttpView:
    """Requests in view.

    Attributes
    ----------
    book
        All of them.
    rows
        The rows of those in view, in order of time.
    edges
        Of the bins, in microseconds since 1970.
    every
        Length of a bin.
    bounds
        Where in `rows` each bin begins; one more than there are bins.
    """

    book: HttpBook
    rows: Ints
    edges: Ints
    every: str
    bounds: Ints

    @cached_property
    def statuses(self) -> pd.DataFrame:
        """STATUSES of them."""
        return count_statuses(self.book.http.iloc[self.rows], every=self.every)

    @cached_property
    def failed(self) -> Ints:
        """How many requests of each bin failed: 5xx, or no answer."""
        status = self.book.http["status"].iloc[self.rows]
        bad = (status.isna() | (status >= 500)).to_numpy(dtype=bool, na_value=True)
        before = np.concatenate([[0], np.cumsum(bad)])
        return np.diff(before[self.bounds])

    def records(self, rows: Ints, limit: int = 50) -> pd.DataFrame:
        """Return requests as texts.

        Parameters
        ----------
        rows
            Of HTTP.
        limit
            How many at most.

        Returns
        -------
        pandas.DataFrame
            The time, ``place`` (file and line), ``status``, ``method``, ``path``,
            ``observer``.
        """
        found = self.book.http.iloc[rows[:limit]]
        columns = name_times(found["timestamp"])
        columns["place"] = write_places(found)
        columns |= {name: write_values(found[name]) for name in RECORDS}
        return pd.DataFrame(columns, dtype="str")


def view_http(book: HttpBook, *, since: Any = None, until: Any = None) -> HttpView:
    """Take a part of the requests, and divide its time.

    Parameters
    ----------
    book
        All of them.
    since, until
        From when, and to when; None: from the first, to the last.

    Returns
    -------
    HttpView
        Those of that time.

    Raises
    ------
    SettingError
        If a time is none.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-11-24 10:00:07Z", "2025-11-24 10:00:09Z"])
    >>> rows = HTTP.build({"timestamp": at, "observer": "proxy", "method": "GET",
    ...     "path": "/a", "route": "/a", "status": [502, 200], "source": "a.log",
    ...     "line": [1, 2]})
    >>> view = view_http(HttpBook.from_frame(rows), since="2025-11-24 10:00:08Z")
    >>> view.records(view.rows)["place"].tolist()
    ['a.log:2']
    """
    first, last = book.span or (0, -1)
    ends = read_moment("since", since), read_moment("until", until)
    low, high = (
        known if end is None else end.value // 1000
        for end, known in zip(ends, (first, last), strict=True)
    )
    edges, every = np.zeros(1, dtype=np.int64), "1min"
    if book.span is not None and low <= high:
        edges, every = choose_edges(low, high)
    begin = int(np.searchsorted(book.at, low))
    end = max(begin, int(np.searchsorted(book.at, high, side="right")))
    kept = np.arange(begin, end)
    bounds = np.searchsorted(np.take(book.at, kept), edges)
    return HttpView(book, book.order[kept], edges, every, bounds)
