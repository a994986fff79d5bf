from __future__ import annotations

import json

import pytest
from hypothesis import example, given, strategies as st

from diagkit.sources import cutting
from diagkit.sources.blocks import BlockReader
from diagkit.sources.clocks import NAT
from diagkit.sources.cutting import cut_blocks
from diagkit.sources.formats import load_registry
from diagkit.sources.logframes import LogColumns, read_columns, search_columns
from diagkit.sources.recognition import Recogniser
from diagkit.sources.records import begins_record, iterate_records
from diagkit.sources.search import Search, spell

LITERALS = ["lost it", "lost: it", 'a "quoted" one', "ünïcode/slash"]
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
        '{"message": "x", "exception": {"type": "lost", "value": "it"}}',
        '{"message": "we lost it", "timestamp": "2025-11-25T22:00:14Z"}',
        'INFO:     127.0.0.1:5 - "GET /lost HTTP/1.1" 200 OK',
        "2025-11-25 22:00:14 UTC [7] ERROR:  lost it",
        "2025-11-25 22:00:14 UTC [7] DETAIL:  lost it again",
        "< 2025-11-25 22:00:14 UTC >DETAIL:  lost it again",
        "\x1b[32mINFO\x1b[0m:     we lo\x1b[1mst it",
        "/srv/x.py:16: SAWarning: lost it",
        "  lost it",
        "free text",
        "lost it, said nobody",
        "",
        "\x00",
    ]
)
Row = tuple[object, ...]


def slow(data: bytes, literals: list[str]) -> list[Row]:
    """The reference: every line is read, every record is built."""
    lines = data.decode().split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    return [
        (r.line, r.lines, r.level, r.logger, r.message, r.exception, r.traceback)
        for r in iterate_records((x.removesuffix("\r") for x in lines), literals)
    ]


def table(columns: LogColumns) -> list[Row]:
    frame = columns.frame("x.log", "UTC", None)
    names = ["line", "lines", "level", "logger", "message", "exception", "traceback"]
    clean = frame[names].astype(object)
    return list(clean.where(clean.notna(), None).itertuples(index=False, name=None))


def pieces(data: bytes, size: int) -> list[bytes]:
    """Pieces that do not end within a character."""
    text = data.decode()
    return [text[at : at + size].encode() for at in range(0, len(text), size)]


@pytest.mark.slow
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
    size: int,
    stretch: int,
    literals: list[str],
) -> None:
    data = end.join(lines) + (end if ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "MAX_STRETCH_BYTES", stretch)
        whole = read_columns(pieces(data, size))
        assert table(whole) == slow(data, [])
        assert table(read_columns(pieces(data, size), literals)) == slow(data, literals)
        found = search_columns(pieces(data, size), literals)
        if found is not None:
            assert table(found) == slow(data, literals)
        else:
            frame = read_columns(pieces(data, size), literals).frame("x", "UTC", None)
            assert frame["timestamp"].isna().any()


@given(st.lists(LINES, max_size=30), st.integers(1, 300))
def test_the_neighbours_of_a_record_without_a_time_are_kept(
    lines: list[str], size: int
) -> None:
    data = "\n".join(lines).encode()
    whole = read_columns(pieces(data, size)).frame("x", "UTC", None)
    held = whole["message"].str.contains("lost it") | whole["traceback"].str.contains(
        "lost it"
    ).fillna(False).astype(bool)
    some = read_columns(pieces(data, size), ["lost it"]).frame("x", "UTC", None)
    for name in ("timestamp", "after", "before"):
        assert some[name].tolist() == whole.loc[held, name].tolist()


def test_a_stretch_without_records_takes_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cutting, "MAX_STRETCH_BYTES", 10_000)
    data = b"free text\n" * 20_000 + b"2025-11-25 22:00:14 - a - INFO - lost it\n"

    def begins(line: bytes) -> bool:
        return begins_record(line.decode())

    blocks = list(cut_blocks(pieces(data, 1000), begins))
    records = [
        record for block in blocks if isinstance(block, list) for record in block
    ]
    assert sum(record.lines for record in records) == 20_000
    assert [block for block in blocks if isinstance(block, bytes)] == [data[200_000:]]
    assert max(len(block) for block in blocks) < 2000
    found = search_columns(pieces(data, 1000), ["lost it"])
    assert found is not None
    assert table(found)[0][0] == 20_001


def test_a_line_longer_than_a_piece_stays_whole() -> None:
    line = "2025-11-25 22:00:14 - a - INFO - " + "x" * 5000 + " lost it"
    found = search_columns(pieces(f"{line}\n".encode(), 100), ["lost it"])
    assert found is not None
    assert len(str(table(found)[0][4])) == 5008


def test_nothing_there_is_nothing_found() -> None:
    found = search_columns([], ["lost it"])
    assert found is not None
    assert table(found) == []


def test_only_what_holds_a_literal_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = BlockReader(Recogniser(load_registry()))
    read: list[bytes] = []
    real = reader.read
    monkeypatch.setattr(
        reader,
        "read",
        lambda data: read.append(data) or real(data),  # type: ignore[func-returns-value]
    )
    other = b"2025-11-25 22:00:14 - a - INFO - up\n"
    wanted = b"2025-11-25 22:00:15 - a - INFO - lost\nit all\n"
    rows, lines = Search(reader, ["it all"]).read(other * 50 + wanted + other * 50)
    assert (rows.line.tolist(), lines, read) == ([50], 102, [wanted])
    assert (rows.micros != NAT).all()


@given(st.text(min_size=1, max_size=20).filter(lambda t: "\n" not in t))
def test_every_literal_is_spelled_as_it_may_stand(literal: str) -> None:
    try:
        literal.encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair stands in no UTF-8 file
    lines = [f"a {literal} b", json.dumps({"m": literal})]
    lines += [json.dumps({"m": literal}, ensure_ascii=False)]
    assert all(any(text in line for text in spell([literal])) for line in lines)
