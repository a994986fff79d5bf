"""Starts that are off by whole or half hours: local times that were stored as UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.start_facts import name_some
from diagkit.analyses.zones import OFFSETS, Reading, explain_shifts
from diagkit.frames.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.analyses.start_facts import StartFacts

__all__ = ["check_hours", "check_zone", "commonest", "find_shifts", "say_hours"]

# A run's first task is created within minutes of the start, never before it but for
# the clocks of two machines.
SHIFT_EARLY_S = 30.0
SHIFT_LATE_S = 300.0
# One start that is five hours off is an accident, a fifth of them is a zone.
SHIFT_SHARE = 0.2
SHIFT_PROJECTS = 3
ZONES_NAMED = 3


def check_zone(facts: StartFacts) -> Iterator[Finding]:
    """Report each clock that explains so many starts that it must be a zone's."""
    known = int(facts.lag.notna().sum())
    for reading in _zones(facts):
        chosen = pd.Series(reading.chosen)
        hours = reading.hours
        subject = f"{hours[0]:+g}"
        if len(hours) > 1:
            subject = (reading.zones or reading.turned)[0]
        back = " or ".join(f"{-offset:+g} h" for offset in hours)
        yield Finding(
            "zone_shift",
            f"execution_started_at {subject}",
            "data",
            "high",
            f"{int(chosen.sum())} of {known} starts are {_say_all(hours)} against "
            f"their run's first task: {_say_reading(reading)}",
            facts.name(chosen),
            f"read them with the zone they were written in, or move them by {back}; "
            "make the column timestamp with time zone",
        )


def check_hours(facts: StartFacts) -> Iterator[Finding]:
    """Report the single starts that are off by whole or half hours."""
    steps = find_shifts(facts.lag)
    chosen = steps.notna() & (steps != 0)
    for reading in _zones(facts):
        chosen &= ~reading.chosen
    # One that is later than every task is a finding of its own, with this as a hint.
    chosen &= ~facts.late
    if chosen.any():
        offset, count = commonest(steps[chosen])
        total = int(chosen.sum())
        one = explain_shifts(steps.where(chosen & (steps == offset)), facts.first)[0]
        yield Finding(
            "start_off_by_hours",
            "execution_started_at",
            "data",
            "medium",
            f"{total} start{'' if total == 1 else 's'} off by whole or half hours "
            f"against the last run's first task, {count} of them {say_hours(offset)}: "
            f"{_say_reading(one, sure=False)}, and an earlier run may be counted "
            "in",
            facts.name(chosen),
            "Look what wrote them (a script, a person, another worker) and in which "
            "zone; correct them one by one.",
        )


def find_shifts(lag: pd.Series) -> pd.Series:
    """Return by how many hours each start is off: 0 where it is right.

    Parameters
    ----------
    lag
        How long after the start the last run's first task was created.

    Returns
    -------
    pandas.Series
        Hours, one of `OFFSETS`, above 0 where the start is late; missing where it is
        neither right nor off by any of them.

    Examples
    --------
    >>> import pandas as pd
    >>> lag = pd.Series(pd.to_timedelta(["5h 20s", "20s", "47min", "-344min"]))
    >>> find_shifts(lag).tolist()
    [-5.0, 0.0, nan, 5.75]
    """
    seconds = lag.dt.total_seconds().to_numpy(dtype=float)
    # A start five hours early has its tasks five hours after it.
    at = np.searchsorted(OFFSETS * 3600, -seconds - SHIFT_EARLY_S)
    hours = OFFSETS[np.minimum(at, len(OFFSETS) - 1)]
    delay = seconds + hours * 3600
    near = (delay >= -SHIFT_EARLY_S) & (delay <= SHIFT_LATE_S)
    return pd.Series(np.where(near, hours, np.nan), index=lag.index)


def commonest(steps: pd.Series) -> tuple[float, int]:
    """Return the offset that most starts share, and how many do."""
    counts = steps.value_counts()
    most = int(counts.max())
    return float(min(counts.index[counts == most])), most


def say_hours(offset: float) -> str:
    """Say an offset in words.

    Examples
    --------
    >>> say_hours(-5.5)
    '5.5 h early'
    """
    return f"{abs(offset):g} h {'late' if offset > 0 else 'early'}"


def _zones(facts: StartFacts) -> list[Reading]:
    """Return the clocks that enough starts share, the commonest first."""
    known = int(facts.lag.notna().sum())
    least = max(SHIFT_PROJECTS, SHIFT_SHARE * known)
    return explain_shifts(find_shifts(facts.lag), facts.first, least)


def _say_all(hours: tuple[float, ...]) -> str:
    words = [say_hours(offset) for offset in hours]
    return " or ".join(words)


def _say_reading(reading: Reading, *, sure: bool = True) -> str:
    perhaps = "" if sure else "perhaps "
    stored = perhaps + "local times of a zone at {} stored as UTC"
    turned = "UTC times taken for local ones of a zone at {} and turned into UTC again"
    said = [
        text.format(" and ".join(_utc_offset(sign * h) for h in sorted(reading.hours)))
        + f" (such as {name_some(list(zones[:ZONES_NAMED]))})"
        for text, sign, zones in (
            (stored, 1, reading.zones),
            (turned, -1, reading.turned),
        )
        if zones
    ]
    if not said:
        return f"no zone is at {_utc_offset(reading.hours[0])}"
    changed = ""
    if len(reading.hours) > 1:
        changed = (
            f"; its clock changed within them: a fixed offset would explain "
            f"{reading.fixed}"
        )
    return ", or ".join(said) + changed


def _utc_offset(offset: float) -> str:
    minutes = round(abs(offset) * 60)
    return f"UTC{'+' if offset >= 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"
