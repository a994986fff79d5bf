from __future__ import annotations

import gzip
import json
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from diagkit.errors import DiagkitWarning, SettingError
from diagkit.sources import parts as module, ranges
from diagkit.sources.logs import join_logs, read_log_file
from diagkit.sources.parts import Reading, read_parts, sign_formats
from diagkit.sources.paths import SourceFile
from diagkit.sources.pieces import Way
from diagkit.sources.ranges import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACEBACK = """\
2025-10-26 01:59:15,250 ERROR a.b: lost it
Traceback (most recent call last):
  File "x.py", line 3, in f
    boom()
KeyError: 1"""
POSTGRESQL = """\
2025-10-26 02:11:11.123 UTC [77] ERROR:  duplicate key
2025-10-26 02:11:11.123 UTC [77] DETAIL:  Key (id)=(1) exists.
2025-10-26 02:11:11.123 UTC [77] STATEMENT:  insert
\tinto x"""
SHAPES = [
    "2025-10-26 02:30:14 [INFO    ] a.b: one",
    "2025-10-26 02:10:14 [INFO    ] a.b: two",
    '{"timestamp": "2025-10-26T02:20:16", "level": "info", "message": "three"}',
    json.dumps({"ts": 1761444000.5, "level": "odd", "msg": "ünïcode"}),
    'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
    "WARNING:root:bare",
    "Dec 31 23:59:59 host app[1]: old",
    "Jan  1 00:00:01 host app[1]: new",
    "0001-01-01 00:00:00 [INFO    ] a.b: zero",
    "9999-99-99 00:00:00 [INFO    ] a.b: no time at all",
    TRACEBACK,
    POSTGRESQL,
    "and more",
    "",
    "\x00",
]
LOGS = st.builds(
    lambda records, end, last: end.join("\n".join(records).split("\n")) + last,
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "caf\udce9"]),
).map(lambda text: text.encode(errors="surrogateescape"))
LITERALS = st.sampled_from(
    [(), (), ("lost it",), ("one",), ("HTTP", "bare"), ("o",), ("KeyError",), ("n\nT",)]
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for constant in ("RANGE_BYTES", "LOOK_BYTES", "STRETCH_BYTES"):
        monkeypatch.setattr(ranges, constant, getattr(ranges, constant))
    return tmp_path / "x.log"


def hear(read: Any) -> tuple[pd.DataFrame, list[str]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        logs = join_logs(read())
    return logs, [str(warning.message) for warning in told]


def read_both(path: Path, tz: str | None, literals: tuple[str, ...], year: int | None):
    file = SourceFile(path, "x.log")
    whole = partial(read_log_file, tz=tz, literals=literals, year=year)
    reading = Reading(whole, tz, literals, year)
    done: list[int] = []
    here, told = hear(lambda: [whole(file)])
    there, told_there = hear(lambda: read_parts([file], reading, None, done.append))
    assert sum(done) == path.stat().st_size
    return (here, told), (there, told_there)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=LOGS,
    count=st.integers(1, 12),
    slack=st.sampled_from([1, 30, 1000]),
    stretch=st.sampled_from([60, 10_000]),
    literals=LITERALS,
    tz=st.sampled_from([None, "UTC", "Europe/Berlin"]),
    year=st.sampled_from([None, 2025]),
)
# A record without a time, whose neighbours are in other ranges.
@example(
    data=f"{SHAPES[0]}\nWARNING:root:bare\n{SHAPES[1]}".encode(),
    count=5,
    slack=1,
    stretch=60,
    literals=("bare",),
    tz="UTC",
    year=None,
)
# The clock goes back, in another range.
@pytest.mark.slow
@example(
    data=f"{SHAPES[0]}\n{SHAPES[0]}\n{SHAPES[1]}\n{SHAPES[1]}".encode(),
    count=4,
    slack=1,
    stretch=60,
    literals=(),
    tz="Europe/Berlin",
    year=None,
)
def test_a_log_cut_anywhere_gives_the_same(
    path: Path, data, count, slack, stretch, literals, tz, year
) -> None:
    path.write_bytes(data)
    ranges.RANGE_BYTES = max(1, len(data) // count)
    ranges.LOOK_BYTES, ranges.STRETCH_BYTES = slack, stretch
    (here, told), (there, told_there) = read_both(path, tz, literals, year)
    pd.testing.assert_frame_equal(here, there)
    # With literals, it depends on which records' times are looked at.
    assert literals or told_there == told


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """In which ways files are read, each once."""
    seen: dict[str, None] = {}
    read_in = module._read_in

    def watch(way: Way, files: dict[int, SourceFile], *rest: Any) -> Any:
        if files:
            seen[way.name] = None
        return read_in(way, files, *rest)

    monkeypatch.setattr(module, "_read_in", watch)
    return seen


@pytest.mark.parametrize(
    ("shapes", "options", "expected"),
    [
        (SHAPES, ((), None), "RANGES"),
        (SHAPES[:2], (("one",), None), "SEARCH"),
        (SHAPES[:6], (("bare",), None), "SEARCH RANGES"),
        (SHAPES[:6], (("ba\nre",), None), "RANGES"),
        # What stands beside a record without a time has a time that hangs on others'.
        (SHAPES[5:8], (("bare",), None), "SEARCH RANGES WHOLE"),
        (SHAPES[5:8], (("bare",), 2025), "SEARCH RANGES WHOLE"),
        (SHAPES[6:8], (("old",), 2025), "SEARCH"),
        (SHAPES[6:8], ((), 2025), "RANGES"),
        ([*SHAPES * 40, "caf\udce9"], ((), None), "RANGES WHOLE"),
    ],
)
def test_how_a_file_is_read(path: Path, ways, shapes, options, expected: str) -> None:
    lines = shapes if len(shapes) > 40 else shapes * 40
    path.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    ranges.RANGE_BYTES = 500
    literals, year = options
    here, there = read_both(path, "UTC", literals, year)
    assert " ".join(ways) == expected
    pd.testing.assert_frame_equal(here[0], there[0])
    assert here[1] == there[1]


def test_an_hour_that_comes_twice_with_literals(path: Path, ways) -> None:
    path.write_bytes("\n".join(SHAPES[:6] * 40).encode())
    ranges.RANGE_BYTES = 500
    here, there = read_both(path, "Europe/Berlin", ("bare",), None)
    assert list(ways) == ["SEARCH", "RANGES", "WHOLE"]
    pd.testing.assert_frame_equal(here[0], there[0])


def test_a_part_that_gives_up_stops_those_that_follow(path: Path, ways) -> None:
    text = "\n".join(SHAPES[:6] * 40).encode()
    path.write_bytes(text + b"\ncaf\xe9\n" + text * 9)
    ranges.RANGE_BYTES = len(text) + 100
    file = SourceFile(path, "x.log")
    reading = Reading(partial(read_log_file, tz="UTC"), "UTC", (), None)
    done: list[int] = []
    with pytest.warns(DiagkitWarning, match="1 bytes are no UTF-8"):
        read_parts([file], reading, None, done.append)
    # One part, which is taken back; and the whole.
    assert len(done) == 3
    assert done[0] + done[1] == 0


def test_files_keep_their_order(path: Path, ways) -> None:
    ranges.RANGE_BYTES = 500
    contents = {
        "a.log": "\n".join(SHAPES[:6] * 40).encode() + b"\ncaf\xe9",
        "b.log.gz": gzip.compress("\n".join(SHAPES[:6]).encode()),
        "c.log": "\n".join(SHAPES[:6] * 40).encode(),
        "d.log": SHAPES[0].encode(),
    }
    files = []
    for name, data in contents.items():
        (path.parent / name).write_bytes(data)
        files.append(SourceFile(path.parent / name, name))
    whole = partial(read_log_file, tz="UTC")
    here, told = hear(lambda: [whole(file) for file in files])
    reading = Reading(whole, "UTC", (), None)
    there, told_there = hear(lambda: read_parts(files, reading, None, id))
    pd.testing.assert_frame_equal(here, there)
    assert told == told_there
    assert list(ways) == ["RANGES", "WHOLE"]


def test_a_process_that_knows_other_formats(path: Path) -> None:
    path.write_text(SHAPES[0])
    reading = Reading(partial(read_log_file, tz="UTC"), "UTC", (), None)
    part = Part(SourceFile(path, "x.log"), 9)
    assert len(reading.read(part, Way.WHOLE, sign_formats())) == 1
    with pytest.raises(SettingError, match="knows other log formats than there are"):
        reading.read(part, Way.WHOLE, "0123456789abcdef")


def test_other_formats_have_another_signature(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats = path.with_suffix(".toml")
    formats.write_text(
        "[[format]]\nname = 'shop'\nlayout = '<{level:word}> {message}'\n"
        "examples = [{ line = '<Severe> lost', message = 'lost' }]\n"
    )
    own = sign_formats()
    monkeypatch.setenv("DIAGKIT_FORMATS", str(formats))
    assert sign_formats() != own
