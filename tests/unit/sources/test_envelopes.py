from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from diagkit.sources.envelopes import Inside, find_envelope, load_envelopes
from diagkit.sources.flows import MAX_FLOWS, peel
from diagkit.sources.logs import read_logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAMP = "2026-11-22T15:59:24.123456789Z"
WRAPS: dict[str, Callable[[str], str]] = {
    "docker.json-file": lambda s: json.dumps(
        {"log": s + "\n", "stream": "stderr", "time": STAMP}, ensure_ascii=False
    ),
    "kubernetes.cri": lambda s: f"{STAMP} stderr F {s}",
    "kubectl.prefix": lambda s: f"[pod/api-6c/app] {s}",
    "kubectl.prefix.timestamps": lambda s: f"[pod/api-6c/app] {STAMP} {s}",
    "heroku": lambda s: f"{STAMP} app[web.1]: {s}",
    "supervisord": lambda s: f"api stdout | {s}",
    "compose": lambda s: f"api-1  | {s}",
    "compose.timestamps": lambda s: f"\x1b[36mapi-1  | \x1b[0m{STAMP} {s}",
    "timestamps": lambda s: f"{STAMP} {s}",
    "journald.iso": lambda s: f"2026-11-22T15:59:24+0100 host uvicorn[12]: {s}",
    "journald.short": lambda s: f"Nov 22 15:59:24 host uvicorn[12]: {s}",
    "launcher.brackets": lambda s: f"[worker-1] {s}",
    "launcher.colon": lambda s: f"web.1: {s}",
}
TIMED = [
    "2025-11-25 22:00:14 [INFO    ] a.b: one",
    "2025-11-25 22:00:15,250 ERROR a.b: two",
    '{"timestamp":"2025-11-25T22:00:16Z","level":"info","logger":"c","message":"3"}',
]
OTHER = [
    "Traceback (most recent call last):",
    '  File "x.py", line 3, in f',
    "ValueError: bad",
    'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
    "",
    "  + Exception Group Traceback (most recent call last):",
    "  | ExceptionGroup: two (2 sub-exceptions)",
    "é \u2028 x",
]
OUTSIDE = ("line", "says")
RECORD = ["timestamp", "level", "logger", "message", "exception", "traceback"]


def read(path: Path, lines: list[str], **options: object) -> pd.DataFrame:
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return read_logs(path, tz="UTC", progress=False, **options)


def test_every_example_is_peeled() -> None:
    for envelope in load_envelopes():
        assert envelope.examples
        for example in envelope.examples:
            # What is spelled otherwise is held by tests of its own.
            usual = {"payload": example["line"]} if envelope.spelling else {}
            parts = usual | {k: v for k, v in example.items() if k not in OUTSIDE}
            assert envelope.open(example["line"]) == Inside(**parts), envelope.name


def test_every_envelope_is_tested() -> None:
    wraps = {e.name for e in load_envelopes() if e.spelling is None}
    assert set(WRAPS) == wraps


@pytest.mark.parametrize("name", WRAPS)
def test_an_envelope_is_told_by_the_first_lines(name: str) -> None:
    lines = [TIMED[0], *OTHER[:3], TIMED[1]] * 3
    found = find_envelope([WRAPS[name](line) for line in lines])
    assert found is not None
    assert found.name == name
    assert find_envelope(lines) is None


@pytest.mark.parametrize("name", WRAPS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=25,
    deadline=None,
)
@given(lines=st.lists(st.sampled_from([*TIMED, *TIMED, *OTHER]), max_size=30))
def test_the_same_bare_and_wrapped(tmp_path: Path, name: str, lines: list[str]) -> None:
    lines = [*TIMED[:2] * 16, *lines]
    bare = read(tmp_path / "x.log", lines)
    wrapped = read(tmp_path / "x.log", [WRAPS[name](line) for line in lines])
    timed = bare["timestamp"].notna()
    pd.testing.assert_frame_equal(bare[RECORD[1:]], wrapped[RECORD[1:]])
    pd.testing.assert_series_equal(
        bare["timestamp"][timed], wrapped["timestamp"][timed]
    )
    assert wrapped[["line", "lines"]].equals(bare[["line", "lines"]])
    # What has no time of its own gets the envelope's, where that has a date and zone.
    assert set(wrapped["timestamp"][~timed].dropna().dt.year) <= {2026}


def test_the_time_of_writing_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    access = 'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK'
    lines = [f"2026-11-22T15:59:{n}.5Z stdout F {access}" for n in range(10, 13)]
    logs = read(tmp_path / "x.log", lines)
    assert logs["timestamp"].dt.second.tolist() == [10, 11, 12]
    assert set(logs["logger"]) == {"uvicorn.access"}
    assert logs["service"].isna().all()


def test_services_come_apart(tmp_path: Path) -> None:
    trouble = ["2025-11-25 22:00:15 ERROR a.b: two", *OTHER[:3]]
    mixed = [
        line
        for one in trouble
        for line in (f"\x1b[36mapi-1     | \x1b[0m{one}", f"worker-1  | {one}")
    ]
    logs = read(tmp_path / "x.log", ["Attaching to api-1, worker-1", *mixed])
    assert logs["service"].fillna("").tolist() == ["", "api-1", "worker-1"]
    assert logs["line"].tolist() == [1, 2, 3]
    assert logs["lines"].tolist() == [1, 4, 4]
    assert logs["exception"].tolist()[1:] == ["ValueError"] * 2
    assert logs["traceback"][1] == logs["traceback"][2] == "\n".join(OTHER[:3])


def test_words_of_the_launcher_do_not_hide_the_envelope(tmp_path: Path) -> None:
    known = f"api-1  | {TIMED[0]}"
    few = ["Attaching to api-1", known, known, known, "api-1 exited with code 0"]
    logs = read(tmp_path / "x.log", few)
    assert logs["service"].fillna("").tolist() == ["", "api-1", "api-1", "api-1"]
    assert logs["message"].iloc[-1] == "one\napi-1 exited with code 0"


def test_streams_come_apart(tmp_path: Path) -> None:
    trouble = ["2025-11-25 22:00:15 ERROR a.b: two", *OTHER[:3]]
    lines = [
        text
        for one in trouble
        for text in (f"{STAMP} stderr F {one}", f"{STAMP} stdout F {OTHER[3]}")
    ]
    logs = read(tmp_path / "x.log", lines)
    assert logs["lines"].tolist() == [4, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text, more: f"{STAMP} stdout {'P' if more else 'F'} {text}",
        lambda text, more: json.dumps(
            {"log": text + "\n" * (not more), "stream": "stdout", "time": STAMP}
        ),
    ],
)
def test_parts_of_a_line_are_joined(
    tmp_path: Path, wrap: Callable[[str, bool], str]
) -> None:
    text = TIMED[0] + " and so on " * 9
    other = wrap(TIMED[1], False).replace("stdout", "stderr")
    parts = [wrap(text[at : at + 10], True) for at in range(0, len(text), 10)]
    lines = [wrap(TIMED[0], False), *parts[:3], other, *parts[3:], wrap("", False)]
    logs = read(tmp_path / "x.log", lines)
    assert logs["message"].tolist() == ["one", "one" + " and so on " * 9, "two"]
    assert logs["line"].tolist() == [1, 2, 5]
    assert logs["lines"].tolist() == [1, len(lines) - 2, 1]
    cut = read(tmp_path / "x.log", lines[:4])
    assert cut["message"].tolist()[1] == text[:30].partition(": ")[2]
    assert cut["lines"].tolist() == [1, 3]


def test_what_compose_cut_is_joined(tmp_path: Path) -> None:
    long = TIMED[0] + "x" * 80_000
    whole = (TIMED[1] + "y" * 40_000)[:32768]
    lines = [f"api-1  | {long[at : at + 32768]}" for at in range(0, len(long), 32768)]
    lines += [f"api-1  | {whole}", f"api-1  | {TIMED[0]}"]
    logs = read(tmp_path / "x.log", lines)
    assert [len(message) for message in logs["message"]] == [
        80_003,
        len(whole.partition(": ")[2]),
        3,
    ]
    assert logs["lines"].tolist() == [3, 1, 1]


def test_lines_within_one_json_line(tmp_path: Path) -> None:
    text = "\r\n".join([TIMED[1], *OTHER[:3], TIMED[0]]) + "\r\n"
    line = json.dumps({"log": text, "stream": "stdout", "time": STAMP})
    logs = read(tmp_path / "x.log", [line, line])
    assert logs["exception"].fillna("").tolist() == ["ValueError", ""] * 2
    assert logs["line"].tolist() == [1, 1, 2, 2]
    assert logs["lines"].tolist() == [1, 0, 1, 0]


UVICORN = [
    'INFO:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK',
    "WARNING:  Invalid HTTP request received.",
    "ERROR:    Exception in ASGI application",
    *OTHER[:3],
]


@pytest.mark.parametrize(
    "name", ["kubectl.prefix.timestamps", "timestamps", "compose.timestamps"]
)
@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_time_before_uvicorns_lines_is_the_envelopes(
    tmp_path: Path, name: str, count: int
) -> None:
    lines = [WRAPS[name](line) for line in UVICORN[:count]]
    found = find_envelope(lines)
    assert found is not None
    assert found.name == name
    logs = read(tmp_path / "x.log", lines)
    loggers = ["uvicorn.access", "uvicorn.error", "uvicorn.error"][:count]
    assert logs["logger"].tolist() == loggers
    assert logs["level"].tolist() == ["INFO", "WARNING", "ERROR"][:count]
    assert (logs["timestamp"] == pd.Timestamp(STAMP).as_unit("us")).all()


def test_of_two_envelopes_that_tell_as_much_the_one_that_fits_more_lines_wins() -> None:
    head = f"api-1  | {STAMP} no format knows this"
    found = find_envelope([head, "api-1  |   and this goes on", *[head] * 8])
    assert found is not None
    assert found.name == "compose"
    found = find_envelope([head] * 9)
    assert found is not None
    assert found.name == "compose.timestamps"


def test_what_is_understood_is_not_peeled() -> None:
    for lines in (
        [f"2025-11-24T18:17:{n}Z INFO app: up" for n in range(10, 30)],
        [f"[{n}] [INFO] up" for n in range(20)],
        ["INFO:     up", "ERROR: down"],
        ["web.1: up", "web.2: down"],
        [f"[request-{n}] 2025-11-24 18:17:11 - root - INFO - up" for n in range(50)],
        ["api-1  | 2025-11-24 18:17:11 - root - INFO - up", "one", "two", "three"],
        [],
        ["", ""],
    ):
        assert find_envelope(lines) is None, lines


def test_what_nothing_else_looks_like_is_always_peeled(tmp_path: Path) -> None:
    for name in ("docker.json-file", "kubernetes.cri"):
        lines = [WRAPS[name](f"no format knows {n}") for n in range(3)]
        logs = read(tmp_path / "x.log", lines)
        assert logs["message"].str.startswith("no format").all()
        assert (logs["timestamp"].dt.year == 2026).all()


any_text = st.one_of(
    st.sampled_from([*TIMED, *OTHER]),
    st.text(max_size=9, alphabet=st.characters(codec="utf-8", exclude_characters="\n")),
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::diagkit.errors.DiagkitWarning")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=150,
    deadline=None,
)
@given(
    st.lists(
        st.tuples(st.sampled_from([str, *WRAPS.values()]), any_text, st.booleans())
    ),
    st.sampled_from([str, *WRAPS.values()]),
)
def test_lines_add_up_whatever_is_wrapped(
    tmp_path: Path, parts: list[tuple[Callable[[str], str], str, bool]], usual
) -> None:
    lines = [(usual if often else wrap)(text) for wrap, text, often in parts]
    lines = [*map(usual, TIMED), *lines]
    logs = read(tmp_path / "x.log", lines)
    assert logs["lines"].sum() == len(lines)
    assert logs["line"].is_monotonic_increasing


def test_services_without_number_do_not_fill_the_memory() -> None:
    (compose,) = (e for e in load_envelopes() if e.name == "compose")
    lines = [f"s{n}-1 | {TIMED[0]}" for n in range(3 * MAX_FLOWS)]
    found = [(record.line, record.lines) for _, record in peel(lines, compose)]
    assert sorted(found) == [(n, 1) for n in range(1, 3 * MAX_FLOWS + 1)]
