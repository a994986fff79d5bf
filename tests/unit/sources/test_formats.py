from __future__ import annotations

import os
import re
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from diagkit.errors import SettingError
from diagkit.sources import formats
from diagkit.sources.formatfiles import extend_registry
from diagkit.sources.formats import (
    NEVER_FIRST,
    LineFormat,
    Registry,
    load_registry,
    parse_json_line,
)
from diagkit.sources.layouts import BLOCKS, compile_layout
from diagkit.sources.records import RecordBuilder, iterate_records

EXAMPLES = [
    (f.name, example["line"]) for f in load_registry().formats for example in f.examples
]
CASES = [(f, example) for f in load_registry().formats for example in f.examples]


@pytest.mark.parametrize(("how", "example"), CASES, ids=lambda x: str(x)[:60])
def test_each_example_is_read_by_its_own_format(
    how: LineFormat, example: dict[str, str]
) -> None:
    (record,) = iterate_records([example["line"]])
    assert record.format == how.name
    expected = {k: v for k, v in example.items() if k != "line"}
    got = {name: getattr(record, name) for name in expected}
    assert got == expected


def test_every_format_has_an_example() -> None:
    assert [f.name for f in load_registry().formats if not f.examples] == []


@given(st.text(max_size=80))
def test_no_line_breaks_recognition(line: str) -> None:
    found = load_registry().recognise(line)
    assert found is None or found[1].string == line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"msg": "a", "levelname": "INFO"}', {"message": "a", "level": "INFO"}),
        ('{"event": "a", "ts": 5}', {"message": "a", "timestamp": 5}),
        ('{"message": "a"}', {"message": "a"}),
        (
            '{"text": "x", "record": {"message": "a", "level": {"name": "INFO"}, '
            '"time": {"repr": "r", "timestamp": 1.5}, "name": "n"}}',
            {"message": "a", "level": "INFO", "timestamp": 1.5, "logger": "n"},
        ),
        ('{"a": 1}', None),
        ('{"message": ', None),
        ("[1]", None),
        ('{"message": null}', None),
    ],
)
def test_json_lines_of_many_formatters(
    line: str, expected: dict[str, object] | None
) -> None:
    assert parse_json_line(line, load_registry()) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("warn", "WARNING"),
        ("FATAL", "CRITICAL"),
        ("40", "ERROR"),
        ("verbose", "VERBOSE"),
    ],
)
def test_levels_are_named_as_usual(written: str, expected: str) -> None:
    assert load_registry().level_name(written) == expected


@given(
    st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=12),
)
def test_examples_of_all_formats_come_apart(mixed: list[tuple[str, str]]) -> None:
    records = list(iterate_records([line for _, line in mixed]))
    assert [record.format for record in records] == [name for name, _ in mixed]
    assert [record.line for record in records] == list(range(1, len(mixed) + 1))


@pytest.mark.parametrize(("how", "example"), CASES, ids=lambda x: str(x)[:60])
def test_the_quick_tests_of_a_format_let_its_lines_through(
    how: LineFormat, example: dict[str, str]
) -> None:
    line = example["line"]
    assert how.may_begin(line[0])
    assert line[0] not in NEVER_FIRST
    assert how.needs in line
    assert re.match(how.gate, line)


@given(st.text(max_size=3), st.sampled_from(EXAMPLES), st.integers(0, 200))
def test_what_is_tried_first_is_what_is_tried_at_all(
    noise: str, example: tuple[str, str], cut: int
) -> None:
    """Dispatch and gates only save time: trying every format in order agrees."""
    _, whole = example
    line = whole[:cut] + noise + whole[cut:]
    registry = load_registry()
    found = registry.recognise(line)
    slow = next((f for f in registry.formats if f.pattern.fullmatch(line)), None)
    assert (found[0] if found else None) is slow


HOSTILE = [
    "{timestamp} ",
    "2025-11-24 10:00:00 ",
    "a",
    " ",
    "[",
    "]:",
    "x.y:",
    "@1",
    '"',
]


@pytest.mark.parametrize("part", [*HOSTILE, *(line for _, line in EXAMPLES)])
def test_no_line_takes_long(part: str) -> None:
    line = EXAMPLES[0][1][:20] + part * (50_000 // len(part))
    start = time.process_time()
    load_registry().recognise(line)
    load_registry().recognise(part * (50_000 // len(part)))
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"__REALTIME_TIMESTAMP": "1764026456500000", "PRIORITY": "3", '
            '"SYSLOG_IDENTIFIER": "api", "_COMM": "python", "MESSAGE": "lost it"}',
            ("json.journald", "1764026456500000", "ERROR", "api", "lost it"),
        ),
        (
            '{"__REALTIME_TIMESTAMP": "1764026456500000", "PRIORITY": "6", '
            '"_COMM": "api", "MESSAGE": [108, 111, 255]}',
            ("json.journald", "1764026456500000", "INFO", "api", "lo\\xff"),
        ),
        (
            '{"t": {"$date": "2025-11-24T10:00:00.123+00:00"}, "s": "W", '
            '"c": "NETWORK", "ctx": "conn1", "msg": "lost it"}',
            (
                "json.mongodb",
                "2025-11-24T10:00:00.123+00:00",
                "WARNING",
                "NETWORK",
                "lost it",
            ),
        ),
        (
            '{"level": 50, "time": 1764026456500, "pid": 1, "hostname": "h", '
            '"msg": "lost it"}',
            ("json.pino", 1764026456500, "ERROR", None, "lost it"),
        ),
        (
            '{"timestamp": "2025-11-24 10:00:00.1 UTC", "error_severity": "FATAL", '
            '"message": "lost it", "detail": "all", "backend_type": "client backend"}',
            (
                "json.postgresql",
                "2025-11-24 10:00:00.1 UTC",
                "CRITICAL",
                "client backend",
                "lost it\nDETAIL:  all",
            ),
        ),
        (
            '{"timestamp": {"seconds": 1764026456, "nanos": 5}, "severity": "INFO", '
            '"message": [1, 2000]}',
            ("json", "1764026456.000000005", "INFO", None, "[1, 2000]"),
        ),
        (
            '{"timestamp": {"x": 1}, "message": "a"}',
            ("json", None, None, None, "a"),
        ),
    ],
)
def test_json_of_several_kinds(line: str, expected: tuple[object, ...]) -> None:
    (record,) = iterate_records([line])
    got = (record.format, record.timestamp, record.level, record.logger, record.message)
    assert got == expected


OWN = """
[[format]]
name = "shop"
layout = "{timestamp:%d/%m/%Y %H:%M} <{level:word}> {logger}; {message}"

[[format.examples]]
line = "24/11/2025 10:00 <Schwer> db; lost it"
level = "ERROR"
message = "lost it"

[json]
message = ["meldung"]

[levels]
SCHWER = "ERROR"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def check_own(registry: Registry) -> None:
    found = registry.recognise("24/11/2025 10:00 <Schwer> db; lost it")
    assert found is not None
    assert found[0].name == "shop"
    assert registry.formats[0].name == "shop"
    assert parse_json_line('{"meldung": "a"}', registry) == {"message": "a"}
    assert registry.level_name("schwer") == "ERROR"


def test_a_user_adds_a_format_by_a_path(own: Path) -> None:
    check_own(load_registry([own]))
    assert load_registry([own]) is load_registry([own])
    assert load_registry().formats[0].name != "shop"


def test_a_user_adds_a_format_by_the_environment(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIAGKIT_FORMATS", f"{own}{os.pathsep}")
    check_own(load_registry())
    builder = RecordBuilder()
    builder.feed(1, "24/11/2025 10:00 <Schwer> db; lost it")
    record = builder.close()
    assert record is not None
    assert (record.format, record.timestamp) == ("shop", "2025-11-24T10:00:00.000")


@pytest.mark.parametrize("kind", ["path", "text", "call", "call_path"])
def test_a_package_adds_a_format_by_an_entry_point(
    own: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value: Any = {
        "path": str(own),
        "text": OWN,
        "call": lambda: OWN,
        "call_path": lambda: own,
    }[kind]
    monkeypatch.setattr(EntryPoint, "load", lambda _: value)
    point = EntryPoint("shop", "shop:formats", "diagkit.formats")
    check_own(extend_registry(load_registry(), [], [point]))


def test_entry_points_are_looked_for(own: Path, monkeypatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _: own)
    point = EntryPoint("shop", "shop:formats", "diagkit.formats")
    monkeypatch.setattr(formats, "find_entry_points", lambda: (point,))
    # A path that nothing else names, so that no earlier answer is remembered.
    other = own.with_name("other.toml")
    other.write_text("")
    check_own(load_registry([other]))


@pytest.mark.parametrize(
    ("value", "said"),
    [(5, "gives a int, not a path"), ("x = ", "cannot be read"), ("\nx = ", "no TOML")],
)
def test_a_bad_entry_point_is_told(monkeypatch, value: object, said: str) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _: value)
    point = EntryPoint("shop", "shop:formats", "diagkit.formats")
    with pytest.raises(SettingError, match=said):
        extend_registry(load_registry(), [], [point])


def test_an_entry_point_that_cannot_be_loaded_is_told() -> None:
    point = EntryPoint("shop", "no_such_module:x", "diagkit.formats")
    with pytest.raises(
        SettingError, match=r"entry point 'shop': cannot be loaded \(Mo"
    ):
        extend_registry(load_registry(), [], [point])


ROW = '[[format]]\nname = "shop"\n'
EXAMPLE = 'examples = [{ line = "2025-11-24 10:00:00 % lost it" }]\n'
FITS = 'layout = "{timestamp} % {message}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[format", "is no TOML"),
        ("[[fromat]]", "'fromat' is not known; did you mean 'format'"),
        ('format = ["x"]', "write [[format]]"),
        (FITS, "'layout' is not known"),
        ("[[format]]", "has no name"),
        (ROW + 'layuot = "x"', "format 'shop': 'layuot' is not known; did you mean 'l"),
        (ROW + 'pattern = "(a+)+"', "a pattern is not taken from a file"),
        (ROW, "it has no layout"),
        (ROW + 'layout = "{timestamp}"', "does not end with {message}"),
        (ROW + 'layout = "{message} {message}"', "does not end with {message}"),
        (ROW + 'layout = "* {timestamp} {message}"', "begins with '*'"),
        (ROW + 'layout = "{message}"', "every line would fit"),
        (ROW + FITS, "it has no example"),
        (ROW + FITS + EXAMPLE + 'follows = "all"', "follows = 'all' is none of"),
        (ROW + FITS + EXAMPLE + "logger = 5", "are text"),
        (ROW + FITS + EXAMPLE + "joins = 5", "joins is a list"),
        (
            ROW + 'layout = "{timestmap} {level} {message}"\n' + EXAMPLE,
            "{timestmap} is no field of a layout; did you mean",
        ),
        (
            ROW + 'layout = "{timestamp:%Q} {message}"\n' + EXAMPLE,
            "%Q in a time is not known",
        ),
        (
            ROW + 'layout = "{timestamp} {timestamp} {message}"\n' + EXAMPLE,
            "cannot be read",
        ),
        (ROW + FITS + 'examples = ["x"]', "an example has no line"),
        (ROW + FITS + 'examples = [{ line = "x" }]', "does not fit its example 'x'"),
        (
            ROW + FITS + EXAMPLE.replace(" }", ', levle = "x" }'),
            "'levle' is not known; did you mean 'level'",
        ),
        (
            ROW + FITS + EXAMPLE.replace(" }", ', message = "x" }'),
            "is read as 'lost it', not 'x'",
        ),
        ((ROW + FITS + EXAMPLE) * 2, "there is already a format 'shop'"),
        ('[json]\nmessage = "x"', "json is a table of lists"),
        ('[json]\nmassage = ["x"]', "did you mean 'message'"),
        ("[levels]\nX = 5", "levels is a table of texts"),
    ],
)
def test_a_bad_file_of_formats_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as error:
        load_registry([path])
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "own.toml" in str(error.value)


def test_a_file_of_formats_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no\.toml: the file of log formats cannot"):
        load_registry([tmp_path / "no.toml"])


def test_the_page_describes_what_there_is(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/logs.md").read_text(encoding="utf-8")
    prefix, own = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "shop.toml").write_text(f"{own}\n{prefix}", encoding="utf-8")
    first, second = load_registry([tmp_path / "shop.toml"]).formats[:2]
    assert (first.name, second.name[:18]) == ("shop", "postgresql '%t [%p")
    registry = load_registry()
    known = [f.name for f in (*registry.formats, *registry.json_formats)]
    table = page.split("## What a record is")[0]
    named = {name.rstrip("*") for name in re.findall(r"`([\w.]+\*?)`", table)}
    for name in known:
        assert any(
            name == n or (n.endswith(".") and name.startswith(n)) for n in named
        ), name
    fields = set(re.findall(r"`\{(\w+(?::\w+)?)\}`", page))
    assert fields <= set(BLOCKS)


@given(
    st.lists(
        st.sampled_from(
            ["{skip}", "{skip:word}", "{logger}", "{level}", " ", "a", "-", "x {skip}"]
        ),
        max_size=8,
    ).filter(lambda p: p.count("{logger}") < 2 and p.count("{level}") < 2)
)
def test_no_layout_of_a_user_takes_long(parts: list[str]) -> None:
    pattern = compile_layout("".join(parts) + "{message}!")
    start = time.process_time()
    for piece in ("a", "a ", "a-", " ", "INFO "):
        pattern.fullmatch(piece * 5_000)
    assert time.process_time() - start < 1
