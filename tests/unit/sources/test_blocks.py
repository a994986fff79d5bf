from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, strategies as st

from diagkit.sources.blocks import BlockReader
from diagkit.sources.clocks import NAT
from diagkit.sources.formats import load_registry
from diagkit.sources.recognition import Recogniser
from diagkit.sources.records import Record, iterate_records

if TYPE_CHECKING:
    from diagkit.sources.rows import Rows

EXAMPLES = [
    example["line"] for how in load_registry().formats for example in how.examples
]
LINES = [
    *EXAMPLES,
    "2025-11-25 22:00:14 [ERROR   ] a.b: we lost it",
    "2025-11-25 22:00:14 [INFO    ] a.b: all well",
    "2025-11-25 22:00:14 [INFO    ] a.b:",
    "2025-13-45 22:00:14 [INFO    ] a.b: no such day",
    "2025-11-25 22:00:14 [INFO    ] [x] a.b: in the way",
    "2025-11-25 22:00:14 [INFO] [x] INFO a.b - [x]: in the way",
    "2025-11-25 22:00:14,031 [INFO    ] a.b: with milliseconds",
    "2025-11-25 22:00:14.031Z [INFO    ] a.b: with a zone",
    "2025-11-25 22:00:14.031+05:30 [INFO    ] a.b: with a zone",
    "2025-11-25 22:00:14.031 +0530 [INFO    ] a.b: with a zone",
    "2025-11-25 22:00:14 UTC [7] ERROR:  x: y",
    "2025-11-25 22:00:14 UTC [7] DETAIL:  Key (id)=(1) exists.",
    "2025-11-25 22:00:14 x ERROR:  x: y",
    "2025-11-25 22:00:14 INFO x: y",
    "2025-11-25 22:00:14 INFO: a",
    "2025-11-25 22:00:14 INFO a",
    "2025-11-25 22:00:14 INFO  a",
    "2025-11-25 22:00:14 up",
    "2025-11-25 22:00:14 Z up",
    "2025-11-25 22:00:14",
    "2025-11-25 22:00:14 é: ü",
    "2025-11-25 22:00:15,250 - a.b - INFO - Traceback (most recent call last):",
    "2025-11-25 22:00:15,250 - a.b - ERROR -   at x.y(z.py)",
    "Traceback (most recent call last):",
    '  File "x.py", line 3, in f',
    "ValueError: lost it",
    "java.lang.RuntimeException: lost it",
    "\tat a.b.C.d(C.java:1)",
    "Caused by: java.lang.X: y",
    "[SQL: select 1",
    "from x]",
    '{"message": "up", "level": "info", "timestamp": "2025-11-25T22:00:14Z"}',
    '{"message": "up", "level": "info", "timestamp": "2025-11-25T22:00:14.5+01:00"}',
    '{"message": "up", "level": "info", "timestamp": "1764108014"}',
    '{"message": "up", "level": "info", "timestamp": null}',
    '{"message": "up", "level": "", "logger": ""}',
    '{"message": "two\\nlines", "level": "info"}',
    '{"message": "up", "level": 20, "name": "x"}',
    '{"message": "up", "exc_info": "Traceback (most recent call last):\\nE: 1"}',
    '{"message": "up", "exc_info": null, "x": {"message": "no"}}',
    '{"message": "up", "exception": [{"exc_type": "E", "exc_value": "lost it"}]}',
    '{"record": {"message": "x", "level": {"name": "INFO"}}, "text": "y"}',
    '{"log.level": "warn", "message": "ecs", "@timestamp": "2025-11-25T22:00:14.000Z"}',
    '{"message": "a"}{"message": "b"}',
    '{"message": "a", "message": "b"}',
    '{"message": "a }',
    '{", "b": "x"}',
    '{"message": "\\ud83d\\ude00 \\u0041"}',
    '{"message": "\\ud83d"}',
    '{"\\u006dessage": "x"}',
    '{"a": {',
    "{}",
    "{",
    'INFO:     127.0.0.1:5 - "GET /lost HTTP/1.1" 200 OK',
    'INFO:     127.0.0.1:77 - "GET /lost HTTP/1.1" 200 OK',
    "\x1b[32mINFO\x1b[0m:     we lo\x1b[1mst it",
    "/srv/x.py:16: SAWarning: lost it",
    "WARNING:root3:x",
    "  lost it",
    "free text",
    "7 free text",
    "lost it, said nobody",
    "",
    "\x00",
    "é",
]
MIXED = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=40),
    # Logs of few shapes, as most are.
    st.lists(st.sampled_from(LINES), min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from(some), max_size=60)
    ),
    st.lists(
        st.sampled_from(LINES).flatmap(
            lambda line: st.integers(0, len(line)).flatmap(
                lambda cut: st.text(
                    st.sampled_from("a1 :-[]{}\"'.,é\t|<>\\"), max_size=4
                ).map(lambda noise: line[:cut] + noise + line[cut:])
            )
        ),
        max_size=20,
    ),
)


def fields(record: Record) -> tuple[object, ...]:
    return (
        record.line,
        record.lines,
        record.level,
        record.logger,
        record.message,
        record.exception,
        record.traceback,
        record.timestamp is not None,
    )


def reference(data: bytes) -> list[tuple[object, ...]]:
    """What reading line by line gives."""
    lines = data.decode().split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    return [fields(r) for r in iterate_records(x.removesuffix("\r") for x in lines)]


def table(rows: Rows, reader: BlockReader) -> list[tuple[object, ...]]:
    known = reader.recogniser
    return [
        (
            int(rows.line[at]) + 1,
            int(rows.lines[at]),
            known.levels.words[rows.level[at]],
            known.loggers.words[rows.logger[at]],
            message,
            reader.exceptions.words[rows.exception[at]],
            rows.traceback.get(at),
            bool(rows.micros[at] != NAT) or at in rows.raw,
        )
        for at, message in enumerate(rows.message.to_pylist())
    ]


@given(MIXED, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(0, 40))
@example(['{"message": "a }', '{", "b": "x"}', '{"c":1}{"d":2}'], "\n", True, 0)
@example(['{"message": "a"}', '{"message": "a"} {"message": "b"}'], "\n", True, 0)
def test_a_block_reads_as_its_lines_do(
    lines: list[str], end: str, ended: bool, again: int
) -> None:
    data = (end.join(lines) + (end if ended and lines else "")).encode()
    reader = BlockReader(Recogniser(load_registry()))
    # What was seen before may not change what is read.
    before = end.join((lines[again:] + lines[:again]) * 3).encode()
    reader.read(before)
    assert table(reader.read(data), reader) == reference(data)


@pytest.mark.parametrize("line", EXAMPLES)
def test_what_is_remembered_of_a_format_is_right(line: str) -> None:
    data = "\n".join([line, line + " 1", line + "] x", line + ": y", line] * 4).encode()
    reader = BlockReader(Recogniser(load_registry()))
    for _ in range(3):
        assert table(reader.read(data), reader) == reference(data)
