"""Exact intervals, against the definition that they invert and against chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.rates import (
    bound_rate,
    bound_share,
    bound_wait,
    compare_rates,
)


def at_most(part: int, whole: int, share: float) -> float:
    return sum(
        math.comb(whole, k) * share**k * (1 - share) ** (whole - k)
        for k in range(part + 1)
    )


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_share_is_bounded_by_the_tails(part: int, whole: int, level: float) -> None:
    part = min(part, whole)
    low, high = bound_share(part, whole, level)
    tail = (1 - level) / 2
    assert 0 <= low <= part / whole <= high <= 1
    if part:
        assert 1 - at_most(part - 1, whole, low) == pytest.approx(tail, abs=1e-9)
    if part < whole:
        assert at_most(part, whole, high) == pytest.approx(tail, abs=1e-9)


@given(st.integers(0, 80), st.floats(0.1, 1e4))
def test_a_rate_is_bounded_by_the_tails(events: int, exposure: float) -> None:
    low, high = bound_rate(events, exposure)

    def below(count: int, mean: float) -> float:
        return sum(
            math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
            for k in range(count)
        )

    assert below(events + 1, high * exposure) == pytest.approx(0.025, abs=1e-9)
    if events:
        assert 1 - below(events, low * exposure) == pytest.approx(0.025, abs=1e-9)
    else:
        assert low == 0


def test_nothing_to_count_has_no_share() -> None:
    assert all(math.isnan(bound) for bound in bound_share(0, 0))


@pytest.mark.parametrize(("rate", "more"), [(2.0, 3), (8.0, 5), (40.0, 10)])
def test_a_wait_lies_within_its_bounds(rate: float, more: int) -> None:
    chance = np.random.default_rng(7)
    held = above = count = 0
    for _ in range(2000):
        events = int(chance.poisson(rate))
        wait = chance.gamma(more, 1 / rate)
        low, middle, high = bound_wait(more, events, 1.0)
        assert low <= middle <= high
        held += low <= wait <= high
        above += wait > middle
        count += 1
    assert held / count >= 0.945
    assert 0.4 <= above / count <= 0.6


def test_without_an_event_only_the_least_wait_is_known() -> None:
    low, middle, high = bound_wait(5, 0, 60.0)
    assert 0 < low < 300
    assert middle == high == math.inf


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.1, 50), st.floats(0.1, 50))
def test_the_ratio_of_rates_is_bounded_by_the_tails(
    before: int, after: int, exposure: float, later: float
) -> None:
    ratio, low, high, p_value = compare_rates(before, exposure, after, later)
    events = before + after
    if not events:
        assert all(math.isnan(figure) for figure in (ratio, low, high, p_value))
        return
    # Were the true ratio r, an event would be one of those after with this chance.
    chance = lambda r: r * later / (r * later + exposure)  # noqa: E731
    if after:
        assert 1 - at_most(after - 1, events, chance(low)) == pytest.approx(0.025)
    else:
        assert low == ratio == 0
    if before:
        assert at_most(after, events, chance(high)) == pytest.approx(0.025)
        assert ratio == pytest.approx(after / later / (before / exposure))
    else:
        assert high == ratio == math.inf
    fewer = at_most(after, events, chance(1))
    more = 1 - at_most(after - 1, events, chance(1)) if after else 1
    assert p_value == pytest.approx(min(1, 2 * min(fewer, more)), abs=1e-9)
    # The interval and the test say the same.
    assert (p_value < 0.05) == (not low <= 1 <= high) or p_value == pytest.approx(0.05)


def test_few_rates_that_did_not_change_seem_to_have() -> None:
    chance = np.random.default_rng(3)
    pairs = [(int(chance.poisson(12)), int(chance.poisson(4))) for _ in range(2000)]
    found = [compare_rates(was, 3.0, now, 1.0) for was, now in pairs if was + now]
    assert sum(p_value < 0.05 for *_, p_value in found) / len(found) < 0.05
    assert sum(low <= 1 <= high for _, low, high, _ in found) / len(found) > 0.95
