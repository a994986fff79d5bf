"""Times as logs and exports write them, to UTC."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from diagkit.errors import DiagkitWarning, SettingError
from diagkit.frames.contract import UTC_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

ZONED = re.compile(r"(?:Z|UTC|[+-]\d\d:?\d\d)$")
# Epochs in seconds, milli-, micro- and nanoseconds are told apart by their size: each
# bound is the year 2286 in its unit.
EPOCH_BOUNDS = ((1e10, 1e6), (1e13, 1e3), (1e16, 1.0), (1e19, 1e-3))


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


def parse_times(values: Sequence[object], tz: str | None, where: str) -> pd.Series:
    """Turn times as they were written into UTC.

    Parameters
    ----------
    values
        ISO 8601 text (a comma for the point and blanks are allowed), epochs as
        numbers in s, ms, us or ns, or None.
    tz
        Zone of the times that are written without one. None: UTC, with one warning.
    where
        What is read, for the warning.

    Returns
    -------
    pandas.Series
        ``datetime64[us, UTC]``; NaT where there was None, or no time that is known.

    Examples
    --------
    >>> str(parse_times(["2025-11-24 23:20:56,631"], "UTC", "x.log")[0])
    '2025-11-24 23:20:56.631000+00:00'
    """
    raw: pd.Series = pd.Series(list(values), dtype=object)
    out = pd.Series(pd.NaT, index=raw.index, dtype=UTC_TIME)
    is_text = raw.map(lambda v: isinstance(v, str)).astype(bool)
    is_number = raw.map(lambda v: isinstance(v, int | float) and v == v).astype(bool)
    if is_number.any():
        out[is_number] = _from_epoch(raw[is_number])
    if is_text.any():
        out[is_text] = _from_text(raw[is_text].astype("str"), tz, where)
    return out


def _from_epoch(numbers: pd.Series) -> pd.Series:
    values = numbers.astype("float64")
    micros = pd.Series(float("nan"), index=numbers.index)
    for bound, factor in reversed(EPOCH_BOUNDS):
        micros = micros.mask(values.abs() < bound, values * factor)
    whole = micros.round().astype("Int64")
    done: pd.Series = pd.to_datetime(whole, unit="us", utc=True)
    return _as_utc(done)


def _from_text(text: pd.Series, tz: str | None, where: str) -> pd.Series:
    clean = (
        text.str.strip()
        .str.replace(",", ".", regex=False)
        .str.replace(r"^(\d{4})[/.](\d\d)[/.]", r"\1-\2-", regex=True)
        .str.replace(r" ?UTC$", "Z", regex=True)
        .str.replace(r" ([+-]\d\d:?\d\d)$", r"\1", regex=True)
    )
    zoned = clean.str.contains(ZONED.pattern, regex=True)
    out = pd.Series(pd.NaT, index=text.index, dtype=UTC_TIME)
    for mask, zone in ((zoned, "UTC"), (~zoned, tz)):
        if mask.any():
            out[mask] = _localise(clean[mask], zone, where)
    return out


def _localise(text: pd.Series, tz: str | None, where: str) -> pd.Series:
    # Logs repeat their times: each distinct text is parsed once.
    distinct = pd.Series(text.unique())
    times = pd.to_datetime(distinct, format="ISO8601", utc=True, errors="coerce")
    if tz is None and times.notna().any():
        warnings.warn(
            f"{where}: its times have no zone and are taken as UTC; say tz=... to "
            "read them right",
            DiagkitWarning,
            stacklevel=2,
        )
    if tz not in (None, "UTC"):
        times = _to_utc(times.dt.tz_localize(None), find_zone(tz), where)
    known = dict(zip(distinct, _as_utc(times), strict=True))
    return pd.Series([known[t] for t in text], index=text.index, dtype=UTC_TIME)


def _to_utc(naive: pd.Series, zone: ZoneInfo, where: str) -> pd.Series:
    local: pd.Series
    # A clock that is put back shows an hour twice: in order of writing, pandas can
    # often tell which is which. Where it cannot, the first of the two is taken.
    try:
        local = naive.dt.tz_localize(
            zone, ambiguous="infer", nonexistent="shift_forward"
        )
    except ValueError:
        local = naive.dt.tz_localize(
            zone, ambiguous=[True] * len(naive), nonexistent="shift_forward"
        )
        warnings.warn(
            f"{where}: times in an hour that {zone.key} has twice are taken as the "
            "first of the two",
            DiagkitWarning,
            stacklevel=2,
        )
    return _as_utc(local)


def _as_utc(times: pd.Series) -> pd.Series:
    done: pd.Series = times.dt.tz_convert("UTC").dt.as_unit("us")
    return done
