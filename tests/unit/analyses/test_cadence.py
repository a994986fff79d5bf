"""Regular times are found, and chance is not taken for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.cadence import find_cadence
from diagkit.errors import ContractError
from diagkit.frames.checkouts import CHECKOUTS
from diagkit.frames.leaks import LEAKS

START = pd.Timestamp("2025-11-24 10:00:07", tz="UTC")


def times(seconds: np.ndarray) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(np.sort(seconds), unit="s"))


@pytest.mark.parametrize("period", [7.5, 60, 300, 3600])
@pytest.mark.parametrize("others", [0.0, 0.3])
def test_a_job_is_found_among_others(period: float, others: float) -> None:
    chance = np.random.default_rng(int(period))
    right = 0
    for _ in range(20):
        turns = chance.choice(60, 40, replace=False)
        regular = turns * period + chance.normal(0, 0.01 * period, 40)
        more = chance.uniform(0, 60 * period, int(40 * others))
        found = find_cadence(times(np.concatenate([regular, more])))
        right += found.period_s is not None and abs(found.period_s / period - 1) < 0.01
    assert right >= 19


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 20, 200])
def test_chance_is_no_cadence(count: int) -> None:
    chance = np.random.default_rng(count)
    found = [
        find_cadence(times(chance.uniform(0, 3600, count))).period_s for _ in range(50)
    ]
    assert sum(period is not None for period in found) <= 1


def test_what_it_says() -> None:
    found = find_cadence(times(np.arange(20) * 60.0))
    assert found.period_s == pytest.approx(60)
    assert found.at == START
    assert found.share == 1
    assert found.conclusion == (
        "100% of 20 events come every 60 s, as at 10:00:07 UTC: a job's times"
    )
    few = find_cadence(times(np.arange(5) * 60.0))
    assert (few.period_s, few.reason) == (None, "too little data")
    assert few.conclusion.endswith("(too few to tell)")
    chance = np.random.default_rng(1)
    none = find_cadence(times(chance.uniform(0, 3600, 50)))
    assert none.conclusion == "50 events come at no regular times (by chance)"
    assert find_cadence(times(np.zeros(50))).reason == "too little data"


def test_leaks_and_checkouts_tell_their_times() -> None:
    at = times(np.arange(20) * 60.0)
    leaks = LEAKS.build(
        {
            "timestamp": at,
            "signature": "x",
            "kind": "leak",
            "severity": "high",
            "source": "a",
            "line": 1,
            "message": "m",
        }
    )
    assert find_cadence(leaks).events == 20
    rows = CHECKOUTS.build(
        {
            "checkout_id": [str(n) for n in range(20)],
            "pool": "p",
            "checked_out_at": at,
            "outcome": ["garbage_collected", "returned"] * 10,
        }
    )
    assert find_cadence(rows).events == 10
    with pytest.raises(ContractError, match="LEAKS, CHECKOUTS or times"):
        find_cadence(pd.DataFrame({"x": [1]}))
