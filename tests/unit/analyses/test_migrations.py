from __future__ import annotations

import sqlite3
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import diagkit as dk
from diagkit.analyses.migrations import check_migration, list_steps
from diagkit.analyses.null_remedies import write_backfill
from diagkit.analyses.remedies import Remedies
from diagkit.frames.findings import FINDINGS
from diagkit.frames.lints import LINT
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    AddIndex,
    FillNulls,
    Migration,
    NullRule,
)
from diagkit.frames.schemas import (
    DatabaseSchema,
    Table,
    TableCheck,
    TableColumn,
    TableIndex,
    ValueCount,
)

MINE = Migration(
    "mine",
    (
        AddColumn("jobs", "state", "varchar(10)", default="'new'"),
        FillNulls("jobs", "state", "'new'"),
        AddCheck("jobs", "jobs_state", "state", ("new", "done")),
        AddIndex("jobs", "jobs_by_state", ("state",)),
    ),
)
STATE = TableColumn("state", "character varying(10)", True, "'new'::character varying")
CHECK = TableCheck("jobs_state", "(state = ANY (ARRAY['new'::text, 'done'::text]))")
INDEX = TableIndex("jobs_by_state", ("state",))
JOBS = Table("jobs", (TableColumn("id", "integer", False), STATE), (INDEX,), (CHECK,))


def schema(table=JOBS, dialect="postgresql", migration=MINE, **counts):
    tables = {} if table is None else {"jobs": table}
    values = {("jobs", "state"): ValueCount(**{"rows": 9, "nulls": 0, **counts})}
    return DatabaseSchema("db", dialect, "UTC", ("jobs",), tables, migration, values)


def found(*args, lint=None, **options):
    there = schema(*args, **options)
    return check_migration(there, there.migration, lint)


def test_nothing_is_found_where_all_is_there():
    findings = found()
    assert len(findings) == 0
    assert list(FINDINGS.check(findings).columns) == FINDINGS.names
    assert list_steps(schema())["in_effect"].all()


def test_a_schema_of_another_migration_is_refused():
    with pytest.raises(
        dk.ContractError, match="read for migration 'mine', and '008_ex"
    ):
        check_migration(schema(), MIGRATION_008)
    with pytest.raises(dk.ContractError, match="'mine' is asked"):
        check_migration(schema(), replace(MINE, zone="Europe/Berlin"))


def test_ids_stay_when_the_counts_change():
    one, two = found(nulls=3), found(nulls=4)
    assert one["id"].tolist() == two["id"].tolist()
    assert one["summary"].tolist() != two["summary"].tolist()
    other = found(nulls=3, migration=replace(MINE, name="other"))
    assert set(one["id"]).isdisjoint(other["id"])


@pytest.mark.parametrize(
    ("table", "codes", "last", "first", "gap"),
    [
        (
            replace(JOBS, indexes=()),
            ["migration_half_applied", "missing_index"],
            "add constraint jobs_state",
            "create index jobs_by_state",
            False,
        ),
        (
            replace(JOBS, checks=()),
            ["migration_half_applied", "missing_check"],
            "create index jobs_by_state",
            "add constraint jobs_state",
            True,
        ),
        (
            replace(JOBS, checks=(), indexes=()),
            ["migration_half_applied", "missing_check", "missing_index"],
            "set state to 'new' where it is NULL",
            "add constraint jobs_state",
            False,
        ),
    ],
)
def test_where_it_stopped_is_told(table, codes, last, first, gap):
    findings = found(table)
    assert findings["code"].tolist() == codes
    evidence = findings["evidence"][0]
    assert f"the last that did: {last}; the first that did not: {first}" in evidence
    assert ("failed or was undone" in evidence) is gap


def test_nulls_alone_are_no_half_of_a_migration():
    assert found(nulls=2)["code"].tolist() == ["nulls_left"]


def test_the_severest_part_is_the_whole():
    bare = replace(JOBS, columns=JOBS.columns[:1], checks=())
    findings = found(bare)
    assert findings["severity"].tolist()[:2] == ["critical", "critical"]
    assert found(replace(JOBS, indexes=()))["severity"].tolist() == ["medium", "medium"]


def test_names_that_are_near_are_said():
    near = replace(JOBS, columns=(TableColumn("statte", "text"),))
    summary = found(near).set_index("code").loc["missing_column", "summary"]
    assert "did you mean 'statte'?" in summary


def test_a_missing_table():
    findings = found(None)
    assert findings["code"].tolist() == ["migration_not_applied", "missing_table"]
    assert findings["evidence"][0] == "the first is: add column state"
    assert not list_steps(schema(None))["in_effect"].any()
    nowhere = replace(schema(None), names=())
    assert "db has no tables at all" in check_migration(nowhere, MINE)["evidence"][1]


@pytest.mark.parametrize(
    ("column", "code", "severity", "said"),
    [
        (
            replace(STATE, type="integer"),
            "column_type",
            "high",
            "jobs.state is integer, not the varchar(10) that the migration makes it",
        ),
        (
            replace(STATE, type="text"),
            "column_type",
            "low",
            "jobs.state is text, wider than the varchar(10) that the migration makes "
            "it",
        ),
        (
            replace(STATE, default=None),
            "column_default",
            "medium",
            "jobs.state has no default; the migration gives it the default 'new'",
        ),
        (
            replace(STATE, nullable=False),
            "column_null",
            "high",
            "jobs.state forbids NULL, and the migration allows it",
        ),
    ],
)
def test_a_column_that_differs(column, code, severity, said):
    table = replace(JOBS, columns=(column,))
    findings = found(table)
    assert findings[["code", "severity", "summary"]].to_numpy().tolist() == [
        [code, severity, said]
    ]


@pytest.mark.parametrize(
    ("check", "code", "said"),
    [
        (replace(CHECK, valid=False), "check_not_valid", "holds for new rows alone"),
        (replace(CHECK, enforced=False), "check_not_valid", "holds for no row alone"),
        (replace(CHECK, name="other"), "check_renamed", "is there as other"),
        (
            replace(CHECK, clause="state IN ('new', 'odd', 'old')"),
            "check_differs",
            "it lacks done and it allows odd, old as well",
        ),
        (
            replace(CHECK, name="other", clause="state IN ('new')"),
            "check_differs",
            "the check constraint other is not what the migration makes it: it lacks",
        ),
        (replace(CHECK, clause="length(state) > 2"), "check_differs", "makes it"),
    ],
)
def test_a_check_that_differs(check, code, said):
    findings = found(replace(JOBS, checks=(check,)))
    assert findings["code"].tolist() == [code]
    assert said in findings["summary"][0]


@pytest.mark.parametrize(
    ("index", "code", "said"),
    [
        (replace(INDEX, valid=False), "index_invalid", "CONCURRENTLY failed"),
        (replace(INDEX, name="other"), "index_renamed", "expected on (state)"),
        (
            replace(INDEX, columns=("id", "state")),
            "index_differs",
            "on (id, state); ex",
        ),
        (replace(INDEX, condition="id > 1"), "index_differs", "WHERE id > 1; expected"),
        (replace(INDEX, name="x", columns=("id",)), "missing_index", "on (state)"),
    ],
)
def test_an_index_that_differs(index, code, said):
    findings = found(replace(JOBS, indexes=(index,)))
    assert code in findings["code"].tolist()
    assert said in findings.set_index("code").loc[code, "evidence"]


def test_a_unique_index_does_for_a_plain_one_and_not_the_other_way():
    unique = replace(JOBS, indexes=(replace(INDEX, unique=True),))
    assert len(found(unique)) == 0
    steps = (*MINE.steps[:3], replace(MINE.steps[3], unique=True))
    wanted = replace(MINE, steps=steps)
    assert found(migration=wanted)["code"].tolist() == ["index_differs"]
    remedy = found(migration=wanted)["remedy"][0]
    assert remedy.startswith('DROP INDEX CONCURRENTLY IF EXISTS "jobs_by_state";\n')
    assert "CREATE UNIQUE INDEX CONCURRENTLY" in remedy


def test_values_outside_are_shown_and_counted():
    values = tuple((f"v{i}" * 30, 9 - i) for i in range(7))
    findings = found(outside=30, examples=values)
    evidence = findings["evidence"][0]
    assert findings["code"].tolist() == ["values_outside_check"]
    assert "30 of 9 rows" in findings["summary"][0]
    assert f"'{('v0' * 30)[:40]}' (9)" in evidence
    assert "'v5" not in evidence
    assert evidence.endswith("…; allowed: new, done")


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite"])
def test_hostile_values_stay_texts(dialect):
    hostile = "x'; DROP TABLE jobs; --\n{0} \\ */"
    write = Remedies(dialect)
    script = write.replace_values(MINE.steps[2], JOBS, [hostile], "'new'")
    assert script.count("\n") == 2
    assert "{0}" in script or dialect == "mysql"
    assert "'; DROP" not in script.replace("''; DROP", "")


def test_the_nearest_value_is_proposed():
    write = Remedies("sqlite")
    step = MINE.steps[2]
    script = write.replace_values(step, JOBS, ["Done ", "NEW"], "'new'")
    lines = script.split("\n")
    assert lines[0].startswith('UPDATE "jobs" SET "state" = \'done\' WHERE')
    assert lines[1].startswith('UPDATE "jobs" SET "state" = \'new\' WHERE')
    assert "look whether it is right" in lines[3]
    odd = write.replace_values(step, JOBS, ["archived"], None)
    assert "SET \"state\" = 'new' WHERE \"state\" = 'archived'" in odd
    assert "choose" in odd


def test_a_check_of_mysql_that_is_not_enforced():
    check = TableCheck("jobs_state", "(`state` in ('new','done'))", enforced=False)
    findings = found(replace(JOBS, checks=(check,)), dialect="mysql")
    assert findings["code"].tolist() == ["check_not_valid"]
    assert findings["remedy"].tolist() == [
        "ALTER TABLE `jobs` ALTER CHECK `jobs_state` ENFORCED;"
    ]


def lint(*rows):
    columns = ("file", "line", "level", "rule", "message", "help")
    return LINT.build(dict(zip(columns, zip(*rows, strict=True), strict=True)))


def test_a_lint_is_joined_in():
    rows = [("m.sql", i, "Warning", "wide", "too wide", "less") for i in range(1, 11)]
    rows.append(("m.sql", 3, "Error", "syntax-error", "no", ""))
    findings = found(lint=lint(*rows))
    assert findings[["code", "area", "severity", "summary"]].to_numpy().tolist() == [
        ["migration_lint", "code", "high", "syntax-error: no"],
        ["migration_lint", "code", "low", "wide: too wide"],
    ]
    assert findings["evidence"][1] == (
        ", ".join(f"m.sql:{i}" for i in range(1, 9)) + " …"
    )
    assert findings["remedy"].tolist() == ["see the linter's page on this rule", "less"]
    with pytest.raises(dk.ContractError, match="not a LINT frame"):
        found(lint=pd.DataFrame({"a": [1]}))


# The start of the last run, as the SQL finds it, against a plain loop over the tasks.
MOMENTS = st.integers(0, 400).map(lambda m: m * 60 - (m % 7) * 0.25)


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(MOMENTS, max_size=9), min_size=1),
    st.integers(1, 60),
    st.booleans(),
)
def test_the_last_run_is_found_in_the_database(histories, gap, offset):
    rule = NullRule("p", "began", "state", ("new",), "t", "made", "p", "id", gap, "upd")
    table = Table(
        "p", tuple(TableColumn(n, "text") for n in ("id", "began", "state", "upd"))
    )
    runs = Table("t", (TableColumn("p", "text"), TableColumn("made", "text")))

    def write(second):
        return f"{pd.Timestamp(second, unit='s')}"[:23] + ("+00:00" if offset else "")

    link = sqlite3.connect(":memory:")
    link.execute("create table p (id, began, state, upd)")
    link.execute("create table t (p, made)")
    for name, moments in histories.items():
        link.execute("insert into p values (?, null, 'new', 'upd')", (name,))
        link.executemany(
            "insert into t values (?, ?)", [(name, write(m)) for m in moments]
        )
    link.executescript(write_backfill(Remedies("sqlite"), rule, table, runs))
    shown = dict(link.execute("select id, began from p"))
    link.close()
    for name, moments in histories.items():
        start = None
        for before, moment in zip(
            [None, *sorted(moments)], sorted(moments), strict=False
        ):
            if before is None or moment - before > gap * 60:
                start = moment
        assert shown[name] == (None if start is None else write(start))
