from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, strategies as st

from diagkit.sources.clocks import (
    FOLD,
    NAT,
    has_zone,
    is_clock,
    read_clocks,
    read_column,
)
from diagkit.sources.lines import PAD
from diagkit.sources.times import parse_times

MOMENTS = st.datetimes(
    dt.datetime.fromisoformat("1970-01-02"), dt.datetime.fromisoformat("2199-12-31")
)
FORMS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S,%f",
    "%Y-%m-%d %H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%dT%H:%M:%S.%f+05:30",
    "%Y-%m-%d %H:%M:%S -0330",
]


def column(texts: list[str]) -> tuple[list[int], list[bool]]:
    data = "".join(texts).encode()
    ends = np.cumsum([len(text.encode()) for text in texts])
    starts = np.concatenate(([0], ends))[:-1]
    view = np.frombuffer(data + bytes(PAD), np.uint8)
    micros, zoned = read_column(view, starts.astype(np.int64), ends.astype(np.int64))
    return micros.tolist(), zoned.tolist()


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(FORMS)), min_size=1, max_size=12))
def test_they_are_read_as_one_by_one(moments: list[tuple[dt.datetime, str]]) -> None:
    texts = [moment.strftime(form) for moment, form in moments]
    micros, _ = column(texts)
    expected = parse_times(texts, "UTC", "x")
    read = np.array(micros).view("datetime64[us]")
    assert (read == expected.dt.tz_localize(None).to_numpy()).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_shape_is_told_with_its_zone(form: str) -> None:
    text = dt.datetime.fromisoformat("2025-11-24 18:17:11.204").strftime(form)
    shape = text.encode().translate(FOLD)
    assert is_clock(shape)
    assert has_zone(shape) == form.endswith(("Z", "UTC", "30"))


@pytest.mark.parametrize(
    "text",
    [
        "2025-13-01 00:00:00",
        "2025-02-29 00:00:00",
        "2025-11-24 24:00:00",
        "2025-11-24 23:60:00",
        "2025-11-24 23:59:60",
        "1969-12-31 23:59:59",
        "2300-01-01 00:00:00",
        "2025-11-24 00:00:00+15:00",
        "2025-1-24 00:00:00",
        "2025-11/24 00:00:00",
        "yesterday",
        "",
    ],
)
def test_what_is_no_usual_time_is_left(text: str) -> None:
    micros, _ = column(["2025-11-24 00:00:00", text, "2025-11-24 00:00:01"])
    assert micros == [1763942400000000, NAT, 1763942401000000]


@pytest.mark.parametrize(
    ("digits", "micros"),
    [("5", 500_000), ("123", 123_000), ("123456", 123_456), ("123456789", 123_456)],
)
def test_fractions_are_cut_to_microseconds(digits: str, micros: int) -> None:
    assert column([f"1970-01-01 00:00:00.{digits}"])[0] == [micros]


def test_columns_of_many_shapes_leave_the_rarest() -> None:
    texts = [f"2025-11-24 00:00:00.{'0' * size}" for size in range(1, 10)]
    read = [micros != NAT for micros in column(texts)[0]]
    assert read == [True] * 8 + [False]


def test_a_time_stands_where_it_is_said_to() -> None:
    view = np.frombuffer(
        b"[2025-11-24 18:17:11] [1970-01-01 00:00:01" + bytes(PAD), "u1"
    )
    at = np.array([0, 22, 3])
    found = read_clocks(view, at, b"[0000-00-00 00:00:00", lead=1)
    assert found.tolist() == [1764008231000000, 1_000_000, NAT]
    assert read_clocks(view, at, b"yesterday").tolist() == [NAT] * 3
    assert read_clocks(view, at[:0], b"0000-00-00 00:00:00").tolist() == []
