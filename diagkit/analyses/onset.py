"""Since when events come more often, or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagkit.analyses.cadence import times_of
from diagkit.analyses.steps import fit_step
from diagkit.errors import SettingError

# Times alone are put into so many bins, and into this many an event at least.
BINS = 2000
BINS_AN_EVENT = 20
MOST_BINS = 200_000


@dataclass(frozen=True)
class Onset:
    """When a rate of events changed.

    Attributes
    ----------
    at
        The best date, that of the first event of the higher rate, or of the last; None
        where no change can be told.
    low, high
        The change lies between these.
    before, after
        The rates: leaks a checkout where checkouts are known, else events an hour.
    unit
        ``a checkout`` or ``an hour``.
    events
        How many events were looked at.
    reason
        Why there is none: ``too little data`` or ``no step``.
    """

    at: pd.Timestamp | None
    low: pd.Timestamp | None
    high: pd.Timestamp | None
    before: float
    after: float
    unit: str
    events: int
    reason: str = ""

    @property
    def conclusion(self) -> str:
        """What it says, in one sentence."""
        if self.at is None:
            few = self.reason == "too little data"
            why = "too few to tell a change" if few else "their rate does not change"
            return f"{self.events} events: {why}"
        assert self.low is not None
        assert self.high is not None
        return (
            f"the rate went from {self.before:.3g} to {self.after:.3g} {self.unit} "
            f"between {self.low:%Y-%m-%d %H:%M:%S} and {self.high:%Y-%m-%d %H:%M:%S} "
            "UTC"
        )


def find_onset(
    events: Any,
    start: str | pd.Timestamp | None = None,
    end: str | pd.Timestamp | None = None,
) -> Onset:
    """Find when leaks began, or when their rate changed.

    Two rates, one before a date and one after it, that make the events most likely.
    With CHECKOUTS each checkout leaked or did not, so that more traffic is no change;
    with times alone the hours between `start` and `end` are what events are counted
    against.

    Parameters
    ----------
    events
        CHECKOUTS, LEAKS, or times.
    start, end
        When it was looked from and to, where times alone are given; the first and the
        last event where nothing is said.

    Returns
    -------
    Onset
        With ``at=None`` where no change can be told from chance.

    Raises
    ------
    ContractError
        If `events` is none of these.
    SettingError
        If `start` or `end` is no time, or lies within the events.

    Examples
    --------
    >>> times = pd.date_range("2025-11-24 12:00", periods=40, freq="30s", tz="UTC")
    >>> found = find_onset(times, start="2025-11-24 10:00Z", end="2025-11-24 12:20Z")
    >>> found.low <= pd.Timestamp("2025-11-24 12:00", tz="UTC") <= found.high
    True
    >>> found.before, round(found.after)
    (0.0, 120)
    """
    times = times_of(events)
    if isinstance(events, pd.DataFrame) and "outcome" in events.columns:
        rows = events.sort_values("checked_out_at", kind="stable")
        leaked = (rows["outcome"].astype("str") == "garbage_collected").to_numpy()
        return _of_checkouts(rows["checked_out_at"].reset_index(drop=True), leaked)
    return _of_times(times, _moment(start, "start"), _moment(end, "end"))


def _of_checkouts(at: pd.Series, leaked: Any) -> Onset:
    moved = (at.diff() > pd.Timedelta(0)).to_numpy()
    step, reason = fit_step(leaked, moved)
    count = int(leaked.sum())
    if step is None:
        rate = float(leaked.mean()) if len(leaked) else np.nan
        return Onset(None, None, None, rate, rate, "a checkout", count, reason)
    return Onset(
        at[step.best],
        at[step.low],
        at[step.high],
        float(leaked[: step.best].mean()),
        float(leaked[step.best :].mean()),
        "a checkout",
        count,
    )


def _of_times(
    times: pd.Series, start: pd.Timestamp | None, end: pd.Timestamp | None
) -> Onset:
    count = len(times)
    if not count:
        return Onset(None, None, None, np.nan, np.nan, "an hour", 0, "too little data")
    first = times.iloc[0] if start is None else start
    last = times.iloc[-1] if end is None else end
    if first > times.iloc[0] or last < times.iloc[-1]:
        msg = f"start and end hold every event: {times.iloc[0]} to {times.iloc[-1]}"
        raise SettingError(msg)
    span: Any = last - first
    if not span:
        return Onset(None, None, None, np.nan, np.nan, "an hour", count, "no step")
    bins = min(MOST_BINS, max(BINS, BINS_AN_EVENT * count))
    place = ((times - first) / span * bins).astype("int64").clip(upper=bins - 1)
    # Short bins: hardly one holds two events, and one that does counts once.
    held = np.bincount(place, minlength=bins) > 0
    step, reason = fit_step(held)
    hours = span.total_seconds() / 3600

    def moment(bound: int) -> pd.Timestamp:
        return pd.Timestamp(first + span * (bound / bins)).round("us")

    if step is None:
        rate = count / hours
        return Onset(None, None, None, rate, rate, "an hour", count, reason)
    before = int((place < step.best).sum())
    share = step.best / bins
    more = before / share < (count - before) / (1 - share)
    return Onset(
        # The first event of the higher rate, or the last.
        times.iloc[before if more else before - 1],
        moment(step.low),
        moment(step.high + 1),
        before / (hours * share),
        (count - before) / (hours * (1 - share)),
        "an hour",
        count,
    )


def _moment(when: str | pd.Timestamp | None, name: str) -> pd.Timestamp | None:
    if when is None:
        return None
    found = pd.to_datetime(pd.Series([when]), utc=True, errors="coerce")
    if found.isna().any():
        msg = f"{name}={when!r} is no time; write '2025-11-19 12:00Z'"
        raise SettingError(msg)
    return pd.Timestamp(found.iloc[0])
