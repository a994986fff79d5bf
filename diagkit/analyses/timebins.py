"""Moments and bins that people choose: times as text, and lengths that fit a chart."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from diagkit.errors import SettingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = [
    "STEPS",
    "choose_edges",
    "divide_time",
    "name_times",
    "read_length",
    "read_moment",
    "say_moment",
    "to_moments",
    "write_length",
    "write_moment",
    "write_places",
    "write_values",
]

STEPS = (
    *("100ms", "1s", "5s", "15s", "1min", "5min", "15min", "30min", "1h", "3h"),
    *("6h", "1D", "7D", "28D", "364D"),
)
UNITS = (
    (86_400_000_000, "D"),
    (3_600_000_000, "h"),
    (60_000_000, "min"),
    (1_000_000, "s"),
    (1000, "ms"),
)
# So many bins make a readable chart; of more than the most, none can be hit.
READABLE_BINS, MOST_BINS = 80, 120
# Between them times have room in 64 bits, and on an axis.
FIRST_YEAR, LAST_YEAR = 1700, 2250


def read_moment(what: str, when: str | pd.Timestamp | None) -> pd.Timestamp | None:
    """Read a time that a person wrote.

    Parameters
    ----------
    what
        The setting's name.
    when
        A time; without a zone it is UTC. None: none.

    Returns
    -------
    pandas.Timestamp or None
        In UTC.

    Raises
    ------
    SettingError
        If it is no time.

    Examples
    --------
    >>> read_moment("since", "2025-11-24 11:00+01:00")
    Timestamp('2025-11-24 10:00:00+0000', tz='UTC')
    """
    if when is None:
        return None
    # A number would be a count of nanoseconds: hardly what somebody means.
    known = isinstance(when, str | date | np.datetime64)
    found = pd.to_datetime(
        pd.Series([when] if known else [None]), utc=True, errors="coerce"
    )
    if found.isna().any():
        msg = f"{what}={_say(when)} is no time; write '2025-11-19 12:00Z'"
        raise SettingError(msg)
    moment = pd.Timestamp(found.iloc[0])
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        msg = (
            f"{what}={_say(when)} is not between the years {FIRST_YEAR} and {LAST_YEAR}"
        )
        raise SettingError(msg)
    return moment


def write_moment(moment: pd.Timestamp) -> str:
    """Write a time, to the millisecond, so that texts sort as the times do.

    Parameters
    ----------
    moment
        In UTC.

    Returns
    -------
    str
        What `read_moment` reads.

    Examples
    --------
    >>> write_moment(pd.Timestamp("2025-11-24 10:00:30.25", tz="UTC"))
    '2025-11-24T10:00:30.250Z'
    """
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def say_moment(moment: str) -> str:
    """Say a time as people read it.

    Parameters
    ----------
    moment
        As `write_moment` writes it.

    Returns
    -------
    str
        In UTC; milliseconds where there are some.

    Examples
    --------
    >>> say_moment("2025-11-24T10:00:30.000Z")
    '2025-11-24 10:00:30'
    """
    return moment.replace("T", " ").removesuffix("Z").removesuffix(".000")


def name_times(times: pd.Series, name: str = "time") -> dict[str, list[str]]:
    """Write times as a column of a table; the day of all stands in its name.

    Parameters
    ----------
    times
        In UTC.
    name
        Of the column.

    Returns
    -------
    dict
        The whole name, and the texts, to the millisecond.

    Examples
    --------
    >>> times = pd.Series(pd.to_datetime(["2025-11-24 10:00:30Z", None]))
    >>> name_times(times)
    {'time, 2025-11-24 UTC': ['10:00:30.000', '–']}
    >>> name_times(times.tail(1))
    {'time (UTC)': ['–']}
    """
    texts = write_values(times)
    days = {text[:10] for text in texts if text != "–"}
    if len(days) != 1:
        return {f"{name} (UTC)": texts}
    return {f"{name}, {days.pop()} UTC": [text[11:] or text for text in texts]}


def write_values(values: pd.Series) -> list[str]:
    """Write values as a column of a table.

    Parameters
    ----------
    values
        Of any dtype.

    Returns
    -------
    list of str
        Numbers that are not whole with three digits, times to the millisecond, what is
        missing as a dash.

    Examples
    --------
    >>> write_values(pd.Series([0.25, None]))
    ['0.250', '–']
    """
    return [_write(value) for value in values]


def write_places(rows: pd.DataFrame) -> list[str]:
    """Write files and lines as a column of a table.

    Parameters
    ----------
    rows
        With ``source`` and ``line``.

    Returns
    -------
    list of str
        ``api.log:402``.
    """
    known = zip(write_values(rows["source"]), write_values(rows["line"]), strict=True)
    return [f"{source}:{line}" for source, line in known]


def to_moments(span: tuple[int, int]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return two times.

    Parameters
    ----------
    span
        In microseconds since 1970.

    Returns
    -------
    tuple of pandas.Timestamp
        In UTC.
    """
    first, last = (pd.Timestamp(at, unit="us", tz="UTC") for at in span)
    return first, last


def divide_time(first: pd.Timestamp, last: pd.Timestamp, count: int = 60) -> list[str]:
    """Return times at which a view may begin or end, in equal steps.

    Parameters
    ----------
    first, last
        What is to be divided.
    count
        How many steps.

    Returns
    -------
    list of str
        As `write_moment` writes them.

    Examples
    --------
    >>> at = pd.Timestamp("2025-11-24 10:00", tz="UTC")
    >>> divide_time(at, at + pd.Timedelta("1min"), 2)[1]
    '2025-11-24T10:00:30.000Z'
    """
    # Of the last, a millisecond is cut off otherwise.
    steps = pd.date_range(first.floor("ms"), last.ceil("ms"), periods=count + 1)
    return [write_moment(at) for at in steps]


def choose_edges(first: int, last: int, every: str | None = None) -> tuple[Ints, str]:
    """Divide a time into bins of one length that can be told apart on a chart.

    Parameters
    ----------
    first, last
        In microseconds since 1970; both lie in a bin.
    every
        Length of a bin, as pandas writes it. None, or one that makes more than
        `MOST_BINS`: the shortest of `STEPS` that is long enough.

    Returns
    -------
    tuple of numpy.ndarray and str
        The edges, one more than there are bins, and the length.

    Raises
    ------
    SettingError
        If `every` is no length of time.

    Examples
    --------
    >>> edges, every = choose_edges(0, 3_600_000_000)
    >>> len(edges) - 1, every
    (61, '1min')
    >>> choose_edges(0, 3_600_000_000, "1s")[1]
    '1min'
    """
    most = READABLE_BINS
    if every is not None:
        step = _microseconds(every)
        if _count(first, last, step) <= MOST_BINS:
            return _edges(first, last, step), every
        most = MOST_BINS
    for every in STEPS:
        step = _microseconds(every)
        if _count(first, last, step) <= most:
            return _edges(first, last, step), every
    longest = _microseconds(STEPS[-1])
    times = -(-_count(first, last, longest) // most)
    return _edges(first, last, longest * times), f"{364 * times}D"


def _count(first: int, last: int, step: int) -> int:
    return last // step - first // step + 1


def _edges(first: int, last: int, step: int) -> Ints:
    begin = first // step * step
    return begin + step * np.arange(_count(first, last, step) + 1, dtype=np.int64)


def read_length(what: str, every: Any) -> int:
    """Read the length of a bin.

    Parameters
    ----------
    what
        The setting's name.
    every
        As pandas writes it: ``15s``, ``1min``, ``1h``, ``1D``.

    Returns
    -------
    int
        Microseconds.

    Raises
    ------
    SettingError
        If it is no length of time, or no whole number of milliseconds: bins are named
        by these.

    Examples
    --------
    >>> read_length("every", "1min")
    60000000
    """
    try:
        offset: Any = to_offset(every)
        step = int(offset.nanos) // 1000 if isinstance(every, str) else 0
    except (ValueError, TypeError, AttributeError):
        step = 0
    if step < 1:
        msg = (
            f"{what}={_say(every)} is no length of time: use '15s', '1min', '1h', '1D'"
        )
        raise SettingError(msg)
    if step % 1000:
        msg = f"{what}={_say(every)} is no whole number of milliseconds"
        raise SettingError(msg)
    return step


def write_length(length: timedelta) -> str:
    """Write the length of a bin.

    Parameters
    ----------
    length
        Of time.

    Returns
    -------
    str
        What `read_length` reads.

    Examples
    --------
    >>> write_length(timedelta(seconds=90))
    '90s'
    """
    step = round(pd.Timedelta(length).value / 1000)
    for size, unit in UNITS:
        if step % size == 0:
            return f"{step // size}{unit}"
    return f"{step}us"


def _microseconds(every: str) -> int:
    return read_length("every", every)


def _say(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _write(value: Any) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    return f"{value:.3f}" if isinstance(value, float) else str(value)
