"""Starts that are off by whole or half hours: local times that were stored as UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diagkit.frames.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from diagkit.analyses.start_facts import StartFacts

__all__ = ["check_hours", "check_zone", "commonest", "find_shifts", "say_hours"]

STEP_S = 1800.0
# A run's first task is created within minutes of the start, never before it but for
# the clocks of two machines.
SHIFT_EARLY_S = 30.0
SHIFT_LATE_S = 300.0
# One start that is five hours off is an accident, a fifth of them is a zone.
SHIFT_SHARE = 0.2
SHIFT_PROJECTS = 3
# Offsets of zones on Earth, in half hours.
SHIFT_STEPS = range(-28, 29)


def check_zone(facts: StartFacts) -> Iterator[Finding]:
    """Report each offset that so many starts share that it must be a zone's."""
    steps = find_shifts(facts.lag)
    known = int(facts.lag.notna().sum())
    for offset in _zones(steps, known):
        chosen = steps == offset
        yield Finding(
            "zone_shift",
            f"execution_started_at {offset:+g}",
            "data",
            "high",
            f"{int(chosen.sum())} of {known} starts are {say_hours(offset)} against "
            "their run's first task: local times of a zone at "
            f"{_utc_offset(offset)} stored as UTC",
            facts.name(chosen),
            f"read them with the zone they were written in, or move them by "
            f"{-offset:+g} h; make the column timestamp with time zone",
        )


def check_hours(facts: StartFacts) -> Iterator[Finding]:
    """Report the single starts that are off by whole or half hours."""
    steps = find_shifts(facts.lag)
    zones = _zones(steps, int(facts.lag.notna().sum()))
    # One that is later than every task is a finding of its own, with this as a hint.
    chosen = steps.notna() & ~steps.isin(zones) & ~facts.late
    if chosen.any():
        offset, count = commonest(steps[chosen])
        total = int(chosen.sum())
        yield Finding(
            "start_off_by_hours",
            "execution_started_at",
            "data",
            "medium",
            f"{total} start{'' if total == 1 else 's'} off by whole or half hours "
            f"against the last run's first task, {count} of them {say_hours(offset)}: "
            f"a local time at {_utc_offset(offset)} may be stored as UTC, and an "
            "earlier run is counted in",
            facts.name(chosen),
            "look what wrote them (a script, a person, another worker) and in which "
            "zone; correct them one by one",
        )


def find_shifts(lag: pd.Series) -> pd.Series:
    """Return by how many hours each start is off; missing where it is not.

    Parameters
    ----------
    lag
        How long after the start the last run's first task was created.

    Returns
    -------
    pandas.Series
        Hours in steps of a half, above 0 where the start is late.

    Examples
    --------
    >>> import pandas as pd
    >>> find_shifts(pd.Series(pd.to_timedelta(["5h 20s", "20s", "47min"]))).tolist()
    [-5.0, nan, nan]
    """
    seconds: pd.Series = lag.dt.total_seconds()
    steps: pd.Series = np.floor((seconds + SHIFT_EARLY_S) / STEP_S)
    rest = seconds - steps * STEP_S
    near = (rest <= SHIFT_LATE_S) & (steps != 0) & steps.isin(list(SHIFT_STEPS))
    # A start five hours early has its tasks five hours after it.
    hours: pd.Series = (-steps / 2).where(near)
    return hours


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


def _zones(steps: pd.Series, known: int) -> list[float]:
    """Return the offsets that enough starts share, the commonest first."""
    counts = steps.value_counts()
    least = max(SHIFT_PROJECTS, SHIFT_SHARE * known)
    found = [(-int(n), float(str(step))) for step, n in counts.items() if n >= least]
    return [step for _, step in sorted(found)]


def _utc_offset(offset: float) -> str:
    minutes = round(abs(offset) * 60)
    return f"UTC{'+' if offset > 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"
