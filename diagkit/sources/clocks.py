"""Times of one shape in a buffer of bytes, all at once.

A log writes its times in one shape, digit under digit. What is of another shape, or no
time, is left to `times.parse_times`, which reads any of them one by one.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

NAT = np.iinfo(np.int64).min
# Every digit to 0: what is alike then is of one shape.
FOLD = bytes.maketrans(b"123456789", b"0" * 9)
FOLDED = np.frombuffer(FOLD, np.uint8)
SHAPE = re.compile(
    rb"0000(?:-00-|[/.]00[/.])00[T ]00:00:00(?:[.,](?P<fraction>0{1,9}))?"
    rb"(?P<zone> ?(?:Z|UTC|GMT|(?P<offset>[+-]00:?00)))?"
)
# Where year, month, day, hour, minute and second stand.
PLACES = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
# What is read here; other times are rare enough to be read one by one.
YEARS = range(1970, 2200)
MOST_OFFSET_MIN = 14 * 60
# Shapes that are tried in one column.
SHAPES = 8
SECOND_US = 1_000_000
DAY_S = 86_400


def is_clock(shape: bytes) -> bool:
    """Say whether times of a shape are read here.

    Parameters
    ----------
    shape
        A time, its digits folded to 0.

    Returns
    -------
    bool
        True for the usual shapes of ISO 8601.

    Examples
    --------
    >>> is_clock(b"0000-00-00 00:00:00,000"), is_clock(b"Jan 00 00:00:00")
    (True, False)
    """
    return SHAPE.fullmatch(shape) is not None


def has_zone(shape: bytes) -> bool:
    """Say whether times of a shape name their zone.

    Parameters
    ----------
    shape
        A shape for which `is_clock` is true.

    Returns
    -------
    bool
        True where they do.
    """
    match = SHAPE.fullmatch(shape)
    return match is not None and match["zone"] is not None


def read_clocks(view: Bytes, at: Ints, shape: bytes, lead: int = 0) -> Ints:
    """Read the times that stand at some places.

    Parameters
    ----------
    view
        Bytes, with room behind the last place for one more shape.
    at
        The places.
    shape
        What stands there, its digits folded to 0.
    lead
        How many bytes of the shape stand before the time.

    Returns
    -------
    numpy.ndarray
        Microseconds since 1970 in UTC, or as the clock shows them where the shape has
        no zone. `NAT` where something else stands.

    Examples
    --------
    >>> view = np.frombuffer(b"x 1970-01-01 00:00:01,5 ", np.uint8)
    >>> int(read_clocks(view, np.array([2]), b"0000-00-00 00:00:00,0")[0])
    1500000
    """
    match = SHAPE.fullmatch(shape, lead)
    if match is None or not len(at):
        return np.full(len(at), NAT)
    windows = np.lib.stride_tricks.sliding_window_view(view, len(shape))
    columns = np.ascontiguousarray(windows[at].T)
    wrong = np.zeros(len(at), bool)
    for place, byte in enumerate(shape):
        if byte == ord("0"):
            columns[place] -= ord("0")
            wrong |= columns[place] > 9
        else:
            wrong |= columns[place] != byte
    micros = np.full(len(at), NAT)
    good = ~wrong
    micros[good] = _read(columns[lead:, good], match, lead)
    return micros


def _read(clock: Bytes, match: re.Match[bytes], lead: int) -> Ints:
    """Read times of which every digit is one; `NAT` where there is no such time."""
    shape = match.string
    year, month, day, hour, minute, second = (_number(clock[a:b]) for a, b in PLACES)
    wrong = (hour > 23) | (minute > 59) | (second > 59)
    days = _days((year * 100 + month) * 100 + day)
    wrong |= days < 0
    micros = (days * DAY_S + hour * 3600 + minute * 60 + second) * SECOND_US
    if match["fraction"] is not None:
        begin, end = (place - lead for place in match.span("fraction"))
        end = min(end, begin + 6)
        micros += _number(clock[begin:end]) * 10 ** (6 - (end - begin))
    if match["offset"] is not None:
        begin = match.start("offset") - lead
        offset = _number(clock[begin + 1 : begin + 3]) * 60
        offset += _number(clock[match.end() - lead - 2 : match.end() - lead])
        wrong |= offset > MOST_OFFSET_MIN
        sign = 1 if shape[begin + lead] == ord("+") else -1
        micros -= sign * offset * 60 * SECOND_US
    micros[wrong] = NAT
    return micros


def read_column(view: Bytes, starts: Ints, ends: Ints) -> tuple[Ints, Bools]:
    """Read a column of times, of few shapes.

    Parameters
    ----------
    view
        Bytes, with room behind them for one more shape.
    starts, ends
        Where each time stands.

    Returns
    -------
    tuple of numpy.ndarray
        As `read_clocks` gives them, and whether each names its zone.
    """
    micros = np.full(len(starts), NAT)
    zoned = np.zeros(len(starts), bool)
    left = np.arange(len(starts))
    for _ in range(SHAPES):
        if not len(left):
            break
        first = left[0]
        shape = view[starts[first] : ends[first]].tobytes().translate(FOLD)
        alike = (ends - starts)[left] == len(shape)
        rows = left[alike]
        found = read_clocks(view, starts[rows], shape) if is_clock(shape) else None
        if found is not None:
            micros[rows], zoned[rows] = found, has_zone(shape)
            alike[alike] = found != NAT
        alike[0] = True
        left = left[~alike]
    return micros, zoned


def _number(digits: Bytes) -> Ints:
    value: Ints = digits[0].astype(np.int64)
    for digit in digits[1:]:
        value = value * 10 + digit
    return value


def _days(dates: Any) -> Ints:
    """Return days since 1970 of dates as 20251124; -1 where there is no such day."""
    if not len(dates):
        return np.zeros(0, np.int64)
    # Logs stay on one day for long.
    turns = np.flatnonzero(dates[1:] != dates[:-1]) + 1
    begins = np.concatenate(([0], turns))
    days = np.array([_day(int(dates[at])) for at in begins], np.int64)
    out: Ints = np.repeat(days, np.diff(np.append(begins, len(dates))))
    return out


@lru_cache(maxsize=4096)
def _day(date: int) -> int:
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    if year not in YEARS:
        return -1
    try:
        return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days
    except ValueError:
        return -1
