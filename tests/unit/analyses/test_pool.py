from __future__ import annotations

import pandas as pd

from diagkit.analyses.pool import check_pool
from diagkit.frames.findings import FINDINGS
from diagkit.frames.pool import POOL


def make_pool(out: list[int | None], max_overflow: int | None = 5) -> pd.DataFrame:
    times = pd.date_range("2025-11-24T10:00Z", periods=len(out), freq="10s")
    return POOL.build(
        {
            "timestamp": times,
            "pool": "app",
            "size": 5,
            "max_overflow": [max_overflow] * len(out),
            "checked_out": out,
        }
    )


def test_a_pool_that_was_used_up() -> None:
    findings = FINDINGS.check(check_pool(make_pool([0, 10, 10, 3, 0, 0, 0, 0, 0, 0])))
    assert findings["code"].tolist() == ["pool_saturated"]
    said = "pool 'app' had no connection left in 2 of 10 samples (20%)"
    assert findings.loc[0, "summary"] == said
    assert "2025-11-24 10:00:10 to 2025-11-24 10:00:20 UTC" in findings["evidence"][0]


def test_without_the_overflow_nobody_knows_the_capacity() -> None:
    assert check_pool(make_pool([10, 10, 0, 0, 0, 0, 0, 0, 0], None)).empty


def test_connections_that_stay_out() -> None:
    findings = check_pool(make_pool([0, 4, 1, 2, 3, 2, 2, 3, 2, 2]))
    assert findings["code"].tolist() == ["connections_held"]
    assert findings.loc[0, "summary"].startswith("at least 2 connections of pool")
    assert "last 60 s: 2025-11-24 10:00:30" in findings.loc[0, "evidence"]


def test_all_given_back_at_the_end_is_no_finding() -> None:
    assert check_pool(make_pool([4, 4, 4, 4, 4, 4, 4, 4, 0])).empty


def test_too_short_a_record_decides_nothing() -> None:
    assert check_pool(make_pool([1, 1, 1])).empty


def test_nothing_sampled_is_no_finding() -> None:
    assert check_pool(POOL.empty()).empty
    assert check_pool(make_pool([None] * 9)).empty


def losing(every: int, count: int, size: int) -> pd.DataFrame:
    """Make a pool that loses a connection each `every` samples of 10 s."""
    pool = make_pool([number // every for number in range(every * count)], 0)
    return pool.assign(size=pd.array([size] * len(pool), dtype="Int64"))


def test_a_pool_that_runs_dry_within_a_day() -> None:
    findings = check_pool(losing(every=6, count=10, size=100)).set_index("code")
    dry = findings.loc["pool_running_dry"]
    # The ninth went within the last minute, and may come back yet. 8 in 590 s are 48.8
    # an hour; 100 - 8 - 1 are left for 112 min, a little less for the median.
    assert dry["summary"] == (
        "pool 'app' runs dry in 109 min (54 min to 4.4 h): "
        "8 of 100 connections are lost"
    )
    assert dry["evidence"] == (
        "8 lost in 590 s: 48.8 an hour (21.1 to 96.2), 1 in use besides"
    )
    assert dry["area"] == "service"


def test_a_pool_that_lasts_for_days_is_no_finding() -> None:
    codes = check_pool(losing(every=6, count=10, size=5000))["code"].tolist()
    assert codes == ["connections_held"]


def test_two_lost_are_too_few_for_a_forecast() -> None:
    codes = check_pool(losing(every=30, count=3, size=20))["code"].tolist()
    assert "pool_running_dry" not in codes
