from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.errors import DiagkitWarning, SettingError
from diagkit.sources.times import find_zone, parse_times

# pandas counts microseconds, so every year of these fits.
BOUNDS = [dt.datetime(y, 1, 1) for y in (1980, 2200)]  # noqa: DTZ001


def parse(value: object, tz: str | None = "UTC") -> str:
    at = parse_times([value], tz, "x.log")[0]
    return "NaT" if at is pd.NaT else at.isoformat()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-11-24 23:20:56", "2025-11-24T23:20:56+00:00"),
        ("2025-11-24 23:20:56,631", "2025-11-24T23:20:56.631000+00:00"),
        ("2025/11/24 23:20:56", "2025-11-24T23:20:56+00:00"),
        ("2025-11-24T23:20:56.123456789Z", "2025-11-24T23:20:56.123456+00:00"),
        ("2025-11-24 23:20:56 +0530", "2025-11-24T17:50:56+00:00"),
        ("2025-11-24 23:20:56-05", "2025-11-25T04:20:56+00:00"),
        ("2025-11-24 23:20:56 UTC", "2025-11-24T23:20:56+00:00"),
        (1764026456, "2025-11-24T23:20:56+00:00"),
        (1764026456.5, "2025-11-24T23:20:56.500000+00:00"),
        (1764026456500, "2025-11-24T23:20:56.500000+00:00"),
        (1764026456500000, "2025-11-24T23:20:56.500000+00:00"),
        (1764026456500000000, "2025-11-24T23:20:56.500000+00:00"),
        ("yesterday", "NaT"),
        (None, "NaT"),
        ({}, "NaT"),
    ],
)
def test_times_as_they_are_written(value: object, expected: str) -> None:
    assert parse(value) == expected


def test_a_time_without_a_zone_is_read_in_the_one_given() -> None:
    assert parse("2025-07-01 12:00:00", "Europe/Berlin") == "2025-07-01T10:00:00+00:00"
    assert parse("2025-07-01 12:00:00Z", "Europe/Berlin") == "2025-07-01T12:00:00+00:00"


def test_without_a_zone_it_is_utc_and_said_so() -> None:
    with pytest.warns(DiagkitWarning, match=r"x\.log: its times have no zone"):
        assert parse("2025-07-01 12:00:00", None) == "2025-07-01T12:00:00+00:00"


def test_an_hour_that_comes_twice() -> None:
    written = ["2025-10-26 02:30:00", "2025-10-26 02:45:00"]
    with pytest.warns(DiagkitWarning, match="Europe/Berlin has twice"):
        times = parse_times(written, "Europe/Berlin", "x.log")
    assert times[0].isoformat() == "2025-10-26T00:30:00+00:00"


def test_an_hour_that_never_comes_is_moved_on() -> None:
    assert parse("2025-03-30 02:30:00", "Europe/Berlin") == "2025-03-30T01:00:00+00:00"


@given(
    st.lists(st.datetimes(*BOUNDS), max_size=20),
    st.sampled_from([" ", "T"]),
    st.sampled_from([".", ","]),
)
def test_every_iso_time_is_read_exactly(
    times: list[dt.datetime], between: str, point: str
) -> None:
    written = [t.isoformat(between).replace(".", point) for t in times]
    expected = [t.replace(tzinfo=dt.UTC) for t in times]
    assert parse_times(written, "UTC", "x.log").tolist() == expected


def test_an_unknown_zone_is_told() -> None:
    with pytest.raises(SettingError, match="no time zone 'Mars/Base'"):
        find_zone("Mars/Base")
