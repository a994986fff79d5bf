from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.dialects import (
    DIALECTS,
    check_dialect,
    quote_name,
    quote_table,
    quote_text,
    write_comment,
)
from diagkit.errors import SettingError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "postgresql", "mysql", "sqlite"),
    [
        ("plain", "'plain'", "'plain'", "'plain'"),
        ("it's", "'it''s'", "'it''s'", "'it''s'"),
        ("", "''", "''", "''"),
        ("a\\'b", "E'a\\\\''b'", "_utf8mb4 X'615c2762'", "'a' || char(92) || '''b'"),
        ("\n\r\t", "E'\\n\\r\\t'", "_utf8mb4 X'0a0d09'", "char(10, 13, 9)"),
        ("é", "E'\\u00e9'", "_utf8mb4 X'c3a9'", "char(233)"),
        ("\U0001f600!", "E'\\U0001f600!'", "_utf8mb4 X'f09f988021'", None),
    ],
)
def test_a_text_is_written_as_each_database_reads_it(text, postgresql, mysql, sqlite):
    assert quote_text(text, "postgresql") == postgresql
    assert quote_text(text, "mysql") == mysql
    assert quote_text(text, "sqlite") == (sqlite or "char(128512) || '!'")


@given(TEXT)
def test_what_is_written_is_ascii_on_one_line(text):
    for dialect in DIALECTS:
        written = quote_text(text, dialect)
        assert written.isascii()
        assert written.isprintable()
    comment = write_comment(text)
    assert comment.isascii()
    assert comment.isprintable() or not comment


@given(TEXT)
def test_sqlite_reads_what_was_meant(text):
    link = sqlite3.connect(":memory:")
    query = f"select {quote_text(text, 'sqlite')}, {quote_text(text, 'sqlite')} = ?"
    assert link.execute(query, (text,)).fetchone() == (text, 1)
    link.close()


def test_names():
    assert quote_name('a"b', "postgresql") == '"a""b"'
    assert quote_name("a`b", "mysql") == "`a``b`"
    assert quote_table("shop.a.jobs", "mysql") == "`shop.a`.`jobs`"
    assert quote_table("jobs", "sqlite") == '"jobs"'


def test_a_long_comment_is_cut():
    assert write_comment("x" * 500) == "x" * 397 + "..."
    assert write_comment("x" * 400) == "x" * 400
    assert write_comment("a\u2028b\\n") == "a\\u2028b\\n"


def test_dialects_have_names():
    assert [check_dialect(name) for name in DIALECTS] == list(DIALECTS)
    assert check_dialect("mariadb") == "mysql"
    assert check_dialect("postgres") == "postgresql"
    with pytest.raises(SettingError, match="dialect='sqllite' is none of "):
        check_dialect("sqllite")
