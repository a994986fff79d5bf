"""When a pool runs dry, if connections go on being lost as they were."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.analyses.occupancy import choose_pool
from diagkit.analyses.onset import find_onset
from diagkit.analyses.rates import bound_rate, bound_wait
from diagkit.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

# With fewer samples nothing is said.
LEAST_SAMPLES = 10
# At the end nobody knows yet what comes back: so many samples, and this part of the
# time, are taken together.
RECENT, RECENT_SHARE = 10, 0.01
# What a pool's users need besides: in 95 of 100 samples no more than this.
NEED = 0.95


@dataclass(frozen=True)
class Forecast:
    """When a pool runs dry.

    Attributes
    ----------
    pool
        Its name.
    at
        The last sample: times are counted from here.
    capacity
        How many connections it may have: ``size + max_overflow``.
    lost
        How many were out all the time since they were taken, at the last sample.
    need
        How many more its users have out at a time, in 95 of 100 samples.
    events
        How many were lost during `exposure_s`.
    exposure_s
        Seconds from the first sample to `at`; from the last change of the rate, where
        there is one.
    reason
        Why nothing can be said; else empty.
    """

    pool: str
    at: pd.Timestamp | None
    capacity: int | None
    lost: int
    need: int
    events: int
    exposure_s: float
    reason: str = ""

    @property
    def left(self) -> int:
        """How many more may be lost before somebody waits; below 0: some wait now."""
        return 0 if self.capacity is None else self.capacity - self.lost - self.need

    @property
    def per_hour(self) -> tuple[float, float, float]:
        """How many are lost an hour: low, the figure itself, high."""
        if self.reason:
            return math.nan, math.nan, math.nan
        hours = self.exposure_s / 3600
        low, high = bound_rate(self.events, hours)
        return low, self.events / hours, high

    @property
    def wait_s(self) -> tuple[float, float, float]:
        """Seconds from `at` until the pool is used up: low, median, high."""
        if self.reason:
            return math.nan, math.nan, math.nan
        if self.left <= 0:
            return 0.0, 0.0, 0.0
        return bound_wait(self.left, self.events, self.exposure_s)

    def with_capacity(self, capacity: int) -> Forecast:
        """Say what another size of the pool would bring.

        Parameters
        ----------
        capacity
            How many connections it would have.

        Returns
        -------
        Forecast
            The same losses, against that many.
        """
        if capacity < 1:
            msg = f"capacity is at least 1; {capacity} came"
            raise SettingError(msg)
        reason = "" if self.reason == NO_CAPACITY else self.reason
        return replace(self, capacity=capacity, reason=reason)

    @property
    def conclusion(self) -> str:
        """What it says, in one sentence."""
        if self.reason:
            return f"pool {self.pool!r}: no forecast ({self.reason})"
        if self.left <= 0 and not self.lost:
            return (
                f"pool {self.pool!r} has none to spare: its users need {self.need} of "
                f"{self.capacity} connections, and none is lost for good"
            )
        if self.left <= 0:
            return (
                f"pool {self.pool!r} is used up: {self.lost} of {self.capacity} "
                f"connections are lost, and its users need {self.need}"
            )
        low, middle, high = (_spell(seconds) for seconds in self.wait_s)
        if not self.events:
            return (
                f"pool {self.pool!r} lost no connection in {_spell(self.exposure_s)}: "
                f"it lasts {low} more at least, in 95 of 100"
            )
        return (
            f"pool {self.pool!r} runs dry in {middle} ({low} to {high}): "
            f"{self.lost} of {self.capacity} connections are lost"
        )


NO_CAPACITY = "the samples do not say how many connections it may have"


def forecast_exhaustion(
    pool: pd.DataFrame, name: str | None = None, capacity: int | None = None
) -> Forecast:
    """Forecast when a pool runs dry at the rate at which it loses connections.

    A connection that is lost is out in every sample from then on: so many are lost as
    were never again fewer out. They come one by one at a constant rate (a Poisson
    process), from where `find_onset` sees it change or else from the first sample; from
    so many in so long follows when the next will have come, with an interval that knows
    how few were seen.

    Parameters
    ----------
    pool
        POOL.
    name
        Which pool, where there are several.
    capacity
        How many connections it may have; None: ``size + max_overflow`` of the samples.

    Returns
    -------
    Forecast
        Its ``conclusion`` says it in a sentence, ``with_capacity`` what a bigger pool
        would bring.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.
    SettingError
        If there is no such pool, or there are several and none is named.

    Examples
    --------
    >>> import pandas as pd
    >>> from diagkit.frames.pool import POOL
    >>> times = pd.date_range("2025-11-24", periods=120, freq="30s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 10,
    ...     "max_overflow": 5, "checked_out": [i // 20 for i in range(120)]})
    >>> found = forecast_exhaustion(pool)
    >>> print(found.conclusion)
    pool 'app' runs dry in 111 min (37 min to 6.8 h): 5 of 15 connections are lost
    >>> print(found.with_capacity(30).conclusion.partition(":")[0])
    pool 'app' runs dry in 4.7 h (112 min to 16.0 h)
    """
    samples = choose_pool(pool, name)
    named = str(samples["pool"].iloc[0]) if len(samples) else str(name)
    nothing = Forecast(named, None, capacity, 0, 0, 0, 0.0)
    if len(samples) < LEAST_SAMPLES:
        return replace(nothing, reason=f"{len(samples)} samples are too few")
    times = samples["timestamp"]
    seconds = (times - times.iloc[0]).dt.total_seconds().to_numpy()
    out = samples["checked_out"].to_numpy(np.int64)
    floor = _never_below(out, seconds)
    lost = int(floor[-1])
    lost_at = times.repeat(np.diff(floor, prepend=floor[0]).tolist())
    onset = find_onset(lost_at, times.iloc[0], times.iloc[-1]).at
    since = times.iloc[0] if onset is None else onset
    need = int(np.quantile(out - floor, NEED, method="higher"))
    most = samples["size"] + samples["max_overflow"]
    if capacity is None and most.notna().any():
        capacity = int(most.dropna().iloc[-1])
    exposure = float((times.iloc[-1] - since).total_seconds())
    reason = "" if capacity is not None else NO_CAPACITY
    if exposure <= 0:
        reason = "all samples are of one time"
    events = int((lost_at >= since).sum())
    return Forecast(
        named, times.iloc[-1], capacity, lost, need, events, exposure, reason
    )


def _never_below(out: Any, seconds: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return below how many the number that is out did not fall any more.

    At the end it is the least of the last samples.
    """
    recent = seconds >= seconds[-1] - RECENT_SHARE * (seconds[-1] - seconds[0])
    recent[-RECENT:] = True
    last = out[recent].min()
    known = np.where(recent, last, out)
    least = np.minimum.accumulate(known[::-1])[::-1]
    return np.asarray(least, np.int64)


def _spell(seconds: float) -> str:
    """Write a length of time with two figures or three."""
    if math.isinf(seconds):
        return "no end in sight"
    for unit, length in (("d", 86_400), ("h", 3600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
