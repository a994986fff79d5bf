"""Forecasts of a pool that runs dry: intervals that hold what came."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.exhaustion import forecast_exhaustion
from diagkit.errors import SettingError
from diagkit.frames.pool import POOL

HOUR = 3600.0


def samples(out: list[int], size: int | None = 10) -> pd.DataFrame:
    times = pd.date_range("2025-11-24", periods=len(out), freq="30s", tz="UTC")
    return POOL.build(
        {
            "timestamp": times,
            "pool": "app",
            "size": size,
            "checked_out": out,
            "max_overflow": None if size is None else 0,
        }
    )


def test_what_comes_back_is_not_lost() -> None:
    found = forecast_exhaustion(samples([0, 3, 0, 4, 1, 5, 1, 3, 1, 2, 1, 1, 2, 1]))
    assert (found.lost, found.events, found.capacity) == (1, 1, 10)
    assert found.need == 4
    assert found.left == 5
    assert found.exposure_s == 13 * 30


def test_nothing_lost_leaves_only_the_least_time() -> None:
    found = forecast_exhaustion(samples([0, 2] * 60))
    low, middle, high = found.wait_s
    assert found.events == 0
    assert 0 < low < math.inf
    assert middle == high == math.inf
    assert "lost no connection in 60 min" in found.conclusion


def test_a_pool_that_is_just_too_small_loses_nothing() -> None:
    found = forecast_exhaustion(samples([0, 10] * 30))
    assert found.wait_s == (0, 0, 0)
    assert found.conclusion == (
        "pool 'app' has none to spare: its users need 10 of 10 connections, and none "
        "is lost for good"
    )


def test_a_pool_that_is_used_up_says_so() -> None:
    found = forecast_exhaustion(samples(list(range(11)) + [10] * 10))
    assert found.wait_s == (0, 0, 0)
    assert "is used up: 10 of 10 connections are lost" in found.conclusion
    assert found.with_capacity(40).wait_s[1] > 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (samples([1] * 9), "9 samples are too few"),
        (samples([]), "0 samples are too few"),
        (samples([1] * 20, None), "do not say how many"),
        (
            samples([1] * 20, 5).assign(timestamp=pd.Timestamp("2025", tz="UTC")),
            "all samples are of one time",
        ),
    ],
)
def test_why_there_is_no_forecast(frame: pd.DataFrame, reason: str) -> None:
    found = forecast_exhaustion(frame)
    assert reason in found.reason
    assert reason in found.conclusion
    assert all(math.isnan(x) for x in (*found.wait_s, *found.per_hour))


def test_a_capacity_may_be_given() -> None:
    frame = samples([0] * 10 + [1] * 10, None)
    assert forecast_exhaustion(frame, capacity=8).left == 7
    assert forecast_exhaustion(frame).with_capacity(8).left == 7
    with pytest.raises(SettingError, match="at least 1; 0 came"):
        forecast_exhaustion(frame, capacity=8).with_capacity(0)


def test_the_rate_is_that_since_it_changed() -> None:
    steady, leaking = [0, 1] * 600, list(range(10)) * 1
    out = steady + [lost for lost in leaking for _ in range(12)]
    found = forecast_exhaustion(samples(out, 40))
    # One in 6 minutes, not nine in 11 hours.
    assert 8 <= found.per_hour[1] <= 11
    assert found.exposure_s <= 3600


@pytest.mark.slow
def test_the_interval_holds_what_came() -> None:
    """Pools that lose at a constant rate, watched for a while, and then to the end."""
    chance = np.random.default_rng(3)
    held = told = 0
    for _ in range(300):
        rate = chance.uniform(3, 12)  # an hour
        capacity = int(chance.integers(20, 50))
        lost_at = np.cumsum(chance.exponential(1 / rate, 60))
        watched = np.arange(0, 2, 1 / 120)
        lost = np.searchsorted(lost_at, watched)
        load = chance.poisson(1.0, len(watched))
        times = pd.Timestamp("2025-11-24", tz="UTC") + pd.to_timedelta(watched, "h")
        frame = POOL.build(
            {
                "timestamp": times,
                "pool": "p",
                "size": capacity,
                "max_overflow": 0,
                "checked_out": lost + load,
            }
        )
        found = forecast_exhaustion(frame)
        if found.left <= 0 or not found.events:
            continue
        told += 1
        ran_dry = lost_at[lost[-1] + found.left - 1] - watched[-1]
        low, _, high = found.wait_s
        held += low <= ran_dry * HOUR <= high
    assert told > 250
    assert held / told >= 0.93
