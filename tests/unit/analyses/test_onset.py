"""The date of a change in a rate, where it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.onset import find_onset
from diagkit.errors import SettingError
from diagkit.frames.checkouts import CHECKOUTS

START = pd.Timestamp("2025-11-24 10:00", tz="UTC")
END = START + pd.Timedelta("4h")


def times(hours: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(np.sort(hours), unit="h"))


def checkouts(at: pd.Series, leaked: np.ndarray) -> pd.DataFrame:
    return CHECKOUTS.build(
        {
            "checkout_id": [str(n) for n in range(len(at))],
            "pool": "p",
            "checked_out_at": at,
            "outcome": np.where(leaked, "garbage_collected", "returned"),
        }
    )


def test_the_interval_holds_the_change() -> None:
    chance = np.random.default_rng(5)
    found = held = 0
    for _ in range(100):
        change = chance.uniform(0.5, 3.5)
        before = chance.uniform(0, change, chance.poisson(3 * change))
        after = chance.uniform(change, 4, chance.poisson(30 * (4 - change)))
        onset = find_onset(times(np.concatenate([before, after])), START, END)
        if onset.at is None:
            continue
        found += 1
        held += onset.low <= START + pd.Timedelta(hours=change) <= onset.high
        assert onset.unit == "an hour"
    assert found >= 90
    assert held / found >= 0.93


def test_a_constant_rate_has_no_onset() -> None:
    chance = np.random.default_rng(6)
    told = [
        find_onset(times(chance.uniform(0, 4, 60)), START, END).at for _ in range(200)
    ]
    assert sum(at is not None for at in told) <= 6


def test_more_traffic_is_no_change_of_a_rate_a_checkout() -> None:
    chance = np.random.default_rng(8)
    hours = np.concatenate([chance.uniform(0, 2, 200), chance.uniform(2, 4, 2000)])
    at = times(hours)
    constant = checkouts(at, chance.random(2200) < 0.05)
    found = find_onset(constant)
    assert found.at is None
    assert found.reason == "no step"
    assert found.unit == "a checkout"
    assert "their rate does not change" in found.conclusion
    rises = at > START + pd.Timedelta("3h")
    onset = find_onset(checkouts(at, rises & (chance.random(2200) < 0.05)))
    assert onset.low <= START + pd.Timedelta("3h5min")
    assert onset.high >= START + pd.Timedelta("3h")
    assert onset.before < 0.01 < onset.after
    assert onset.conclusion.startswith("the rate went from")


def test_edges_and_wrong_settings() -> None:
    assert find_onset([]).reason == "too little data"
    assert find_onset(checkouts(times(np.zeros(0)), np.zeros(0, bool))).at is None
    one = find_onset(times(np.zeros(3)))
    assert (one.at, one.reason) == (None, "no step")
    few = find_onset(times(np.array([0.0, 1.0])), START, END)
    assert few.at is None
    with pytest.raises(SettingError, match="start and end hold every event"):
        find_onset(times(np.array([0.0, 1.0])), START + pd.Timedelta("30min"))
    with pytest.raises(SettingError, match="start='soon' is no time"):
        find_onset(times(np.array([0.0])), "soon")


def test_a_rate_that_falls_is_dated_by_the_last_event() -> None:
    onset = find_onset(times(np.linspace(0, 1, 60)), START, END)
    assert onset.at == START + pd.Timedelta("1h")
    assert onset.after == 0
