from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.poolseries import thin_places
from diagkit.analyses.tasks import microseconds
from diagkit.analyses.utilisation import break_gaps, count_utilisation
from diagkit.errors import ContractError
from diagkit.frames.pool import POOL

START = pd.Timestamp("2025-11-24T10:00Z")


def make_pool(out, seconds=None, name="app", **more) -> pd.DataFrame:
    seconds = range(len(out)) if seconds is None else seconds
    columns = {"size": 2, "max_overflow": 1, **more}
    return POOL.build(
        {
            "timestamp": [START + pd.Timedelta(seconds=s) for s in seconds],
            "pool": name,
            "checked_out": out,
            **columns,
        }
    )


def thin_samples(pool: pd.DataFrame, bins: int, names: list[str]) -> pd.DataFrame:
    figures = [pool[name].to_numpy(dtype=float, na_value=np.nan) for name in names]
    return pool.iloc[thin_places(microseconds(pool["timestamp"]), figures, bins)]


def test_times_count_to_the_next_sample() -> None:
    pool = make_pool([0, 3, 3, 1], [0, 1, 2, 3], waiting=[0, 0, 2, 0])
    (row,) = count_utilisation(pool).to_dict("records")
    assert row["observed_s"] == 4
    assert row["full_s"] == 2
    assert row["full_share"] == 0.5
    assert row["mean_out"] == pytest.approx(7 / 4)
    assert (row["size"], row["capacity"], row["most_out"]) == (2, 3, 3)
    assert (row["waited_s"], row["most_waiting"]) == (1, 2)


def test_gaps_are_not_observed() -> None:
    pool = make_pool([3, 3, 3, 3, 0], [0, 1, 2, 3, 100])
    (row,) = count_utilisation(pool).to_dict("records")
    assert row["observed_s"] == 5
    assert row["full_s"] == 4


def test_samples_that_come_with_events_stand_until_the_next() -> None:
    pool = make_pool([3, 0, 3, 0, 1], [0, 0.1, 5, 60, 60.2])
    assert break_gaps(pool)["checked_out"].tolist() == [3, 0, 3, 0, 1]
    (row,) = count_utilisation(pool).to_dict("records")
    assert row["observed_s"] == pytest.approx(60.2)
    assert row["full_s"] == pytest.approx(55.1)


def test_pools_without_a_capacity_are_not_called_full() -> None:
    table = count_utilisation(
        pd.concat([make_pool([9, 9], max_overflow=None), make_pool([1, 3], name="b")])
    )
    assert table["pool"].tolist() == ["b", "app"]
    assert table["full_s"].isna().tolist() == [False, True]
    assert table["capacity"].isna().tolist() == [False, True]


def test_samples_that_say_nothing_are_left_out() -> None:
    assert count_utilisation(make_pool([None, None])).empty
    (row,) = count_utilisation(make_pool([2])).to_dict("records")
    assert (row["samples"], row["observed_s"]) == (1, 0)
    assert np.isnan(row["mean_out"])
    with pytest.raises(ContractError, match="not a POOL frame"):
        count_utilisation(pd.DataFrame({"pool": []}))


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=120),
    st.integers(1, 7),
)
def test_what_is_thinned_has_the_same_least_and_most_in_every_column(
    out: list[int | None], bins: int
) -> None:
    pool = make_pool(out)
    thin = thin_samples(pool, bins, ["checked_out"])
    known = thin.merge(pool, on="timestamp", how="left")
    assert len(known) == len(thin)
    span = max((pool["timestamp"].iloc[-1] - START).total_seconds(), 1e-6)

    def column(frame: pd.DataFrame) -> pd.Series:
        at = (frame["timestamp"] - START).dt.total_seconds()
        return np.minimum((at * bins / span).astype(int), bins - 1)

    for how in ("min", "max", "first", "last"):
        both = [
            frame.groupby(column(frame))[["checked_out"]].agg(how).dropna()
            for frame in (pool, thin)
        ]
        pd.testing.assert_frame_equal(*both)


def test_a_million_samples_become_few() -> None:
    rng = np.random.default_rng(1)
    pool = pd.DataFrame(
        {
            "timestamp": pd.date_range(START, periods=1_000_000, freq="1s"),
            "checked_out": np.clip(np.cumsum(rng.integers(-1, 2, 1_000_000)), 0, 9),
        }
    )
    thin = thin_samples(pool, 1000, ["checked_out"])
    assert 1000 < len(thin) <= 4000
    assert thin["checked_out"].max() == pool["checked_out"].max()
