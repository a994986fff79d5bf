from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, strategies as st

import diagkit as dk
from diagkit.frames.create_table import (
    ColumnText,
    first_word,
    parse_create_table,
    quote,
    tokenize,
)

ODD = """CREATE TABLE "a ""b"" (odd)" (
  -- a comment, with a comma and an apostrophe: it's
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  [the name] varchar(20) NOT NULL ON CONFLICT FAIL DEFAULT 'it''s, (so)' COLLATE NOCASE,
  `n` decimal(8, 2) CONSTRAINT positive CHECK (n > 0 AND n <> 3) DEFAULT (1 + 2),
  /* , */ bare,
  big unsigned big int DEFAULT NULL,
  owner int CONSTRAINT "owner of" REFERENCES people (id) ON DELETE SET NULL
    ON UPDATE SET DEFAULT NOT DEFERRABLE INITIALLY IMMEDIATE UNIQUE,
  twice int GENERATED ALWAYS AS (n * 2) STORED NOT NULL,
  thrice int AS (n * 3),
  CONSTRAINT "check me" CHECK (n IN ('a', ')')),
  CHECK (id > 0),
  UNIQUE (n, owner), FOREIGN KEY (owner) REFERENCES people (id)
) STRICT, WITHOUT ROWID"""


def test_a_definition_is_taken_apart():
    made = parse_create_table(ODD)
    assert made.columns == (
        ColumnText("id", "INTEGER", ("PRIMARY KEY AUTOINCREMENT",)),
        ColumnText(
            "the name",
            "varchar(20)",
            (
                "NOT NULL ON CONFLICT FAIL",
                "DEFAULT 'it''s, (so)'",
                "COLLATE NOCASE",
            ),
        ),
        ColumnText(
            "n",
            "decimal(8, 2)",
            ("CONSTRAINT positive CHECK (n > 0 AND n <> 3)", "DEFAULT (1 + 2)"),
        ),
        ColumnText("bare", ""),
        ColumnText("big", "unsigned big int", ("DEFAULT NULL",)),
        ColumnText(
            "owner",
            "int",
            (
                'CONSTRAINT "owner of" REFERENCES people (id) ON DELETE SET NULL '
                "ON UPDATE SET DEFAULT NOT DEFERRABLE INITIALLY IMMEDIATE",
                "UNIQUE",
            ),
        ),
        ColumnText("twice", "int", ("GENERATED ALWAYS AS (n * 2) STORED", "NOT NULL")),
        ColumnText("thrice", "int", ("AS (n * 3)",)),
    )
    assert made.constraints == (
        "CONSTRAINT \"check me\" CHECK (n IN ('a', ')'))",
        "CHECK (id > 0)",
        "UNIQUE (n, owner)",
        "FOREIGN KEY (owner) REFERENCES people (id)",
    )
    assert made.tail == "STRICT, WITHOUT ROWID"
    assert made.checks == [
        ("check me", "n IN ('a', ')')"),
        ("", "id > 0"),
        ("positive", "n > 0 AND n <> 3"),
    ]


def test_what_is_put_together_reads_the_same():
    made = parse_create_table(ODD)
    assert parse_create_table(made.write('"other"')) == made


def test_sqlite_takes_what_is_put_together():
    sql = ODD.partition(" STRICT")[0]
    link = sqlite3.connect(":memory:")
    link.execute(sql)
    asked = "select * from pragma_table_xinfo(?)"
    before = link.execute(asked, ('a "b" (odd)',)).fetchall()
    link.execute(parse_create_table(sql).write('"new"'))
    assert link.execute(asked, ("new",)).fetchall() == before
    link.close()


@pytest.mark.parametrize(
    "sql",
    ["CREATE VIRTUAL TABLE t USING fts5(a)", "CREATE VIEW v AS SELECT 1", "x", ""],
)
def test_what_is_no_table_is_refused(sql):
    with pytest.raises(dk.SourceFormatError, match="not the definition of a table"):
        parse_create_table(sql)


def test_constraints_by_their_word():
    column = ColumnText("a", "int", ("NOT NULL", "CONSTRAINT d DEFAULT 1", "CHECK (1)"))
    assert column.without("default").constraints == ("NOT NULL", "CHECK (1)")
    assert [first_word(c) for c in (*column.constraints, "")] == [
        "not",
        "default",
        "check",
        "",
    ]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8
)


@given(
    st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower), st.text(max_size=8)
)
def test_any_name_and_text_survive(names, text):
    text = text.replace("\x00", "").encode("utf-8", "ignore").decode()
    default = "'" + text.replace("'", "''") + "'"
    listed = ", ".join(f"{quote(n)} varchar(9) DEFAULT {default}" for n in names)
    made = parse_create_table(f"CREATE TABLE t ({listed})")
    assert [c.name for c in made.columns] == names
    assert {c.constraints for c in made.columns} == {(f"DEFAULT {default}",)}
    assert tokenize(default)[0].value == text
