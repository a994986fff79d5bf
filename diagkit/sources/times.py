"""Times as logs and exports write them, to UTC."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from diagkit.errors import DiagkitWarning, SettingError
from diagkit.frames.contract import UTC_TIME
from diagkit.sources.clocks import NAT
from diagkit.sources.timestyles import EPOCH_BLOCK, YEARLESS, to_iso

if TYPE_CHECKING:
    from collections.abc import Sequence

# Two digits are a zone only after a clock: a date ends with its day.
ZONED = re.compile(r"(?:Z|UTC|[+-]\d\d:?\d\d|:\S*[+-]\d\d)$")
EPOCH = re.compile(EPOCH_BLOCK, re.ASCII)
# Epochs in seconds, milli-, micro- and nanoseconds are told apart by their size: each
# bound is the year 2286 in its unit.
EPOCH_BOUNDS = ((1e10, 1e6), (1e13, 1e3), (1e16, 1.0), (1e19, 1e-3))
MOST = 1e19
# A clock that goes back by more was put back; lines come late by less.
BACK = pd.Timedelta(minutes=-30)


@lru_cache(maxsize=64)
def find_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name.

    Parameters
    ----------
    name
        As in the IANA database: ``UTC``, ``Europe/Berlin`` ...

    Returns
    -------
    zoneinfo.ZoneInfo
        The zone.

    Raises
    ------
    SettingError
        If there is none of that name.

    Examples
    --------
    >>> find_zone("America/Jamaica").key
    'America/Jamaica'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"no time zone {name!r}: use a name such as 'UTC' or 'Europe/Berlin'"
        raise SettingError(msg) from None


def parse_times(
    values: Sequence[object], tz: str | None, where: str, year: int | None = None
) -> pd.Series:
    """Turn times as they were written into UTC.

    Parameters
    ----------
    values
        ISO 8601 text (a comma for the point and blanks are allowed), text of a style
        of `timestyles.STYLES`, epochs as numbers or text in s, ms, us or ns, or None.
    tz
        Zone of the times that are written without one. None: UTC, with one warning.
    where
        What is read, for the warning.
    year
        Year of the first of the times that name none (syslog, logcat). Those after it
        may run on into the next year. None: such times are NaT, with one warning.

    Returns
    -------
    pandas.Series
        ``datetime64[us, UTC]``; NaT where there was None, or no time that is known.

    Examples
    --------
    >>> str(parse_times(["2025-11-24 23:20:56,631"], "UTC", "x.log")[0])
    '2025-11-24 23:20:56.631000+00:00'
    >>> str(parse_times(["Dec 31 23:59:59", "Jan  1 00:00:00"], "UTC", "x", 2025)[1])
    '2026-01-01 00:00:00+00:00'
    """
    micros = np.full(len(values), NAT)
    zoned = np.zeros(len(values), bool)
    rows = np.arange(len(values))
    return resolve_times(micros, zoned, rows, values, tz, where, year)


def resolve_times(
    micros: np.ndarray[Any, np.dtype[np.int64]],
    zoned: np.ndarray[Any, np.dtype[np.bool_]],
    rows: np.ndarray[Any, np.dtype[np.intp]],
    values: Sequence[object],
    tz: str | None,
    where: str,
    year: int | None = None,
) -> pd.Series:
    """Turn times of which most are read already into UTC.

    Parameters
    ----------
    micros, zoned
        As `clocks.read_clocks` gives them.
    rows, values
        The others: which they are, and as they were written.
    tz, where, year
        As for `parse_times`.

    Returns
    -------
    pandas.Series
        ``datetime64[us, UTC]``.
    """
    micros, zoned = micros.copy(), zoned.copy()
    if len(rows):
        micros[rows], zoned[rows] = _read(values, where, year)
    naive = ~zoned & (micros != NAT)
    if naive.any() and tz is None:
        warnings.warn(
            f"{where}: its times have no zone and are taken as UTC; say tz=... to "
            "read them right",
            DiagkitWarning,
            stacklevel=2,
        )
    times = pd.Series(micros.view("datetime64[us]"))
    if tz not in (None, "UTC") and naive.any():
        local = _to_utc(times[naive], find_zone(tz), where)
        times[naive] = local.dt.tz_localize(None)
    done: pd.Series = times.dt.tz_localize("UTC")
    return done


def _read(
    values: Sequence[object], where: str, year: int | None
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return microseconds, in UTC or as the clock shows them, and which is which."""
    raw: pd.Series = pd.Series(list(values), dtype=object)
    times = pd.Series(pd.NaT, index=raw.index, dtype=UTC_TIME)
    zoned = np.ones(len(raw), bool)
    is_number = raw.map(_is_epoch).astype(bool)
    is_text = raw.map(lambda v: isinstance(v, str)).astype(bool) & ~is_number
    if is_number.any():
        times[is_number] = _from_epoch(raw[is_number].map(float))
    if is_text.any():
        times[is_text], zoned[is_text] = _from_text(
            raw[is_text].astype("str"), where, year
        )
    return times.dt.tz_localize(None).to_numpy("datetime64[us]").view("int64"), zoned


def _is_epoch(value: object) -> bool:
    if isinstance(value, str):
        return EPOCH.fullmatch(value) is not None
    # A number too large for a float is no time; nor is True.
    return type(value) in (int, float) and abs(value) < MOST  # type: ignore[arg-type]


def _from_epoch(numbers: pd.Series) -> pd.Series:
    values = numbers.astype("float64")
    micros = pd.Series(float("nan"), index=numbers.index)
    for bound, factor in reversed(EPOCH_BOUNDS):
        micros = micros.mask(values.abs() < bound, values * factor)
    whole = micros.round().astype("Int64")
    done: pd.Series = pd.to_datetime(whole, unit="us", utc=True)
    return _as_utc(done)


def _from_text(
    text: pd.Series, where: str, year: int | None
) -> tuple[pd.Series, np.ndarray[Any, np.dtype[np.bool_]]]:
    # Logs repeat their times: each distinct text is looked at once.
    distinct = pd.Series(text.unique())
    iso = dict(zip(distinct, _clean(distinct), strict=True))
    clean = pd.Series([iso[t] for t in text.tolist()], index=text.index, dtype="str")
    yearless = clean.str.startswith(YEARLESS)
    if yearless.any():
        clean[yearless] = _with_year(clean[yearless], year, where)
    distinct = pd.Series(clean.unique())
    parsed = pd.to_datetime(distinct, format="ISO8601", utc=True, errors="coerce")
    known = dict(zip(distinct, _as_utc(parsed), strict=True))
    times = pd.Series(
        [known[t] for t in clean.tolist()], index=text.index, dtype=UTC_TIME
    )
    return times, clean.str.contains(ZONED.pattern, regex=True).to_numpy(bool)


def _clean(text: pd.Series) -> pd.Series:
    """Write each time as ISO 8601 does; what is no time stays as it is."""
    clean = (
        text.str.strip()
        .str.replace(",", ".", regex=False)
        .str.replace(r"^(\d{4})[/.](\d\d)[/.]", r"\1-\2-", regex=True)
        .str.replace(r" ?(?:UTC|GMT)$", "Z", regex=True)
        .str.replace(r" ([+-]\d\d:?\d\d)$", r"\1", regex=True)
    )
    other = ~clean.str.contains(r"^(?:\d{4}-\d\d-\d\d(?:[T ]|$)|--)", regex=True)
    if other.any():
        styled = [to_iso(t.strip()) or t for t in text[other].tolist()]
        clean[other] = pd.Series(styled, index=clean.index[other], dtype="str")
    return clean


def _with_year(text: pd.Series, year: int | None, where: str) -> pd.Series:
    """Fill in the year of times that name none, in the order in which they came."""
    if year is None:
        warnings.warn(
            f"{where}: its times name no year; they stay empty, for none is invented",
            DiagkitWarning,
            stacklevel=2,
        )
        return pd.Series("", index=text.index, dtype="str")
    months = text.str.slice(2, 4).astype("int64").diff().fillna(0)
    # From December to January a year has gone; the way back is a late line.
    gone = (months <= -6).astype("int64") - (months >= 6).astype("int64")
    years = (year + gone.cumsum()).map("{:04}".format)
    return years.astype("str") + text.str.slice(1)


def _to_utc(naive: pd.Series, zone: ZoneInfo, where: str) -> pd.Series:
    local: pd.Series = naive.dt.tz_localize(
        zone, ambiguous="NaT", nonexistent="shift_forward"
    )
    twice = local.isna() & naive.notna()
    if twice.any():
        first = _is_first(naive, twice, zone, where)
        local = naive.dt.tz_localize(
            zone, ambiguous=first.to_numpy(), nonexistent="shift_forward"
        )
    return _as_utc(local)


def _is_first(
    naive: pd.Series, twice: pd.Series, zone: ZoneInfo, where: str
) -> pd.Series:
    """Tell the first hour from the second, where a clock is put back.

    In the order of writing, the second begins where the clock goes back by more than
    lines that come late do. Where it never does, all are taken as of the first hour.
    """
    hours = naive[twice]
    day = hours.dt.normalize()
    back = (hours.groupby(day).diff() < BACK).astype("int64")
    second = back.groupby(day).cumsum() > 0
    if not second.groupby(day).any().all():
        warnings.warn(
            f"{where}: times in an hour that {zone.key} has twice are taken as the "
            "first of the two",
            DiagkitWarning,
            stacklevel=2,
        )
    first = pd.Series(True, index=naive.index)
    first[twice] = ~second
    return first


def _as_utc(times: pd.Series) -> pd.Series:
    done: pd.Series = times.dt.tz_convert("UTC").dt.as_unit("us")
    return done
