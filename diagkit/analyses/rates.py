"""Shares and rates with exact intervals, their ratio, and how long until more events.

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


def compare_rates(
    before: int, exposure: float, after: int, after_exposure: float
) -> tuple[float, float, float, float]:
    """Return how many times as frequent events are as they were, and how sure that is.

    Of all events, those after are a share that depends on the ratio of the rates alone
    (Przyborowski and Wilenski, 1940): its exact interval gives that of the ratio, and
    the test of the same name whether it is 1.

    Parameters
    ----------
    before, after
        How many events were seen.
    exposure, after_exposure
        During how long, or in how many requests.

    Returns
    -------
    tuple of float
        The ratio, the interval's low and high, and the p-value. Without an event: all
        NaN.

    Examples
    --------
    >>> [round(figure, 3) for figure in compare_rates(40, 10.0, 3, 8.0)]
    [0.094, 0.019, 0.294, 0.0]
    """
    from scipy.special import bdtr, bdtrc

    events = before + after
    if not events:
        return math.nan, math.nan, math.nan, math.nan

    def ratio(share: float) -> float:
        odds = share / (1 - share) if share < 1 else math.inf
        return odds * exposure / after_exposure

    low, high = bound_share(after, events)
    expected = after_exposure / (exposure + after_exposure)
    fewer = float(bdtr(after, events, expected))
    more = float(bdtrc(after - 1, events, expected)) if after else 1.0
    p_value = min(1.0, 2 * min(fewer, more))
    return ratio(after / events), ratio(low), ratio(high), p_value
