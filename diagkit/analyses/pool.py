"""Connection pools: used up, and never given back."""

from __future__ import annotations

import pandas as pd

from diagkit.analyses.exhaustion import forecast_exhaustion
from diagkit.frames.findings import Finding, build_findings
from diagkit.frames.pool import POOL

# Connections that are out during all of this time at the end are called held.
TAIL = pd.Timedelta("60s")
# A forecast is worth a finding from so many lost on, and within so long.
LEAST_LOST = 3
SOON_S = 86_400.0


def check_pool(pool: pd.DataFrame) -> pd.DataFrame:
    """Report pools that were used up, and connections that stayed out to the end.

    A leak of a sync engine logs nothing at all, nor does a connection that something
    keeps for ever: the samples are the only trace of these.

    Parameters
    ----------
    pool
        POOL.

    Returns
    -------
    pandas.DataFrame
        FINDINGS: ``pool_saturated`` where samples show no connection left (only
        where the samples hold ``max_overflow``), ``connections_held`` where some were
        out in every sample of the last minute, ``pool_running_dry`` where they are lost
        one by one and the pool has enough of them for a day at most.

    Raises
    ------
    ContractError
        If `pool` is no POOL frame.

    Examples
    --------
    >>> from diagkit.frames.pool import POOL
    >>> times = pd.date_range("2025-11-24", periods=3, freq="40s", tz="UTC")
    >>> pool = POOL.build({"timestamp": times, "pool": "app", "size": 5,
    ...                    "max_overflow": 0, "checked_out": [1, 2, 2]})
    >>> check_pool(pool)["summary"].tolist()
    ["at least 2 connections of pool 'app' stayed out to the end"]
    """
    POOL.check(pool)
    findings = []
    for name, samples in pool.groupby("pool", sort=True):
        known = samples[samples["checked_out"].notna()].sort_values("timestamp")
        if len(known):
            findings += [
                *_saturated(str(name), known),
                *_held(str(name), known),
                *_running_dry(str(name), known),
            ]
    return build_findings(findings)


def is_full(samples: pd.DataFrame) -> pd.Series:
    """Tell the samples of pools in which no connection was left.

    Parameters
    ----------
    samples
        POOL.

    Returns
    -------
    pandas.Series
        Of bool; a sample of a pool whose limits are not known is none.
    """
    capacity = samples["size"] + samples["max_overflow"]
    full: pd.Series = samples["checked_out"] >= capacity
    return full.fillna(False).astype(bool)


def _saturated(name: str, samples: pd.DataFrame) -> list[Finding]:
    full = samples[is_full(samples)]
    if full.empty:
        return []
    capacity = samples["size"] + samples["max_overflow"]
    share = len(full) / len(samples)
    return [
        Finding(
            code="pool_saturated",
            subject=f"pool {name}",
            area="service",
            severity="high",
            summary=f"pool {name!r} had no connection left in {len(full)} of "
            f"{len(samples)} samples ({share:.0%})",
            evidence=f"{int(capacity.max())} connections at most; "
            f"{_span(full['timestamp'])}",
            remedy="Find what holds the connections before making the pool larger.",
        )
    ]


def _held(name: str, samples: pd.DataFrame) -> list[Finding]:
    last = samples["timestamp"].max()
    span = last - samples["timestamp"].min()
    tail = samples[samples["timestamp"] >= last - TAIL]
    least = int(tail["checked_out"].min())
    if least == 0 or span < TAIL:
        return []
    below = samples[samples["checked_out"] < least]["timestamp"]
    since = samples[samples["timestamp"] > below.max()] if len(below) else samples
    first = since["timestamp"].min()
    held_s = (last - first).total_seconds()
    noun = "connection" if least == 1 else "connections"
    return [
        Finding(
            code="connections_held",
            subject=f"pool {name}",
            area="code",
            severity="medium",
            summary=f"at least {least} {noun} of pool {name!r} stayed out to the end",
            evidence=f"never below {least} out in the last {held_s:.0f} s: "
            f"{_span(since['timestamp'])}",
            remedy="Compare with the leaks that the log names: a sync leak, or a "
            "connection that something keeps, leaves no record. Record checkouts to "
            "find the place.",
        )
    ]


def _running_dry(name: str, samples: pd.DataFrame) -> list[Finding]:
    found = forecast_exhaustion(samples)
    if found.reason or found.events < LEAST_LOST or not 0 < found.wait_s[1] < SOON_S:
        return []
    low, middle, high = found.per_hour
    return [
        Finding(
            code="pool_running_dry",
            subject=f"pool {name}",
            area="service",
            severity="medium",
            summary=found.conclusion,
            evidence=f"{found.events} lost in {found.exposure_s:.0f} s: {middle:.3g} "
            f"an hour ({low:.3g} to {high:.3g}), {found.need} in use besides",
            remedy="A pool twice the size lasts longer and is empty all the same; find "
            "what does not return its connections.",
        )
    ]


def _span(times: pd.Series) -> str:
    return f"{times.min():%Y-%m-%d %H:%M:%S} to {times.max():%Y-%m-%d %H:%M:%S} UTC"
