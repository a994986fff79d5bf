"""A part of the events of the logs: a time, a signature, a logger, a bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from diagkit.analyses.leaks import STEPS
from diagkit.errors import SettingError, suggest
from diagkit.frames.leaks import LEAKS

Ints = np.ndarray[Any, np.dtype[np.int64]]
RECORDS = ("timestamp", "place", "signature", "message", "logger")
# So many bars can be told apart, and hit with a mouse.
BARS = 40
US = pd.Timedelta("1us")
LONGEST = 300


@dataclass(frozen=True, eq=False)
class EventBook:
    """Events in order of time, so that a part of a million is found at once.

    Attributes
    ----------
    events
        LEAKS that have a time, in order.
    times
        Microseconds since 1970.
    codes, names
        Of the columns that can be chosen by: a number a row, and what it stands for.
    undated
        How many more have no time.
    """

    events: pd.DataFrame
    times: Ints
    codes: dict[str, Ints]
    names: dict[str, list[str]]
    undated: int

    @property
    def steps(self) -> list[str]:
        """Lengths of a bin that make at most `BARS` bars, the shortest first."""
        span = self.times[-1] - self.times[0] if len(self.times) else 0
        fit = [step for step in STEPS if span <= (BARS - 1) * (pd.Timedelta(step) / US)]
        return fit or [STEPS[-1]]


@dataclass(frozen=True, eq=False)
class EventView:
    """Events that were chosen.

    Attributes
    ----------
    counts
        Index ``timestamp`` (when a bin begins, without holes), a column a kind.
    every
        Length of a bin.
    book
        All events.
    rows
        Which of them are in view.
    """

    counts: pd.DataFrame
    every: pd.Timedelta
    book: EventBook = field(repr=False)
    rows: Ints = field(repr=False)

    @property
    def bars(self) -> list[str]:
        """When each bar begins, as `view_events` takes it for ``at``."""
        shown = "%Y-%m-%d %H:%M:%S"
        return list(pd.DatetimeIndex(self.counts.index).strftime(shown))

    def kinds(self) -> dict[str, int]:
        """Return how many events of each kind are in view, the most first."""
        names = self.book.names["kind"]
        codes = self.book.codes["kind"][self.rows]
        counts = np.bincount(codes, minlength=len(names)).tolist()
        found = sorted(zip(names, counts, strict=True), key=lambda one: -one[1])
        return {name: count for name, count in found if count}

    def records(self, limit: int = 50) -> pd.DataFrame:
        """Return the first events in view, as texts.

        Parameters
        ----------
        limit
            How many at most.

        Returns
        -------
        pandas.DataFrame
            ``timestamp``, ``place`` (file and line), ``signature``, ``message``,
            ``logger``.
        """
        found = self.book.events.iloc[self.rows[:limit]]
        times = found["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
        places = found["source"].astype("str") + ":" + found["line"].astype("str")
        found = found.assign(
            timestamp=times, place=places, message=found["message"].str[:LONGEST]
        )
        found = found[list(RECORDS)].astype("object")
        return found.where(found.notna(), "–").astype("str").reset_index(drop=True)


def book_events(leaks: pd.DataFrame) -> EventBook:
    """Put events in order, once, for all that is asked of them.

    Parameters
    ----------
    leaks
        LEAKS.

    Returns
    -------
    EventBook
        Those that have a time.

    Raises
    ------
    ContractError
        If `leaks` is no LEAKS frame.

    Examples
    --------
    >>> book_events(LEAKS.empty()).steps[0]
    '1s'
    """
    dated = LEAKS.check(leaks)[leaks["timestamp"].notna()]
    dated = dated.sort_values("timestamp", kind="stable", ignore_index=True)
    codes, names = {}, {}
    for column in ("kind", "signature", "logger"):
        values = pd.Categorical(dated[column].astype("object").fillna(""))
        codes[column] = np.asarray(values.codes, dtype=np.int64)
        names[column] = [str(name) for name in values.categories]
    times = np.asarray(dated["timestamp"].astype("int64"), dtype=np.int64)
    return EventBook(dated, times, codes, names, len(leaks) - len(dated))


def view_events(
    book: EventBook,
    *,
    since: str | None = None,
    until: str | None = None,
    every: str | None = None,
    signature: str | None = None,
    logger: str | None = None,
    at: str | None = None,
) -> EventView:
    """Choose events.

    Parameters
    ----------
    book
        As `book_events` gives it.
    since, until
        From when, and to when (UTC); None: from the first, to the last.
    every
        Length of a bin; None: the shortest that makes at most `BARS` bars.
    signature, logger
        Which events; None: all. A logger of ``""`` stands for none.
    at
        When a bar begins: its events are the records; None: those of all bars.

    Returns
    -------
    EventView
        Their counts by bin and kind, and which they are.

    Raises
    ------
    SettingError
        If there is no such signature or logger, or a time or a length is none.

    Examples
    --------
    >>> import diagkit as dk
    >>> book = book_events(dk.find_leaks(dk.open_sample().logs))
    >>> view = view_events(book, signature="sqlalchemy.gc_dropped", every="1min")
    >>> view.counts["leak"].tolist()
    [10, 13, 0, 10, 11, 7, 14]
    """
    low = 0 if since is None else _find(book, "since", since, "left")
    high = len(book.times) if until is None else _find(book, "until", until, "right")
    rows = np.arange(low, max(low, high))
    for name, value in (("signature", signature), ("logger", logger)):
        if value is not None:
            rows = rows[book.codes[name][rows] == _code(book, name, value)]
    step = _step(book, rows, every)
    counts = _count(book, rows, step)
    if at is not None:
        start = _moment("at", at) // step * step
        inside = (book.times[rows] >= start) & (book.times[rows] < start + step)
        rows = rows[inside]
    return EventView(counts, pd.Timedelta(step, unit="us"), book, rows)


def _find(book: EventBook, name: str, text: str, side: Any) -> int:
    return int(np.searchsorted(book.times, _moment(name, text), side=side))


def _moment(name: str, text: str) -> int:
    try:
        at = pd.Timestamp(text)
    except (ValueError, TypeError):
        msg = f"{name}={text!r} is no time: write '2025-11-24 10:00:00'"
        raise SettingError(msg) from None
    at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
    return at.value // 1000


def _code(book: EventBook, name: str, value: str) -> int:
    names = book.names[name]
    if value not in names:
        msg = f"{name}={value!r} is none of what is there{suggest(value, names)}"
        raise SettingError(msg)
    return names.index(value)


def _step(book: EventBook, rows: Ints, every: str | None) -> int:
    """Return the length of a bin in microseconds."""
    span = int(book.times[rows[-1]] - book.times[rows[0]]) if len(rows) else 0
    if every is None:
        fits = (s for s in STEPS if span <= (BARS - 1) * (pd.Timedelta(s) / US))
        every = next(fits, STEPS[-1])
    try:
        step = int(pd.Timedelta(every) / US)
    except (ValueError, TypeError):
        msg = f"every={every!r} is no length of time: use '15s', '1min', '1h'"
        raise SettingError(msg) from None
    if step <= 0:
        msg = f"every={every!r}: a bin must be longer than nothing"
        raise SettingError(msg)
    # A view of more bars than anybody can see has longer ones.
    return step * max(1, -(-span // (step * 1000)))


def _count(book: EventBook, rows: Ints, step: int) -> pd.DataFrame:
    kinds = book.names["kind"]
    bins = book.times[rows] // step
    first = int(bins[0]) if len(bins) else 0
    length = int(bins[-1]) - first + 1 if len(bins) else 0
    flat = (bins - first) * len(kinds) + book.codes["kind"][rows]
    table = np.bincount(flat, minlength=length * len(kinds))
    begins = (first + np.arange(length)) * step
    index = pd.DatetimeIndex(begins.astype("datetime64[us]"), tz="UTC")
    counts = pd.DataFrame(
        table.reshape(length, len(kinds)),
        index=index.rename("timestamp"),
        columns=pd.Index(kinds, dtype="str"),
    )
    return counts.loc[:, counts.any()] if length else counts
