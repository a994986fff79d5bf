from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, strategies as st

from diagkit.analyses.poolseries import MANY, PoolSeries, list_series
from diagkit.frames.pool import POOL

START = 1_764_000_000_000_000
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 60), st.none() | st.integers(0, 9), st.none() | st.integers(0, 3)
    ),
    min_size=1,
    max_size=40,
)


def make(samples: list[tuple[int, int | None, int | None]]) -> PoolSeries:
    seconds, out, waiting = zip(*samples, strict=True)
    (series,) = list_series(
        POOL.build(
            {
                "timestamp": pd.to_datetime(
                    [START + 1_000_000 * s for s in seconds], unit="us", utc=True
                ),
                "pool": "app",
                "checked_out": list(out),
                "waiting": list(waiting),
            }
        )
    )
    return series


@given(SAMPLES, st.integers(1, 20), st.integers(-5, 30))
def test_the_most_of_a_bin_is_the_most_of_what_stands_in_it(
    samples, width: int, begin: int
) -> None:
    series = make(samples)
    edges = START + 1_000_000 * (begin + width * np.arange(5, dtype=np.int64))
    for found, values in zip(
        series.most(edges), (series.out, series.waiting), strict=True
    ):
        for place, most in enumerate(found):
            low, high = edges[place], edges[place + 1]
            before = np.flatnonzero(series.at <= low)[-1:]
            inside = np.flatnonzero((series.at > low) & (series.at < high))
            mine = values[np.concatenate([before, inside])]
            known = mine[~np.isnan(mine)]
            assert (most == known.max()) if len(known) else np.isnan(most)


@given(SAMPLES, st.integers(-5, 70), st.integers(-5, 70))
def test_a_cut_begins_with_what_stands_then(samples, low: int, high: int) -> None:
    series = make(samples)
    first, last = START + 1_000_000 * low, START + 1_000_000 * high
    cut = series.cut(first, last)
    inside = (series.at >= first) & (series.at <= last)
    before = np.flatnonzero(series.at < first)[-1:]
    wanted = [*series.out[before], *series.out[inside]]
    if high >= low:
        np.testing.assert_array_equal(cut.out, wanted)
        assert (cut.at >= first).all()
        assert (cut.at <= last).all()


def test_many_samples_are_thinned_once() -> None:
    rng = np.random.default_rng(3)
    count = MANY + 1
    at = START + np.cumsum(rng.integers(1, 2_000_000, count))
    out = rng.integers(0, 12, count).astype(float)
    pool = POOL.build(
        {
            "timestamp": pd.to_datetime(at, unit="us", utc=True),
            "pool": "app",
            "checked_out": out,
        }
    )
    (series,) = list_series(pool)
    assert series.fine is not None
    drawn = series.thin(1000)
    assert len(drawn.at) <= 6000
    assert drawn.out.max() == 11
    # A part of which the thinned ones are too few is taken from all.
    part = series.cut(int(at[1000]), int(at[3000]))
    np.testing.assert_array_equal(part.thin(1000).out, part.out)
