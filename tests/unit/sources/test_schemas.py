from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

import diagkit as dk
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    Migration,
    NullRule,
)
from diagkit.frames.schemas import TableIndex, TableKey
from diagkit.sources.catalogs import _mysql_default, _standard_texts
from diagkit.sources.schemas import read_schema

MINE = Migration(
    "mine",
    (
        AddColumn("jobs", "state", "varchar(10)", default="'new'"),
        AddColumn("jobs", "note", "text"),
        AddCheck("jobs", "jobs_state", "state", ("new", "done")),
    ),
    (
        NullRule(
            "jobs", "began", "state", ("new",), "runs", "at", "job", "id", 30, "upd"
        ),
    ),
)


@pytest.fixture
def make(tmp_path):
    def run(*statements):
        path = tmp_path / "x.sqlite"
        path.unlink(missing_ok=True)
        link = sqlite3.connect(path)
        for statement in statements:
            link.execute(statement)
        link.commit()
        link.close()
        return path

    return run


JOBS = "create table jobs (id int, began text, state text, upd text)"
RUNS = "create table runs (job int, at text)"


def test_a_table_is_described(make):
    path = make(
        "create table people (id integer primary key)",
        'create table "Jobs" (id integer primary key, "a b" varchar(9) not null '
        "default 'x', owner int references people, g int generated always as (id * 2), "
        "constraint c check (id > 0), foreign key (id, owner) "
        "references people (x, y))",
        'create unique index u on "Jobs" ("a b", lower(owner)) where id > 3',
        'create index i on "Jobs" (owner desc)',
        'create trigger t after insert on "Jobs" begin select 1; end',
    )
    schema = read_schema(path, MINE)
    table = schema.tables["jobs"]
    assert [(c.name, c.type, c.nullable, c.default) for c in table.columns] == [
        ("id", "INTEGER", False, None),
        ("a b", "varchar(9)", False, "'x'"),
        ("owner", "INT", True, None),
        ("g", "INT", True, None),
    ]
    assert table.indexes == (
        TableIndex("i", ("owner",)),
        TableIndex("u", ("a b", "(…)"), True, True, "(…)"),
    )
    assert [(c.name, c.clause) for c in table.checks] == [("c", "id > 0")]
    assert sorted(table.keys, key=str) == sorted(
        [
            TableKey("", ("owner",), "people", ("owner",)),
            TableKey("", ("id", "owner"), "people", ("x", "y")),
        ],
        key=str,
    )
    assert len(table.attached) == 3
    assert (schema.dialect, schema.zone, schema.source) == ("sqlite", "", "x.sqlite")
    assert schema.names == ("Jobs", "people")


def test_values_are_counted(make):
    path = make(
        JOBS,
        "insert into jobs (state) values ('new'), ('odd'), ('odd'), ('b'), ('a'), (7), "
        "(null)",
    )
    counts = read_schema(path, MINE).values
    state = counts["jobs", "state"]
    assert (state.rows, state.nulls, state.outside) == (7, 1, 5)
    assert state.examples == (("odd", 2), ("7", 1), ("a", 1), ("b", 1))
    # A column that is missing is told as it will be.
    assert (counts["jobs", "note"].rows, counts["jobs", "note"].nulls) == (7, 7)


def test_nulls_are_counted_by_state(make):
    path = make(
        JOBS,
        RUNS,
        "insert into jobs values (1, null, 'new', null), (2, null, 'new', null), "
        "(3, null, 'done', 'x'), (4, null, null, null), (5, 'x', 'done', null), "
        "(6, null, 'done', null), (null, null, null, null)",
        "insert into runs values (2, 'x'), (4, null), (6, null), (null, 'x')",
    )
    count = read_schema(path, MINE).nulls["jobs", "began"]
    assert count.states == (("done", 2), ("new", 1), (None, 1))
    assert count.legal == 2
    assert count.without_evidence == 2


def test_nulls_of_columns_that_are_missing_are_told_as_they_will_be(make):
    path = make(
        "create table jobs (id int)",
        RUNS,
        "insert into jobs values (1), (2)",
        "insert into runs values (2, 'x')",
    )
    count = read_schema(path, MINE).nulls["jobs", "began"]
    assert (count.states, count.legal, count.without_evidence) == ((("new", 1),), 1, 0)
    bare = replace(MINE, steps=MINE.steps[1:2])
    assert read_schema(path, bare).nulls["jobs", "began"].states == ((None, 1),)


def test_nulls_where_no_runs_are_kept(make):
    path = make(JOBS, "insert into jobs values (1, null, 'done', null)")
    count = read_schema(path, MINE).nulls["jobs", "began"]
    assert (count.states, count.without_evidence) == ((("done", 1),), 1)


def test_a_table_that_is_not_there(make):
    schema = read_schema(f"sqlite:///{make('create table other (a)')}", MIGRATION_008)
    assert schema.tables == {}
    assert schema.values == {}
    assert schema.nulls == {}
    assert schema.names == ("other",)


def test_a_migration_without_columns_to_count(make):
    path = make(JOBS)
    from diagkit.frames.migrations import AddIndex

    only = Migration("only", (AddIndex("jobs", "i", ("id",)),))
    assert read_schema(path, only).values == {}


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("create view jobs as select 1 as id", "jobs is a view"),
        ("create virtual table jobs using fts5(a)", "not the definition of a table"),
    ],
)
def test_what_is_no_table_is_refused(make, statement, text):
    try:
        path = make(statement)
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no FTS5")
    with pytest.raises(dk.SourceFormatError, match=text):
        read_schema(path, MINE)


def test_nothing_is_there(tmp_path):
    with pytest.raises(dk.SourceNotFoundError, match="no such file"):
        read_schema(tmp_path / "no.sqlite")
    with pytest.raises(dk.SourceNotFoundError):
        read_schema(Path("no.sqlite"))
    with pytest.raises(dk.SettingError, match="does not read 'oracle'"):
        read_schema("oracle://u:hunter2@h/d")


@pytest.mark.parametrize(
    ("clause", "mariadb", "standard"),
    [
        ("`s` in ('a','it\\'s \\\\ so')", True, "`s` in ('a','it''s \\ so')"),
        ("`s` in ('a','it''s')", True, "`s` in ('a','it''s')"),
        # As MySQL 8 keeps it.
        ("(`s` in (_utf8mb4\\'a\\',_utf8mb4\\'b\\'))", False, "(`s` in ('a','b'))"),
        ("`s` = 'a\\nb\\0'", True, "`s` = 'a\nb\0'"),
    ],
)
def test_texts_in_mysqls_catalogue(clause, mariadb, standard):
    assert _standard_texts(clause, mariadb) == standard


@pytest.mark.parametrize(
    ("default", "extra", "mariadb", "sql"),
    [
        ("pending", "", False, "'pending'"),
        ("it's", "", False, "'it''s'"),
        ("0", "", False, "0"),
        ("CURRENT_TIMESTAMP", "DEFAULT_GENERATED", False, "CURRENT_TIMESTAMP"),
        (None, "", False, None),
        ("'pending'", "", True, "'pending'"),
        ("NULL", "", True, None),
        ("NULL", "", False, "'NULL'"),
    ],
)
def test_defaults_in_mysqls_catalogue(default, extra, mariadb, sql):
    assert _mysql_default(default, extra, mariadb=mariadb) == sql
