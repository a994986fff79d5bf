from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from diagkit.sources.formats import load_registry
from diagkit.sources.headers import (
    JOINS,
    NOT,
    UNDECIDED,
    Headers,
    Lane,
    Outcome,
    is_foldable,
)
from diagkit.sources.overlaps import find_earlier

REGISTRY = load_registry()
LINE = "2025-11-24 18:17:11 [INFO    ] a.b: up"
LANE = Lane(b"0000-00-00 00:00:00", 0, b": ", 1)
MESSAGES = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("abc :-[](){}|.,0\"'#@/=>"), max_size=40),
    st.sampled_from(
        [example["line"] for how in REGISTRY.formats for example in how.examples]
    ),
)


def headers_of(line: str) -> tuple[Headers, Lane]:
    headers = Headers(REGISTRY)
    assert headers.learn(line)
    return headers, headers.lanes[0]


def test_a_lane_is_learned_once() -> None:
    headers, lane = headers_of(LINE)
    assert lane == LANE
    assert not headers.learn(LINE)
    assert not headers.learn("free text")
    assert not headers.learn("Jun 14 15:16:01 combo sshd[19939]: lost it")


def test_longer_times_are_tried_first() -> None:
    headers, _ = headers_of(LINE)
    headers.learn("2025-11-24 18:17:11,204 [INFO    ] a.b: up")
    assert [len(lane.shape) for lane in headers.lanes] == [23, 19]


def test_a_key_says_what_stands_in_it() -> None:
    headers = Headers(REGISTRY)
    outcome = headers.of_key(LANE, b"2025-11-24 18:17:11", b" [WARN] a.b: ")
    assert outcome == Outcome("WARNING", "a.b", 32, "any")
    assert headers.of_key(LANE, b"2025-11-24 18:17:11", b"? x: ") == UNDECIDED


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("WARNING:app:lost it", Outcome("WARNING", "app", 12, "any")),
        ("WARNING:app2:lost it", UNDECIDED),
        ("free text", NOT),
        ("LOG:  x", NOT),
        ("\x1b[1mx", NOT),
        ("\x1b[1mWARNING:app:lost it", UNDECIDED),
        ("Jun 14 15:16:01 combo sshd[19939]: lost it", UNDECIDED),
        ("2025-11-24 18:17:11 UTC [1] DETAIL:  x", JOINS),
    ],
)
def test_a_line_says_what_it_begins(line: str, outcome: Outcome | int) -> None:
    assert Headers(REGISTRY).of_line(line.encode(), line.encode()) == outcome


def test_few_lines_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diagkit.sources.headers.MOST_LINES", 2)
    headers = Headers(REGISTRY)
    for line in (b"a", b"b", b"c", b"d", b"a"):
        assert headers.of_line(line, line) == NOT
    assert len(headers._lines) <= 3


def test_the_built_in_formats_treat_all_digits_alike() -> None:
    assert is_foldable(REGISTRY)


EXAMPLES = [
    example["line"]
    for how in REGISTRY.formats
    for example in how.examples
    if Headers(REGISTRY).learn(example["line"])
]


def test_most_formats_have_a_lane() -> None:
    assert len(EXAMPLES) > 25


@given(st.sampled_from(EXAMPLES), MESSAGES)
def test_what_a_header_says_holds_for_every_message(line: str, message: str) -> None:
    headers, lane = headers_of(line)
    found = REGISTRY.recognise(line)
    assert found is not None
    header = line[: found[1].start("message")]
    size = len(lane.shape)
    outcome = headers.of_key(lane, line[:size].encode(), header[size:].encode())
    if not isinstance(outcome, Outcome):
        return
    message = message.replace("\n", " ")
    again = REGISTRY.recognise(header + message)
    if outcome.unless and (
        not message.isascii() or re.match(outcome.unless, header + message, re.DOTALL)
    ):
        return  # such a line is looked at by itself
    assert again is not None
    assert again[0] is found[0]
    assert again[1]["message"] == message
    assert again[1].start("message") == len(header)


def test_a_format_that_looks_at_the_message_is_excluded_by_a_pattern() -> None:
    line = "2025-11-24 18:17:11 INFO: up"
    found = REGISTRY.recognise(line)
    assert found is not None
    pattern = find_earlier(REGISTRY, found[0], "2025-11-24 18:17:11 INFO: ")
    assert pattern
    assert re.match(pattern, "2025-11-24 18:17:11 INFO: [1] x ERROR:  lost it")
    assert not re.match(pattern, line)
