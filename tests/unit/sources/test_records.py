from __future__ import annotations

from hypothesis import given, strategies as st

from diagkit.sources.records import Record, iterate_records

HEAD = "2025-11-25 22:00:14 [ERROR   ] a.b: "
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "x.py", line 3, in f',
    "    raise KeyError(1)",
    "KeyError: 1",
]
LINES = st.sampled_from(
    [
        HEAD + "one",
        "2025-11-25 22:00:15,250 - a.b - INFO - two",
        '{"timestamp": "2025-11-25T22:00:16Z", "level": "info", "message": "three"}',
        '{"broken": ',
        'INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK',
        "ERROR:    Exception in ASGI application",
        "/srv/x.py:16: SAWarning: lost",
        "  source of it",
        "",
        "\x00",
        "free text",
        *TRACEBACK,
    ]
)


def read(*lines: str) -> list[Record]:
    return list(iterate_records(lines))


def begins(line: str) -> bool:
    """The slow reference: a line that is the first of a record when it stands alone,
    and that a record before it does not change."""
    (alone,) = iterate_records([line])
    return alone.format != "unknown"


@given(st.lists(LINES | st.text(st.characters(exclude_characters="\n")), max_size=40))
def test_lines_add_up_and_are_in_order(lines: list[str]) -> None:
    records = read(*lines)
    assert sum(r.lines for r in records) == len(lines)
    starts = [r.line for r in records]
    assert starts == sorted(set(starts))
    ends = [r.line + r.lines for r in records]
    assert ends[:-1] == starts[1:]


@given(st.lists(LINES, max_size=40))
def test_a_line_that_begins_a_record_always_begins_one(lines: list[str]) -> None:
    starts = {r.line for r in read(*lines)}
    expected = {n for n, line in enumerate(lines, start=1) if begins(line)}
    assert expected <= starts


@given(st.lists(LINES, max_size=30), st.sampled_from(["one", "KeyError", "nowhere"]))
def test_matching_keeps_just_the_records_that_hold_it(
    lines: list[str], literal: str
) -> None:
    whole = [
        (r.line, r.message)
        for r in read(*lines)
        if literal in r.message or literal in (r.traceback or "")
    ]
    kept = [(r.line, r.message) for r in iterate_records(lines, [literal])]
    assert kept == whole


def test_a_traceback_belongs_to_its_record() -> None:
    (record,) = read(HEAD + "failed", "GraphQL request:1:20", *TRACEBACK)
    assert record.message == "failed\nGraphQL request:1:20"
    assert record.traceback == "\n".join(TRACEBACK)
    assert record.exception == "KeyError"
    assert record.lines == 6


def test_json_and_text_of_one_record_are_read_alike() -> None:
    body = "\\n".join(TRACEBACK).replace('"', '\\"')
    (json,) = read(
        f'{{"timestamp": "2025-11-25T22:00:14Z", "level": "ERROR", "logger": "a.b", '
        f'"message": "failed", "exception": "{body}"}}'
    )
    (text,) = read(HEAD + "failed", *TRACEBACK)
    for name in ("level", "logger", "message", "exception", "traceback"):
        assert getattr(json, name) == getattr(text, name), name


def test_uvicorn_takes_a_traceback_and_nothing_else() -> None:
    first, second = read(
        "ERROR:    Exception in ASGI application", *TRACEBACK, "printed by somebody"
    )
    assert (first.logger, first.exception) == ("uvicorn.error", "KeyError")
    assert (second.format, second.message) == ("unknown", "printed by somebody")


def test_an_access_line_takes_nothing() -> None:
    records = read('INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK', "  printed")
    assert [r.logger for r in records] == ["uvicorn.access", None]


def test_a_warning_takes_its_line_of_source() -> None:
    first, second = read("/srv/x.py:16: SAWarning: lost", "  x()", "  y()")
    assert (first.lines, first.logger, first.level) == (2, "py.warnings", "WARNING")
    assert second.message == "  y()"


def test_a_bare_traceback_is_one_record() -> None:
    chain = "During handling of the above exception, another exception occurred:"
    (record,) = read(*TRACEBACK, "", chain, "", *TRACEBACK[:3], "ValueError: bad")
    assert record.exception == "ValueError"
    assert record.message == ""
    assert record.lines == 11


def test_colours_around_the_level_are_passed_over() -> None:
    (record,) = read("\x1b[32mINFO\x1b[0m:     Application startup complete.")
    assert (record.level, record.message) == ("INFO", "Application startup complete.")


def test_colours_inside_of_a_message_are_kept() -> None:
    (record,) = read(HEAD + "user said \x1b[31mred")
    assert record.message == "user said \x1b[31mred"


def test_leading_blanks_of_a_message_are_kept() -> None:
    (record,) = read(HEAD + "  - Endpoint: POST /graphql")
    assert record.message == "  - Endpoint: POST /graphql"


def test_local_variables_of_structlog_are_left_out() -> None:
    (record,) = read(
        '{"event": "failed", "level": "error", "exception": [{"exc_type": "KeyError", '
        '"exc_value": "1", "frames": [{"filename": "x.py", "lineno": 3, "name": "f", '
        '"locals": {"password": "hunter2"}}]}]}'
    )
    assert record.exception == "KeyError"
    assert record.traceback is not None
    assert 'File "x.py", line 3, in f' in record.traceback
    assert "hunter2" not in record.traceback


def test_a_message_that_is_no_text_is_spelled_out() -> None:
    (record,) = read('{"message": {"a": "ü"}, "level": 40}')
    assert (record.message, record.level) == ('{"a": "ü"}', "ERROR")
