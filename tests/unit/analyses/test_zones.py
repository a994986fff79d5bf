from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from diagkit.analyses.zones import OFFSETS, ZONES, explain_shifts

YEAR = pd.Series(pd.date_range("2025-01-15", periods=12, freq="30D", tz="UTC"))


def hours_of(zone, times=YEAR):
    return pd.Series(
        [t.tz_convert(zone).utcoffset().total_seconds() / 3600 for t in times]
    )


def test_every_zone_is_known_and_its_offsets_are_tried():
    assert len(set(ZONES)) == len(ZONES) > 60
    for zone in ZONES:
        ZoneInfo(zone)
        assert set(hours_of(zone)) <= set(OFFSETS)


@pytest.mark.parametrize("zone", ZONES)
def test_a_whole_year_names_the_zone(zone):
    shifts = hours_of(zone)
    if not shifts.any():
        return
    first = explain_shifts(shifts, YEAR)[0]
    assert zone in first.zones
    assert set(first.hours) == set(shifts) - {0.0}
    assert first.chosen.sum() == (shifts != 0).sum()
    # Which of them the zone itself is not, has the same clock all the year.
    assert all(hours_of(other).equals(shifts) for other in first.zones)


def test_the_other_way_round():
    turned = explain_shifts(-hours_of("Asia/Kolkata"), YEAR)[0]
    assert (turned.zones, turned.turned) == ((), ("Asia/Kolkata",))
    both = explain_shifts(pd.Series([-5.0] * 2), YEAR[:2])[0]
    assert both.zones[:2] == ("America/New_York", "America/Jamaica")
    assert both.turned == ("Asia/Karachi",)


def test_two_clocks_are_told_one_after_the_other():
    shifts = pd.Series([9.0] * 5 + [-5.0] * 3 + [1.5] * 2 + [0.0, np.nan])
    found = explain_shifts(shifts, YEAR)
    assert [r.hours for r in found] == [(9.0,), (-5.0,), (1.5,)]
    assert [int(r.chosen.sum()) for r in found] == [5, 3, 2]
    assert "Asia/Tokyo" in found[0].zones
    assert (found[2].zones, found[2].turned) == ((), ())
    assert [r.hours for r in explain_shifts(shifts, YEAR, least=3)] == [(9.0,), (-5.0,)]


def test_nothing_to_explain():
    for shifts in ([], [0.0, np.nan]):
        assert explain_shifts(pd.Series(shifts, dtype=float), YEAR[: len(shifts)]) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from([0.0, 1.0, -5.0, -4.0, 5.5, 1.5, float("nan")]),
        min_size=12,
        max_size=12,
    )
)
def test_each_shift_is_explained_once(values):
    shifts = pd.Series(values)
    found = explain_shifts(shifts, YEAR)
    total = sum((r.chosen.astype(int) for r in found), np.zeros(12, dtype=int))
    assert total.tolist() == [int(v == v and v != 0) for v in values]
    counts = [int(r.chosen.sum()) for r in found]
    assert counts == sorted(counts, reverse=True)
    for reading in found:
        assert reading.chosen.sum() >= reading.fixed >= 1
        assert set(shifts[reading.chosen]) == set(reading.hours)
