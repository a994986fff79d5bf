"""Which zone's clock explains by how many hours times are off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.analyses.tasks import Bools, Floats

__all__ = ["OFFSETS", "Reading", "explain_shifts"]

# A zone for each clock on Earth, those of most people first.
NAMES = (
    "America/New_York America/Jamaica America/Bogota America/Chicago "
    "America/Los_Angeles America/Denver America/Phoenix America/Mexico_City "
    "America/Toronto America/Sao_Paulo America/Halifax America/Caracas "
    "America/Santiago America/Argentina/Buenos_Aires America/St_Johns "
    "America/Anchorage America/Nuuk America/Noronha Pacific/Honolulu Europe/London "
    "Europe/Berlin Europe/Paris Europe/Athens Europe/Moscow Europe/Istanbul "
    "Atlantic/Azores Atlantic/Cape_Verde Africa/Lagos Africa/Johannesburg "
    "Africa/Cairo Africa/Nairobi Africa/Casablanca Asia/Jerusalem Asia/Beirut "
    "Asia/Riyadh Asia/Tehran Asia/Dubai Asia/Kabul Asia/Karachi Asia/Kolkata "
    "Asia/Kathmandu Asia/Dhaka Asia/Yangon Asia/Bangkok Asia/Shanghai Asia/Singapore "
    "Asia/Tokyo Asia/Seoul Australia/Perth Australia/Eucla Australia/Darwin "
    "Australia/Adelaide Australia/Brisbane Australia/Sydney Australia/Lord_Howe "
    "Pacific/Noumea Pacific/Norfolk Pacific/Auckland Pacific/Fiji Pacific/Chatham "
    "Pacific/Tongatapu Pacific/Marquesas Pacific/Pago_Pago Pacific/Kiritimati "
)
ZONES = tuple(NAMES.split())
# Hours by which a time may be off: whole and half hours, and the quarters that some
# zone has (Nepal, Eucla, the Chatham Islands).
QUARTERS = (5.75, 8.75, 12.75, 13.75)
OFFSETS = np.array(
    sorted({*np.arange(-14, 14.5, 0.5), *QUARTERS, *(-q for q in QUARTERS)})
)


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read times that are off.

    Attributes
    ----------
    chosen
        For each time whether this explains it.
    hours
        By how much those are off, the commonest first; several where a zone's clock
        changed within them.
    zones
        The zones whose local times they may be, stored as UTC: those of most people
        first; empty where none fits.
    turned
        The zones for whose local times UTC times may have been taken, and turned into
        UTC once more.
    fixed
        How many of them one fixed offset would explain.
    """

    chosen: Bools
    hours: tuple[float, ...]
    zones: tuple[str, ...]
    turned: tuple[str, ...]
    fixed: int


def explain_shifts(
    shifts: pd.Series, moments: pd.Series, least: float = 1
) -> list[Reading]:
    """Find the clocks that explain by how many hours times are off.

    A zone whose offset changes through the year fits better than a fixed offset where
    it explains more of the times; of those that explain as many, the one is taken that
    contradicts the fewest times that are right.

    Parameters
    ----------
    shifts
        Hours, above 0 where a time is late; 0 where it is right; missing where it is
        neither.
    moments
        The right times, UTC.
    least
        How many times a reading has to explain.

    Returns
    -------
    list of Reading
        The one that explains the most first; each explains what those before did not.

    Examples
    --------
    >>> moments = pd.Series(pd.to_datetime(["2025-01-15", "2025-07-15"], utc=True))
    >>> found = explain_shifts(pd.Series([-5.0, -4.0]), moments)[0]
    >>> found.zones, found.hours
    (('America/New_York', 'America/Toronto'), (-5.0, -4.0))
    """
    off = shifts.to_numpy(dtype=float)
    right, open_ = off == 0, ~np.isnan(off) & (off != 0)
    found: list[Reading] = []
    clocks = dict(_clocks(moments)) if open_.any() else {}
    while open_.any():
        reading = _best(off, open_, right, clocks)
        if reading.chosen.sum() < least:
            break
        found.append(reading)
        open_ = open_ & ~reading.chosen
    return found


def _best(
    off: Floats, open_: Bools, right: Bools, clocks: dict[str, Floats]
) -> Reading:
    values, counts = np.unique(off[open_], return_counts=True)
    turned = {zone: -clock for zone, clock in clocks.items()}
    fixed = {str(value): np.full(len(off), value) for value in values}
    tried = [clock for part in (clocks, turned, fixed) for clock in part.values()]
    # `max` returns the first of several that fit equally well.
    best = max(tried, key=lambda clock: _fit(off, open_, right, clock))
    fit, chosen = _fit(off, open_, right, best), open_ & (off == best)
    zones, zones_turned = (
        tuple(
            zone
            for zone, clock in part.items()
            if _fit(off, open_, right, clock) == fit
            and (chosen == (open_ & (off == clock))).all()
        )
        for part in (clocks, turned)
    )
    return Reading(chosen, _order(off[chosen]), zones, zones_turned, int(counts.max()))


def _fit(off: Floats, open_: Bools, right: Bools, clock: Floats) -> tuple[int, int]:
    """Count what a clock explains, and (below 0) what it contradicts."""
    return int((open_ & (off == clock)).sum()), -int((right & (clock != 0)).sum())


def _order(hours: Floats) -> tuple[float, ...]:
    values, counts = np.unique(hours, return_counts=True)
    order = np.lexsort((values, -counts))
    return tuple(values[order].tolist())


def _clocks(moments: pd.Series) -> Iterator[tuple[str, Floats]]:
    index = pd.DatetimeIndex(moments)
    utc = index.tz_convert(None)
    for zone in ZONES:
        ahead = index.tz_convert(zone).tz_localize(None) - utc
        yield zone, ahead.total_seconds().to_numpy(dtype=float) / 3600
