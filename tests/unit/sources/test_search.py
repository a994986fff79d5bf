from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given, strategies as st

from diagkit.sources import search
from diagkit.sources.formats import load_registry
from diagkit.sources.records import Record, iterate_records
from diagkit.sources.search import literal_pattern, search_records

LITERALS = ["lost it", 'a "quoted" one', "ünïcode/slash"]
LINES = st.sampled_from(
    [
        "2025-11-25 22:00:14 [ERROR   ] a.b: we lost it",
        "2025-11-25 22:00:14 [INFO    ] a.b: all well",
        '2025-11-25 22:00:15,250 - a.b - INFO - a "quoted" one',
        "Traceback (most recent call last):",
        '  File "x.py", line 3, in f',
        "ValueError: lost it",
        json.dumps({"message": 'a "quoted" one', "level": "info"}),
        json.dumps({"message": "ünïcode/slash", "level": "info"}),
        json.dumps({"message": "ünïcode/slash"}, ensure_ascii=False),
        '{"message": "ünïcode\\/slash"}',
        '{"message": "\\u006cost it"}',
        '{"message": "x", "exception": [{"exc_type": "E", "exc_value": "lost it"}]}',
        'INFO:     127.0.0.1:5 - "GET /lost HTTP/1.1" 200 OK',
        "\x1b[32mINFO\x1b[0m:     we lo\x1b[1mst it",
        "/srv/x.py:16: SAWarning: lost it",
        "  lost it",
        "free text",
        "lost it, said nobody",
        "",
        "\x00",
    ]
)


def reader(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]


def slow(data: bytes, literals: list[str]) -> list[Record]:
    """The reference: every line is read, every record is built."""
    text = io.TextIOWrapper(
        io.BytesIO(data), encoding="utf-8", errors="backslashreplace", newline="\n"
    )
    lines = (line.removesuffix("\n").removesuffix("\r") for line in text)
    return list(iterate_records(lines, literals))


@given(
    st.lists(LINES.map(str.encode), max_size=40),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.integers(1, 400),
    st.integers(30, 2000),
    st.lists(st.sampled_from(LITERALS), min_size=1, unique=True),
)
@example([b"\n", b"lost it"], b"\n", False, 1, 30, ["lost it"])
def test_it_gives_what_the_slow_way_gives(
    lines: list[bytes],
    end: bytes,
    ended: bool,
    block: int,
    stretch: int,
    literals: list[str],
) -> None:
    data = end.join(lines) + (end if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK_BYTES", block)
        patch.setattr(search, "MAX_STRETCH_BYTES", stretch)
        found = list(search_records(reader(data), literals))
    assert found == slow(data, literals)


def test_a_stretch_without_records_takes_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(search, "MAX_STRETCH_BYTES", 10_000)
    data = b"free text\n" * 20_000 + b"2025-11-25 22:00:14 - a - INFO - lost it\n"
    pieces = list(search._cut_blocks(reader(data), load_registry()))
    assert max(len(piece) for piece, _ in pieces) < 40_000
    assert b"".join(piece for piece, _ in pieces) == data
    (record,) = search_records(reader(data), ["lost it"])
    assert record.line == 20_001


def test_a_line_longer_than_a_block_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "BLOCK_BYTES", 100)
    line = "2025-11-25 22:00:14 - a - INFO - " + "x" * 5000 + " lost it"
    (record,) = search_records(reader(f"{line}\n".encode()), ["lost it"])
    assert len(record.message) == 5008


def test_what_is_no_utf_8_is_left_to_the_slow_way() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(search_records(reader(b"caf\xe9 lost it\n"), ["lost it"]))


def test_nothing_there_is_nothing_found() -> None:
    assert list(search_records(reader(b""), ["lost it"])) == []


@given(st.text(min_size=1, max_size=20).filter(lambda t: "\n" not in t))
def test_every_literal_makes_a_pattern_that_finds_it(literal: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        literal.encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair stands in no UTF-8 file
    pattern = literal_pattern([literal])
    lines = [f"a {literal} b", json.dumps({"m": literal})]
    assert pc.match_substring_regex(pa.array(lines), pattern).to_pylist() == [True] * 2
