"""Shares and rates with exact intervals, and how long until so many more events.

The intervals are Clopper and Pearson's (1934) for a share, Garwood's (1936) for a rate:
they hold the true value at least as often as they say, with few events too.
"""

from __future__ import annotations

import math

LEVEL = 0.95


def bound_share(part: int, whole: int, level: float = LEVEL) -> tuple[float, float]:
    """Return between what a share lies.

    Parameters
    ----------
    part, whole
        How many of how many.
    level
        How often the interval is to hold the true share.

    Returns
    -------
    tuple of float
        Low and high, between 0 and 1; NaN where there is nothing to count.

    Examples
    --------
    >>> [round(bound, 3) for bound in bound_share(2, 40)]
    [0.006, 0.169]
    """
    from scipy.special import betaincinv

    if not whole:
        return math.nan, math.nan
    tail = (1 - level) / 2
    low = betaincinv(part, whole - part + 1, tail) if part else 0.0
    high = betaincinv(part + 1, whole - part, 1 - tail) if part < whole else 1.0
    return float(low), float(high)


def bound_rate(
    events: int, exposure: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return between what a rate lies.

    Parameters
    ----------
    events
        How many were seen.
    exposure
        During how long, in whatever unit the rate is wanted in.
    level
        How often the interval is to hold the true rate.

    Returns
    -------
    tuple of float
        Low and high, events a unit of exposure.

    Examples
    --------
    >>> [round(bound, 2) for bound in bound_rate(3, 2.0)]
    [0.31, 4.38]
    """
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = gammaincinv(events, tail) / exposure if events else 0.0
    return float(low), float(gammaincinv(events + 1, 1 - tail) / exposure)


def bound_wait(
    more: int, events: int, exposure: float, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return how long it takes until so many more events have come.

    The time of `more` events is a gamma variable, and so is that of the `events` that
    were seen: their ratio has an F distribution, whatever the rate is. So what is not
    known of the rate is in the interval, and the chance of the coming events too.

    Parameters
    ----------
    more
        How many have to come; at least 1.
    events
        How many were seen.
    exposure
        During how long.
    level
        How often the interval is to hold the time.

    Returns
    -------
    tuple of float
        Low, median and high, in the unit of the exposure. Without an event the median
        and the high one are infinite.

    Examples
    --------
    >>> [round(bound) for bound in bound_wait(5, 10, 60.0)]
    [8, 28, 83]
    """
    from scipy.special import betaincinv

    def quantile(seen: float, chance: float) -> float:
        share = betaincinv(more, seen, chance)
        return float(share / (1 - share)) * exposure

    # The exposure ends between two events: one more than was seen bounds it below.
    tail = (1 - level) / 2
    low = quantile(events + 1, tail)
    if not events:
        return low, math.inf, math.inf
    return low, quantile(events + 0.5, 0.5), quantile(events, 1 - tail)
