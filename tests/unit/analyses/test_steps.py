"""A step along a sequence, against a search through all places."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, strategies as st

from diagkit.analyses.steps import DOUBT, GAIN, LEAST_SIDE, fit_step


def fit(held: list[bool]) -> float:
    out = 0.0
    for some in (sum(held), len(held) - sum(held)):
        if some:
            out += some * math.log(some / len(held))
    return out


@given(st.lists(st.booleans(), max_size=60))
def test_the_best_place_is_that_of_a_search(held: list[bool]) -> None:
    step, reason = fit_step(np.array(held, bool))
    places = range(LEAST_SIDE, len(held) - LEAST_SIDE + 1)
    fits = {at: fit(held[:at]) + fit(held[at:]) for at in places}
    best = max(fits.values(), default=-math.inf)
    gain = 2 * (best - fit(held)) if held else -math.inf
    if abs(gain - GAIN) < 1e-6:
        return
    assert (step is not None) == (gain >= GAIN)
    if step is None:
        assert reason in ("no step", "too little data")
        return
    assert fits[step.best] >= best - 1e-9
    likely = [at for at, value in fits.items() if value >= best - DOUBT + 1e-9]
    assert step.low <= min(likely) - 1
    assert step.high >= max(likely)


def test_where_a_step_may_not_lie_it_is_not() -> None:
    held = np.array([False] * 10 + [True] * 10)
    may = np.ones(20, bool)
    may[8:13] = False
    step, _ = fit_step(held, may)
    assert step is not None
    assert step.best not in range(8, 13)
