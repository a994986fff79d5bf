from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from diagkit.sources.formats import LineFormat, load_registry, parse_json_line
from diagkit.sources.records import iterate_records

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
