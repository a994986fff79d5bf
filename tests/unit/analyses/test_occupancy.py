"""Shapes of occupancy: hundreds of histories whose trouble is known."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diagkit.analyses.occupancy import choose_pool, find_lines, find_shape
from diagkit.errors import ContractError, SettingError
from diagkit.frames.pool import POOL

HISTORIES = 200
Floats = np.ndarray[Any, np.dtype[np.float64]]


def make_history(shape: str, seed: int) -> pd.DataFrame:
    """Return POOL samples of one pool in which something goes wrong.

    Requests come and go by themselves (their number is that of a queue without limit,
    so that it is correlated from sample to sample); what is lost or kept is on top.
    """
    chance = np.random.default_rng([seed, sum(map(ord, shape))])
    count = int(chance.integers(150, 1500))
    capacity = int(chance.integers(8, 41))
    load = _load(chance, count, float(chance.uniform(0.1, 0.08 * capacity)))
    lost = MAKERS[shape](chance, count, capacity)
    out = np.minimum(load + lost, capacity).astype(int)
    every = float(chance.choice([1, 5, 10, 15, 60]))
    times = pd.Timestamp("2025-11-24 10:00", tz="UTC") + pd.to_timedelta(
        np.arange(count) * every, unit="s"
    )
    frame = POOL.build(
        {
            "timestamp": times,
            "pool": "app",
            "size": capacity,
            "max_overflow": 0,
            "checked_out": out,
        }
    )
    # A sampler misses some.
    return frame[chance.random(count) >= chance.choice([0.0, 0.1])]


def _load(chance: np.random.Generator, count: int, mean: float) -> Floats:
    """Requests of a length between a tenth of a sample and three samples."""
    length = float(chance.uniform(0.1, 3))
    begin = chance.uniform(-10, count, chance.poisson(mean / length * (count + 10)))
    end = begin + chance.exponential(length, len(begin))
    at = np.arange(count)
    return (
        np.searchsorted(np.sort(begin), at, "right")
        - np.searchsorted(np.sort(end), at, "right")
    ).astype(float)


def _steady(chance: np.random.Generator, count: int, capacity: int) -> Floats:
    return np.full(count, float(chance.integers(0, 3)))


def _ramp(chance: np.random.Generator, count: int, capacity: int) -> Floats:
    begin = chance.uniform(0, 0.4) * count
    total = chance.integers(6, max(7, int(0.8 * capacity)))
    at = np.sort(chance.uniform(begin, count, total))
    return np.searchsorted(at, np.arange(count), "right").astype(float)


def _staircase(chance: np.random.Generator, count: int, capacity: int) -> Floats:
    steps = int(chance.integers(2, 6))
    first, last = chance.uniform(0.05, 0.2), chance.uniform(0.8, 0.93)
    at = np.linspace(first, last, steps) * count
    at += chance.uniform(-0.2, 0.2, steps) * count * (last - first) / steps
    size = max(3, min(7, int(0.8 * capacity / steps)))
    sizes = chance.integers(3, size + 1, steps)
    return np.array([sizes[at <= place].sum() for place in range(count)], float)


def _sawtooth(chance: np.random.Generator, count: int, capacity: int) -> Floats:
    edges = np.linspace(0, count, int(chance.integers(3, 7)) + 1)
    edges[1:-1] += chance.uniform(-0.2, 0.2, len(edges) - 2) * edges[1]
    out = np.zeros(count)
    height = int(chance.integers(4, max(5, int(0.8 * capacity))))
    for begin, end in itertools.pairwise(edges):
        at = np.sort(chance.uniform(begin, end, height))
        inside = (np.arange(count) >= begin) & (np.arange(count) < end)
        out[inside] = np.searchsorted(at, np.arange(count)[inside], "right")
    return out


def _long_transaction(chance: np.random.Generator, count: int, capacity: int) -> Floats:
    out = np.zeros(count)
    episodes = int(chance.integers(1, 4))
    for number in range(episodes):
        begin = (number + chance.uniform(0.1, 0.4)) / episodes * count
        length = chance.uniform(0.2, 0.5) / episodes * count
        out[int(begin) : int(begin + length)] += chance.integers(1, 5)
    return out


MAKERS = {
    "ramp": _ramp,
    "staircase": _staircase,
    "sawtooth": _sawtooth,
    "long_transaction": _long_transaction,
    "steady": _steady,
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", MAKERS)
def test_shapes_are_told_apart(shape: str) -> None:
    # Not the seeds that the settings were chosen with.
    found = Counter(
        find_shape(make_history(shape, seed)).name
        for seed in range(10_000, 10_000 + HISTORIES)
    )
    assert found[shape] / HISTORIES >= 0.9, found


def samples(out: list[int], name: str = "app") -> pd.DataFrame:
    times = pd.date_range("2025-11-24", periods=len(out), freq="10s", tz="UTC")
    return POOL.build({"timestamp": times, "pool": name, "checked_out": out})


@pytest.mark.parametrize(
    ("out", "name", "said"),
    [
        ([2] * 100, "steady", "no connection is kept (2.0 out throughout)"),
        ([i // 10 for i in range(100)], "ramp", "lost one by one"),
        (
            [0] * 30 + [4] * 30 + [8] * 30,
            "staircase",
            "a job or a burst (the level rose by 8.0, and fell back 0 times)",
        ),
        ([i % 40 // 4 for i in range(200)], "sawtooth", "fell back 4 times"),
        ([1] * 60 + [5] * 60 + [1] * 60, "long_transaction", "fell back 1 times"),
        ([1] * 60 + [5] * 60, "undecided", "fits no shape"),
        ([1] * 29, "undecided", "29 samples are too few"),
        ([], "undecided", "0 samples are too few"),
    ],
)
def test_a_shape_says_what_it_means(out: list[int], name: str, said: str) -> None:
    found = find_shape(samples(out))
    assert found.name == name
    assert said in found.conclusion


def test_several_pools_want_a_name() -> None:
    both = pd.concat([samples([1, 2]), samples([3], "jobs")])
    with pytest.raises(SettingError, match="name one of app, jobs"):
        find_shape(both)
    with pytest.raises(SettingError, match=r"no samples of pool 'job'.*jobs"):
        find_shape(both, "job")
    assert choose_pool(both, "jobs")["checked_out"].tolist() == [3]
    with pytest.raises(ContractError):
        find_shape(pd.DataFrame())


def test_a_line_with_a_slope_is_one_line() -> None:
    (line,) = find_lines(np.linspace(0, 10, 50))
    assert (line.begin, round(line.first, 6), round(line.last, 6)) == (0, 0, 10)
