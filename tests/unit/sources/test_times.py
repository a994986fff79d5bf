from __future__ import annotations

import datetime as dt
import re

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.errors import DiagkitWarning, SettingError
from diagkit.sources.times import find_zone, parse_times
from diagkit.sources.timestyles import (
    MONTHS,
    STYLES,
    TimeStyle,
    compile_style,
    style_blocks,
    to_iso,
)

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
        ("1764026456", "2025-11-24T23:20:56+00:00"),
        ("1764026456.123", "2025-11-24T23:20:56.123000+00:00"),
        ("1764026456500", "2025-11-24T23:20:56.500000+00:00"),
        ("1764026456500123", "2025-11-24T23:20:56.500123+00:00"),
        ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36+00:00"),
        ("24/Nov/2025 23:20:56", "2025-11-24T23:20:56+00:00"),
        ("Sun Dec 04 04:47:44 2005", "2005-12-04T04:47:44+00:00"),
        ("Fri Sep  9 10:42:29.902022 2011", "2011-09-09T10:42:29.902022+00:00"),
        ("17/06/09 20:10:40", "2017-06-09T20:10:40+00:00"),
        ("98/06/09 20:10:40", "1998-06-09T20:10:40+00:00"),
        ("081109 203518", "2008-11-09T20:35:18+00:00"),
        ("2005-06-03-15.42.50.675872", "2005-06-03T15:42:50.675872+00:00"),
        ("20171223-22:15:29:7", "2017-12-23T22:15:29.007000+00:00"),
        ("24-Nov-2025 23:20:56.631", "2025-11-24T23:20:56.631000+00:00"),
        ("24.11.2025 23:20:56", "2025-11-24T23:20:56+00:00"),
        ("2025-11-24 23:20:56.631 GMT", "2025-11-24T23:20:56.631000+00:00"),
        ("2025-11-24 23:20:56 -03", "2025-11-25T02:20:56+00:00"),
        ("31/Feb/2025:10:00:00 +0000", "NaT"),
        ("23:20:56.123", "NaT"),
        (10**400, "NaT"),
        (float("inf"), "NaT"),
        (True, "NaT"),
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


def test_times_without_a_year_get_the_one_given() -> None:
    written = [
        "Nov 30 10:00:00",
        "Dec 31 23:59:59",
        "Jan  1 00:00:00",
        "Dec 31 23:59:58",
    ]
    got = parse_times([*written, "Jan  2 00:00:00"], "UTC", "x.log", 2025)
    assert [t.year for t in got] == [2025, 2025, 2026, 2025, 2026]
    assert got[2].isoformat() == "2026-01-01T00:00:00+00:00"


def test_a_day_that_the_year_has_not_is_no_time() -> None:
    got = parse_times(["Feb 29 10:00:00"], "UTC", "x.log", 2025)
    assert got.isna().all()
    assert parse_times(["Feb 29 10:00:00"], "UTC", "x.log", 2024).notna().all()


def test_no_year_is_invented() -> None:
    with pytest.warns(DiagkitWarning, match=r"x\.log: its times name no year"):
        got = parse_times(["Jun 14 15:16:01", "2025-06-14 15:16:01"], "UTC", "x.log")
    assert got.isna().tolist() == [True, False]


def test_an_hour_that_comes_twice_is_told_by_the_order() -> None:
    written = ["02:10", "02:50", "02:49", "02:05", "02:59", "03:01"]
    times = parse_times([f"2025-10-26 {t}:00" for t in written], "Europe/Berlin", "x")
    got = [t.strftime("%H:%M") for t in times]
    assert got == ["00:10", "00:50", "00:49", "01:05", "01:59", "02:01"]


@pytest.mark.slow
@given(st.lists(st.datetimes(*BOUNDS), min_size=1, max_size=5))
def test_every_style_is_read_exactly(times: list[dt.datetime]) -> None:
    names = list(MONTHS)
    for at in times:
        short = at.replace(microsecond=0)
        expected = [short.replace(tzinfo=dt.UTC)]
        month = names[at.month - 1]
        clock = f"{at:%H:%M:%S}"
        for text in (
            f"{at.day:02}/{month}/{at.year}:{clock} +0000",
            f"Sun {month} {at.day:2} {clock} {at.year}",
            f"{at.year}-{at.month:02}-{at.day:02}-{at:%H.%M.%S}.0",
            f"{at.day:02}.{at.month:02}.{at.year} {clock}",
        ):
            assert parse_times([text], "UTC", "x").tolist() == expected, text


@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.name)
def test_each_style_reads_its_example_alone(style: TimeStyle) -> None:
    assert re.fullmatch(style_blocks()[style.name], style.example)
    assert [s.name for s in STYLES if s.pattern.fullmatch(style.example)] == [
        style.name
    ]
    assert to_iso(style.example) == style.to_iso(style.example)


@given(st.text(max_size=30))
def test_no_text_breaks_a_style(text: str) -> None:
    to_iso(text)
    parse_times([text], "UTC", "x.log", 2025)


def test_a_style_that_is_none_is_told() -> None:
    with pytest.raises(SettingError, match=r"%Q in a time is not known: use %Y, "):
        compile_style("x", "%Q")
    with pytest.raises(SettingError, match="is no way to write a time"):
        compile_style("x", "%Y %Y")
