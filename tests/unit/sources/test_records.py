from __future__ import annotations

from hypothesis import given, strategies as st

from diagkit.sources.formats import load_registry
from diagkit.sources.records import Record, begins_record, iterate_records

HEAD = "2025-11-25 22:00:14 [ERROR   ] a.b: "
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "x.py", line 3, in f',
    "    raise KeyError(1)",
    "KeyError: 1",
]
JAVA = [
    "java.lang.RuntimeException: lost it",
    "\tat c.e.App.run(App.java:5)",
    "\t... 12 common frames omitted",
    "Caused by: java.sql.SQLException: no connection",
    "\tat com.zaxxer.hikari.HikariPool.getConnection(HikariPool.java:9)",
    "\t... 12 more",
]
PREFIX = "2025-11-24 23:20:56.631 UTC [123] app@prod "
POSTGRESQL = [
    PREFIX + 'ERROR:  duplicate key value violates unique constraint "t_pkey"',
    PREFIX + "DETAIL:  Key (id)=(1) already exists.",
    PREFIX + "STATEMENT:  INSERT INTO t",
    "\t\tVALUES (1)",
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
        *JAVA,
        *POSTGRESQL,
        "Jun 14 15:16:01 combo sshd[5]: six",
    ]
)


def read(*lines: str) -> list[Record]:
    return list(iterate_records(lines))


def begins(line: str) -> bool:
    """The slow reference: a line that is the first of a record when it stands alone,
    and that a record before it does not change."""
    (alone,) = iterate_records([line])
    return alone.format != "unknown" and not alone.joins


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


@given(LINES | st.text(max_size=60))
def test_what_begins_a_record_is_what_the_reader_takes_for_one(line: str) -> None:
    assert begins_record(line) == begins(line)


def test_what_postgresql_says_of_an_error_is_one_record() -> None:
    first, second = read(*POSTGRESQL, PREFIX + "LOG:  next")
    assert (first.level, first.logger, first.lines) == ("ERROR", "postgresql", 4)
    assert first.message == (
        'duplicate key value violates unique constraint "t_pkey"\n'
        "DETAIL:  Key (id)=(1) already exists.\n"
        "STATEMENT:  INSERT INTO t\n\t\tVALUES (1)"
    )
    assert (second.level, second.message) == ("LOG", "next")


def test_a_detail_without_its_error_is_a_record_of_its_own() -> None:
    first, second = read("free text", POSTGRESQL[1])
    assert (second.format, second.level) == ("postgresql", None)
    assert second.message == "DETAIL:  Key (id)=(1) already exists."
    assert first.lines == 1


def test_a_detail_that_python_logs_is_part_of_its_message() -> None:
    (record,) = read(HEAD + "failed", *TRACEBACK, "DETAIL:  Key (id)=(1) exists.")
    assert record.exception == "KeyError"
    assert record.lines == 6


def test_text_after_postgresql_is_not_its_own() -> None:
    records = read(PREFIX + "LOG:  up", "\tand running", "printed by somebody")
    assert [r.lines for r in records] == [2, 1]


def test_a_java_trace_belongs_to_its_record() -> None:
    spring = "2025-11-24 10:00:00.123 ERROR 1 --- [main] c.e.App : "
    first, second = read(spring + "failed", *JAVA, spring + "next")
    assert first.message == "failed"
    assert first.traceback == "\n".join(JAVA)
    # The one that was raised last, as of Python: causes are in the traceback.
    assert first.exception == "java.lang.RuntimeException"
    assert second.message == "next"


def test_a_leak_that_hikari_reports_is_one_record() -> None:
    (record,) = read(
        "2025-11-24 10:00:00,123 [housekeeper] WARN  com.zaxxer.hikari.pool."
        "ProxyLeakTask - Connection leak detection triggered for x on thread main, "
        "stack trace follows",
        "java.lang.Exception: Apparent connection leak detected",
        *JAVA[1:2],
    )
    assert record.exception == "java.lang.Exception"
    assert record.message.endswith("stack trace follows")


def test_a_bare_java_trace_is_one_record() -> None:
    first, second = read(*JAVA[:2], *JAVA[3:], "printed by somebody")
    assert (first.format, first.lines) == ("unknown", 5)
    assert (first.message, first.exception) == ("", "java.lang.RuntimeException")
    assert second.message == "printed by somebody"


def test_a_priority_is_a_level() -> None:
    (record,) = read("<11>Nov 24 23:20:56 web1 api[5]: lost it")
    assert (record.level, record.logger) == ("ERROR", "api")


def test_loose_formats_leave_messages_whole() -> None:
    """Lines that look a little like a record are what they are: parts of a message."""
    inside = [
        "Jun 14 was the day",
        "10:00:00 or later",
        "[1] reference",
        "- item 5",
        "level=info is set",
        "081109 203518",
        "17/06/09 is a date",
        "1 | {dashboardStats{totalProjects}}",
        "127.0.0.1 - - no access",
        "FATAL:  sorry, too many clients already",
        "E5 error",
        "LOG:  1",
        "<5> tag",
        "5:M is a role",
        "20171223-22|a|b",
    ]
    (record,) = read(HEAD + "failed", *inside)
    assert record.message == "\n".join(["failed", *inside])


@given(
    st.lists(
        st.sampled_from([f.examples[0]["line"] for f in load_registry().formats]),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_wherever_lines_are_cut_the_records_after_are_the_same(
    lines: list[str], data: st.DataObject
) -> None:
    """A line that begins a record ends the one before: reading may start at any."""
    cut = data.draw(st.integers(0, len(lines) - 1))
    whole = [(r.line, r.format, r.message) for r in read(*lines) if r.line > cut]
    late = [(r.line + cut, r.format, r.message) for r in read(*lines[cut:])]
    assert whole == late


def test_a_statement_over_several_lines_belongs_to_the_traceback() -> None:
    first, second = read(
        "ERROR:    Exception in ASGI application",
        *TRACEBACK[:3],
        "sqlalchemy.exc.ProgrammingError: (psycopg.errors.UndefinedColumn) no column",
        "LINE 1: SELECT a.b",
        "               ^",
        "[SQL: SELECT a.b",
        "FROM a",
        " LIMIT %(param_1)s::INTEGER]",
        "[parameters: {'param_1': 5}]",
        "(Background on this error at: https://sqlalche.me/e/21/f405)",
        "printed by somebody",
    )
    assert first.lines == 12
    assert first.exception == "sqlalchemy.exc.ProgrammingError"
    assert second.message == "printed by somebody"
