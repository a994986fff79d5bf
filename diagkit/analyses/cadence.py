"""Events that come at regular times: a job's, not a user's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagkit.errors import ContractError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.leaks import LEAKS

# Fewer events, or fewer turns of a period, may look regular by chance.
LEAST_EVENTS = 8
LEAST_TURNS = 5
# Chance makes so regular a series, at any period that was tried, less often.
CHANCE = 0.001
# Events that are closer than this part of a period are one turn's.
NEAR = 0.1
# A longer period that explains nearly as much is the period, the shorter its harmonic.
NEARLY = 0.6
MOST_PERIODS = 20_000
DAY_S = 86_400.0


@dataclass(frozen=True)
class Cadence:
    """At which regular times events come.

    Attributes
    ----------
    period_s
        Seconds from one to the next; None where there is no such period.
    at
        The time from which the periods are counted, near the first event.
    share
        Of the events, those within a tenth of the period around that time, 0 to 1.
    p_value
        How often chance is so regular, over all periods that were tried.
    events
        How many events were looked at.
    reason
        Why there is no period: ``too little data`` or ``no period``.
    """

    period_s: float | None
    at: pd.Timestamp | None
    share: float
    p_value: float
    events: int
    reason: str = ""

    @property
    def conclusion(self) -> str:
        """What it says, in one sentence."""
        if self.period_s is None:
            few = "too few to tell" if self.reason == "too little data" else "by chance"
            return f"{self.events} events come at no regular times ({few})"
        return (
            f"{self.share:.0%} of {self.events} events come every "
            f"{self.period_s:.4g} s, as at {self.at:%H:%M:%S} UTC: a job's times"
        )


def find_cadence(events: Any) -> Cadence:
    """Find the period in which events come, if they do.

    Rayleigh's test over every period that the data can tell: the events are put on a
    circle of that length, and the length of their mean is what counts. Chance exceeds
    ``n * length ** 2 = x`` with the probability ``exp(-x)`` for one period; the
    p-value is that of the best among all of them.

    Parameters
    ----------
    events
        LEAKS, CHECKOUTS (those that leaked), or times.

    Returns
    -------
    Cadence
        With ``period_s=None`` where chance explains the times.

    Raises
    ------
    ContractError
        If it is none of these.

    Examples
    --------
    >>> times = pd.date_range("2025-11-24 10:00:07", periods=20, freq="60s", tz="UTC")
    >>> print(find_cadence(times).conclusion)
    100% of 20 events come every 60 s, as at 10:00:07 UTC: a job's times
    """
    times = times_of(events)
    seconds = _seconds(times)
    count = len(seconds)
    none = Cadence(None, None, np.nan, np.nan, count, "too little data")
    # What comes at one moment came together, whatever brought it.
    seconds = np.unique(seconds)
    span = float(np.ptp(seconds)) if len(seconds) else 0.0
    steps = np.diff(seconds)
    if len(seconds) < LEAST_EVENTS or not span:
        return none
    shortest = max(2 * float(steps.min()), span / MOST_PERIODS * LEAST_TURNS)
    shortest = min(shortest, float(np.median(steps)) * 0.9)
    if span < LEAST_TURNS * shortest:
        return none
    tried = int(span / shortest)
    frequency = np.arange(LEAST_TURNS * 4, tried * 4 + 1) / (4 * span)
    seconds = seconds - seconds[0]
    power = _power(seconds, frequency)
    best = float(power.max(initial=0.0))
    p_value = float(-np.expm1(tried * np.log1p(-np.exp(-best)))) if best else 1.0
    if p_value > CHANCE:
        return Cadence(None, None, np.nan, p_value, count, "no period")
    first = int(np.flatnonzero(power >= NEARLY * best)[0])
    last = first
    while last + 1 < len(power) and power[last + 1] > power[last]:
        last += 1
    period, begin = _refine(seconds, 1 / frequency[last], span)
    apart = np.abs((seconds - begin + period / 2) % period - period / 2)
    share = float((apart <= NEAR * period).mean())
    at = times.iloc[0] + pd.Timedelta(round(begin * 1e6), unit="us")
    return Cadence(period, at, share, p_value, count)


def times_of(events: Any) -> pd.Series:
    """Return when events happened, in order.

    Parameters
    ----------
    events
        LEAKS, CHECKOUTS (those that leaked, when they were asked for), or times.

    Returns
    -------
    pandas.Series
        Times, UTC; those that are missing are left out.

    Raises
    ------
    ContractError
        If it is none of these.
    """
    if not isinstance(events, pd.DataFrame):
        times = pd.Series(pd.to_datetime(pd.Series(events), utc=True))
    elif "outcome" in events.columns:
        rows = CHECKOUTS.check(events)
        leaked = rows["outcome"].astype("str") == "garbage_collected"
        waited = pd.to_timedelta(rows["wait_s"].fillna(0.0), unit="s")
        times = (rows["checked_out_at"] - waited.dt.floor("us"))[leaked]
    elif "signature" in events.columns:
        times = LEAKS.check(events)["timestamp"]
    else:
        msg = "events are LEAKS, CHECKOUTS or times; a frame of something else came"
        raise ContractError(msg)
    return times.dropna().sort_values(ignore_index=True)


def _seconds(times: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(times.dt.as_unit("us").astype("int64"), np.float64) / 1e6


def _power(seconds: Any, frequency: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return n times the squared length of the mean, a number a frequency."""
    out = np.empty(len(frequency))
    step = max(1, 2_000_000 // len(seconds))
    for start in range(0, len(frequency), step):
        turns = np.outer(frequency[start : start + step], seconds)
        mean = np.exp(2j * np.pi * turns).mean(axis=1)
        out[start : start + step] = len(seconds) * np.abs(mean) ** 2
    return out


def _refine(seconds: Any, period: float, span: float) -> tuple[float, float]:
    """Return the period near another that fits best, and where the first begins."""
    begin = 0.0
    for _ in range(3):
        angle = float(np.angle(np.exp(2j * np.pi * seconds / period).mean()))
        begin = angle / (2 * np.pi) * period
        turns = np.round((seconds - begin) / period)
        slope = float(np.polyfit(turns, seconds, 1)[0])
        # A better fit lies closer than the next period that could be told.
        if abs(slope - period) > period * period / span:
            break
        period = slope
    return period, begin
