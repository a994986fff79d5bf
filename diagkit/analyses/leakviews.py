"""A part of the events of a log: a time, a signature, a logger, in bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.kinds import KINDS
from diagkit.analyses.tasks import microseconds
from diagkit.analyses.timebins import (
    choose_edges,
    name_times,
    read_moment,
    write_places,
    write_values,
)
from diagkit.errors import SettingError, suggest
from diagkit.frames.leaks import LEAKS
from diagkit.frames.logs import LOGS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["UNNAMED", "LeakBook", "LeakView", "view_leaks"]

RECORDS = ("message", "signature", "logger")
UNNAMED = "(no logger)"
_BY = ("kind", "signature", "logger")


@dataclass(frozen=True, eq=False)
class LeakBook:
    """Events made ready to be cut and counted many times.

    Attributes
    ----------
    leaks
        LEAKS.
    order
        The rows of events with a time, in order of time.
    at
        Their times in microseconds since 1970, in that order.
    group
        Of each the row of `groups`, in that order.
    groups
        ``kind``, ``signature`` and ``logger`` that occur together.
    undated
        The rows of events without a time.
    undated_group
        Of each the row of `groups`.
    covered
        Times of all records of the log; None where nobody knows them.
    """

    leaks: pd.DataFrame
    order: Ints
    at: Ints
    group: Ints
    groups: pd.DataFrame
    undated: Ints
    undated_group: Ints
    covered: Ints | None

    @classmethod
    def from_frames(
        cls, leaks: pd.DataFrame, logs: pd.DataFrame | None = None
    ) -> LeakBook:
        """Make one from LEAKS and the LOGS in which they were found.

        Parameters
        ----------
        leaks
            LEAKS.
        logs
            LOGS; without them no gap is known.

        Returns
        -------
        LeakBook
            The events by time.

        Raises
        ------
        ContractError
            If a frame is none of its contract.

        Examples
        --------
        >>> LeakBook.from_frames(LEAKS.empty()).groups.columns.tolist()
        ['kind', 'signature', 'logger']
        """
        LEAKS.check(leaks)
        # Numbers, not texts: a million events are grouped at once.
        known = leaks["logger"].astype("category")
        parts = [pd.Categorical(leaks["kind"]), pd.Categorical(leaks["signature"])]
        key = np.zeros(len(leaks), dtype=np.int64)
        for part in (*parts, known.array):
            key = key * (len(part.categories) + 1) + part.codes + 1
        group, _ = pd.factorize(key)
        _, firsts = np.unique(group, return_index=True)
        groups = leaks.iloc[firsts][list(_BY)].astype("object").reset_index(drop=True)
        groups["logger"] = groups["logger"].where(groups["logger"].notna(), UNNAMED)
        dated = leaks["timestamp"].notna().to_numpy()
        rows = np.flatnonzero(dated)
        at = microseconds(leaks["timestamp"])[rows]
        if np.any(np.diff(at) < 0):
            by_time = np.argsort(at, kind="stable")
            rows, at = rows[by_time], at[by_time]
        undated = np.flatnonzero(~dated)
        covered = None
        if logs is not None:
            covered = np.sort(microseconds(LOGS.check(logs)["timestamp"].dropna()))
        return cls(
            *(leaks, rows, at, group[rows], groups.astype("str")),
            *(undated, group[undated], covered),
        )

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last time of a record, where there is one."""
        ends = [part for part in (self.at, self.covered) if part is not None]
        known = [(int(part[0]), int(part[-1])) for part in ends if len(part)]
        if not known:
            return None
        return min(first for first, _ in known), max(last for _, last in known)


@dataclass(frozen=True, eq=False)
class LeakView:
    """Events in view.

    Attributes
    ----------
    line
        As `count_leaks` returns it.
    edges
        Of its bins, in microseconds since 1970.
    every
        Length of a bin.
    book
        All events.
    rows
        The rows of those in view, in order of time.
    bounds
        Where in `rows` each bin begins; one more than there are bins.
    undated
        The rows of those without a time.
    """

    line: pd.DataFrame
    edges: Ints
    every: str
    book: LeakBook
    rows: Ints
    bounds: Ints
    undated: Ints

    def records(self, rows: Ints, limit: int = 50) -> pd.DataFrame:
        """Return events as texts.

        Parameters
        ----------
        rows
            Of LEAKS.
        limit
            How many at most.

        Returns
        -------
        pandas.DataFrame
            The time (the day stands in the column's name where it is one), ``place``
            (file and line), ``message``, ``signature``, ``logger``.
        """
        found = self.book.leaks.iloc[rows[:limit]]
        columns = name_times(found["timestamp"])
        columns["place"] = write_places(found)
        columns |= {name: write_values(found[name]) for name in RECORDS}
        return pd.DataFrame(columns, dtype="str")


def view_leaks(
    book: LeakBook,
    *,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    every: str | None = None,
    signature: str | None = None,
    logger: str | None = None,
) -> LeakView:
    """Take a part of the events of a log, and count it over time.

    Parameters
    ----------
    book
        All events.
    since, until
        From when, and to when; None: from the first record, to the last.
    every
        Length of a bin; None, or one that makes too many bins: one that can be seen.
    signature, logger
        Only such events; None: all. `UNNAMED` are those without a logger.

    Returns
    -------
    LeakView
        The events, counted by kind.

    Raises
    ------
    SettingError
        If there is no such signature or logger, or a time is none.

    Examples
    --------
    >>> times = pd.to_datetime(["2025-11-24 10:00:30Z", "2025-11-24 10:02:10Z"])
    >>> leaks = LEAKS.build({"timestamp": times, "signature": ["x", "y"],
    ...     "kind": "leak", "severity": "high", "source": "a.log", "line": [1, 2],
    ...     "message": "m"})
    >>> view = view_leaks(LeakBook.from_frames(leaks), every="1min", signature="x")
    >>> view.line["leak"].tolist(), view.records(view.rows)["place"].tolist()
    ([1, 0, 0], ['a.log:1'])
    """
    chosen = np.ones(len(book.groups), dtype=bool)
    for what, name in (("signature", signature), ("logger", logger)):
        if name is not None:
            same = (book.groups[what] == name).to_numpy(dtype=bool)
            if not same.any():
                near = suggest(name, sorted(set(book.groups[what])))
                msg = f"no event has the {what} {name!r}{near}"
                raise SettingError(msg)
            chosen &= same
    low, high = _ends(book, since, until)
    first = int(np.searchsorted(book.at, low))
    last = int(np.searchsorted(book.at, high, side="right"))
    kept = np.arange(first, last)
    group = book.group[first:last]
    if not chosen.all():
        mine = chosen[group]
        kept, group = kept[mine], group[mine]
    if high >= low:
        edges, length = choose_edges(low, high, every)
    else:
        edges, length = np.zeros(1, dtype=np.int64), every or "1min"
    at = np.take(book.at, kept)
    bounds = np.searchsorted(at, edges)
    line = _count(book, group, bounds, edges)
    undated = book.undated[chosen[book.undated_group]]
    part = since is not None or until is not None
    if part:
        undated = undated[:0]
    kinds = book.leaks["kind"].iloc[undated]
    line.attrs = {
        "undated": len(undated),
        "undated_leaks": int((kinds == "leak").sum()),
        "every": length,
        # The events of a part of the time are not those of the log.
        "part": part,
    }
    return LeakView(line, edges, length, book, book.order[kept], bounds, undated)


def _ends(book: LeakBook, since: Any, until: Any) -> tuple[int, int]:
    """Return the first and the last moment in view; the last first where none is."""
    span = book.span
    ends = [read_moment("since", since), read_moment("until", until)]
    if span is None:
        return 0, -1
    low, high = (
        known if end is None else int(end.value // 1000)
        for end, known in zip(ends, span, strict=True)
    )
    return low, high


def _count(book: LeakBook, group: Ints, bounds: Ints, edges: Ints) -> pd.DataFrame:
    kinds = book.groups["kind"]
    seen = set(kinds[np.bincount(group, minlength=len(kinds)) > 0])
    names = [kind for kind in KINDS if kind in seen and kind != "leak"]
    names = ["leak", *names, *sorted(seen.difference(KINDS))]
    column = np.array([names.index(k) if k in seen else 0 for k in kinds], dtype=int)
    bins = len(edges) - 1
    place = np.repeat(np.arange(bins), np.diff(bounds))
    cells = place * len(names) + column[group]
    counts = np.bincount(cells, minlength=bins * len(names)).reshape(bins, len(names))
    index = pd.DatetimeIndex(edges[:-1].astype("datetime64[us]"), name="timestamp")
    line = pd.DataFrame(counts, index=index.tz_localize("UTC"), columns=names)
    line = line.astype("Int64")
    if book.covered is not None:
        filled = np.diff(np.searchsorted(book.covered, edges))
        line.iloc[np.flatnonzero(filled == 0)] = pd.NA
    return line
