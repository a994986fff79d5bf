from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from diagkit.sources.envelopes import Envelope, find_envelope, load_envelopes
from diagkit.sources.identify import identify_file
from diagkit.sources.logs import read_logs
from diagkit.sources.unwrapping import take_off

if TYPE_CHECKING:
    from pathlib import Path

    from diagkit.sources.records import Record

SPELLED = [e for e in load_envelopes() if e.spelling is not None]
CSVLOG, PREFIX = SPELLED
# As PostgreSQL 18 wrote it.
BACKEND = ',"postgres","postgres",4546,"[local]",6b0359b9.11c2,'
START = "2026-11-22 21:08:09 UTC"
ROWS = [
    '2026-11-22 21:08:09.710 UTC,,,4546,"[local]",6b0359b9.11c2,1,"",'
    f'{START},,0,LOG,00000,"connection received: host=[local]",,,,,,,,,"",'
    '"not initialized",,0',
    f'2026-11-22 21:08:09.711 UTC{BACKEND}7,"INSERT",{START},1/5,755,ERROR,23505,'
    '"duplicate key value violates unique constraint ""t_pkey""",'
    '"Key (id)=(1) already exists.",,,,,"INSERT INTO t',
    '\tVALUES (1)",,,"my ""app"", v2","client backend",,0',
    f'2026-11-22 21:08:09.717 UTC{BACKEND}12,"DO",{START},1/7,0,WARNING,01000,"two',
    'lines, ""quoted""","de',
    'tail","hint",,,"PL/pgSQL function inline_code_block line 1 at RAISE",,,,'
    '"my ""app"", v2","client backend",,0',
]
# What version 12 wrote: no backend_type.
OLD = (
    '2019-03-01 10:00:00.123 CET,"app","prod",812,"10.0.0.1:5432",5c78f0a0.32c,3,'
    '"SELECT",2019-03-01 09:59:00 CET,3/12,0,ERROR,25P02,"current transaction is '
    'aborted, commands ignored until end of transaction block",,,,,,"SELECT 1",,,"app"'
)


def read(lines: list[str]) -> tuple[Envelope | None, list[Record]]:
    envelope, records = take_off(lines)
    return envelope, [record for _, record in records]


@pytest.mark.parametrize("envelope", SPELLED, ids=lambda e: e.name)
def test_every_example_is_spelled_as_json(envelope: Envelope) -> None:
    assert envelope.examples
    for example in envelope.examples:
        assert envelope.spelling is not None
        said = json.loads(envelope.spelling.spell(example["line"]))
        assert {key: said.get(key) for key in example["says"]} == example["says"]


def test_a_row_is_a_record_however_many_lines_it_has() -> None:
    envelope, records = read(ROWS)
    assert envelope is CSVLOG
    assert [(r.line, r.lines) for r in records] == [(1, 1), (2, 2), (4, 3)]
    assert [r.level for r in records] == ["LOG", "ERROR", "WARNING"]
    assert [r.logger for r in records] == ["not initialized", *["client backend"] * 2]
    assert records[0].timestamp == "2026-11-22 21:08:09.710 UTC"
    assert [r.message for r in records[1:]] == [
        'duplicate key value violates unique constraint "t_pkey"\n'
        "DETAIL:  Key (id)=(1) already exists.\n"
        "STATEMENT:  INSERT INTO t\n\tVALUES (1)",
        'two\nlines, "quoted"\nDETAIL:  de\ntail\nHINT:  hint\n'
        "CONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE",
    ]


def test_a_row_of_an_old_version_says_no_backend() -> None:
    _, (record,) = read([OLD])
    # Several zones are called CET: tz= says which.
    assert record.timestamp == "2019-03-01 10:00:00.123"
    assert (record.level, record.logger) == ("ERROR", "postgresql")
    assert record.message.endswith("transaction block\nSTATEMENT:  SELECT 1")


def test_a_jsonlog_is_read_like_a_csvlog() -> None:
    line = '{"timestamp":"2019-03-01 10:00:00.123 CET","error_severity":"LOG",'
    _, (record,) = read([line + '"message":"up","backend_type":"startup"}'])
    assert record.timestamp == "2019-03-01 10:00:00.123"
    assert (record.level, record.logger) == ("LOG", "startup")


def test_a_message_that_looks_like_a_row_is_none() -> None:
    forged = [row.replace('"', '""') for row in ROWS[:1]]
    row = OLD.replace("current transaction", "\n".join(["so:", *forged, "and"]))
    _, (record,) = read(row.split("\n"))
    assert record.lines == 3
    assert record.message.split("\n")[1] == ROWS[0]


def test_of_rows_that_grep_cut_each_is_a_record() -> None:
    envelope, records = read([line for line in ROWS if line.startswith("2026")] * 2)
    assert envelope is CSVLOG
    assert [r.lines for r in records] == [1] * 6
    assert records[1].message.endswith("\nSTATEMENT:  INSERT INTO t")


def test_what_stands_between_rows_is_not_lost() -> None:
    _, records = read([*ROWS[:1], "printed by somebody", *ROWS])
    assert [r.lines for r in records] == [1, 1, 1, 2, 3]
    assert (records[1].format, records[1].message) == ("unknown", "printed by somebody")


TEXT = st.text(
    st.sampled_from('"",, \n\tab\u00e9') | st.characters(codec="utf-8", categories="L"),
    max_size=12,
)
ROW = st.tuples(
    st.one_of(st.just(""), TEXT.filter(lambda s: "\n" not in s)),  # user
    st.sampled_from(["LOG", "ERROR", "FATAL", "PANIC", "WARNING"]),
    TEXT.filter(bool),  # message
    st.lists(TEXT, min_size=4, max_size=4),  # detail, hint, context, statement
)


@given(st.lists(ROW, min_size=1, max_size=6))
def test_rows_are_those_of_pythons_own_reader(rows: list[tuple]) -> None:
    """PostgreSQL quotes each text that is not missing."""
    out = io.StringIO()
    for n, (user, level, message, (detail, hint, context, statement)) in enumerate(
        rows
    ):
        texts = [message, detail, hint, "", "", context, statement, "", "", "app", "cb"]
        quoted = ['"' + t.replace('"', '""') + '"' if t else "" for t in texts]
        who = '"' + user.replace('"', '""') + '"' if user else ""
        out.write(
            f'2026-11-22 21:08:{n:02}.710 UTC,{who},,1,"[local]",6b0359b9.11c2,1,"",'
            f"2026-11-22 21:08:09 UTC,,0,{level},00000,{','.join(quoted)},,0\n"
        )
    text = out.getvalue()
    envelope, records = read(text.removesuffix("\n").split("\n"))
    assert envelope is CSVLOG
    assert sum(record.lines for record in records) == text.count("\n")
    expected = []
    for cells in csv.reader(io.StringIO(text, newline="")):
        parts = [cells[13]]
        for label, at in (("DETAIL", 14), ("HINT", 15), ("CONTEXT", 18)):
            parts += [f"{label}:  {cells[at]}"] if cells[at] else []
        parts += [f"STATEMENT:  {cells[19]}"] if cells[19] else []
        expected.append((cells[11], "\n".join(parts).rstrip("\n")))
    levels = {"FATAL": "CRITICAL", "PANIC": "CRITICAL"}
    assert [(r.level, r.message) for r in records] == [
        (levels.get(level, level), message) for level, message in expected
    ]


@given(st.lists(st.sampled_from([*ROWS, OLD, "", '"', "free text", '","']), max_size=9))
def test_the_lines_add_up_whatever_is_cut_off(lines: list[str]) -> None:
    _, records = read([ROWS[0], *lines])
    assert sum(record.lines for record in records) == len(lines) + 1
    assert [r.line for r in records] == sorted({r.line for r in records})


def test_a_csvlog_is_a_log_and_other_tables_are_none(tmp_path: Path) -> None:
    for name, lines in {
        "postgresql.csv": ROWS,
        "orders.csv": ["id,total", "1,2"],
        "times.csv": ["2026-11-22 21:08:09.710 UTC,up", "2026-11-22 21:08:10 UTC,on"],
    }.items():
        (tmp_path / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    kinds = {p.name: identify_file(p).kind for p in tmp_path.iterdir()}
    assert kinds == {
        "postgresql.csv": "logs",
        "orders.csv": "table",
        "times.csv": "table",
    }
    logs = read_logs(
        tmp_path / "postgresql.csv", tz="UTC", matching='constraint "t_pkey"'
    )
    assert logs[["level", "line", "lines"]].values.tolist() == [["ERROR", 2, 2]]


# As PostgreSQL 18 wrote it, with a prefix before each line.
UNTIMED = [
    "LOG:  connection authorized: user=postgres database=postgres",
    'ERROR:  duplicate key value violates unique constraint "t_pkey"',
    "DETAIL:  Key (id)=(1) already exists.",
    "STATEMENT:  INSERT INTO t",
    "\t\tVALUES (1)",
    "WARNING:  two",
    '\tlines, "quoted"',
    'FATAL:  role "nobody" does not exist',
]
PREFIXES = {
    "": None,
    "1970 ": None,
    "user=[unknown],db=my db ": None,
    "[local] 2019 ": None,
    "[app       ] [      prod] 2012   2026-11-22 20:57:11.319 CET psql: ": (
        "2026-11-22 20:57:11.319"
    ),
    "my app|1764026456.631|": "1764026456.631",
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_log_with_any_prefix_is_known_by_its_labels(prefix: str) -> None:
    lines = [line if line[0] == "\t" else prefix + line for line in UNTIMED]
    envelope, records = read(lines)
    assert envelope is PREFIX
    assert [(r.level, r.lines) for r in records] == [
        ("LOG", 1),
        ("ERROR", 4),
        ("WARNING", 2),
        ("CRITICAL", 1),
    ]
    assert {r.logger for r in records} == {"postgresql"}
    assert {r.timestamp for r in records} == {PREFIXES[prefix]}
    assert records[1].message == (
        'duplicate key value violates unique constraint "t_pkey"\n'
        "DETAIL:  Key (id)=(1) already exists.\n"
        "STATEMENT:  INSERT INTO t\n\t\tVALUES (1)"
    )


@pytest.mark.parametrize(
    "lines",
    [
        ["WARNING:  Invalid HTTP request received."],
        ["INFO:     up", "WARNING:  Invalid HTTP request received.", "\tand more"],
        ["[main] ERROR:  lost it"],
        ["2025-11-24 18:17:11 - root - ERROR - FATAL:  sorry, too many clients"],
        ["LOG:  up", "free text", "free text", "free text", "free text", "free text"],
    ],
)
def test_what_others_write_is_not_taken_for_postgresql(lines: list[str]) -> None:
    assert find_envelope(lines * 9) is not PREFIX


def test_a_prefix_that_says_the_time_is_read_by_its_line_format() -> None:
    lines = [f"2026-11-22 21:08:09.710 UTC [12] {line}" for line in UNTIMED[:4]]
    envelope, records = read(lines)
    assert envelope is None
    assert [r.lines for r in records] == [1, 3]


def test_lines_before_the_first_label_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "db.log"
    path.write_text("\n".join(["starting", *UNTIMED, "stopped", ""]), encoding="utf-8")
    logs = read_logs(path, tz="UTC")
    assert logs["message"].tolist()[0] == "starting"
    assert logs["message"].tolist()[-1] == "stopped"
    assert logs["lines"].sum() == len(UNTIMED) + 2
    assert pd.isna(logs["timestamp"]).all()
