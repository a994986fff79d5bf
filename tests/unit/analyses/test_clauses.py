from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from diagkit.analyses.clauses import read_allowed, same_default


@pytest.mark.parametrize(
    "clause",
    [
        # As PostgreSQL, MariaDB and SQLite have it.
        "((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])"
        "::text[]))",
        "((s)::text = ANY (ARRAY[('a'::character varying)::text, 'b'::text]))",
        "(((s)::text = 'a'::text) OR ((s)::text = 'b'::text))",
        "((s IS NULL) OR ((s)::text = ANY ((ARRAY['a'::varchar(20), 'b'])::text[])))",
        "`s` in ('a','b')",
        "(`s` in ('a','b')) or (`s` is null)",
        "s IN ('a', \"b\")".replace('"b"', "'b'"),
        "\"s\" IN ('a', 'b') -- so",
        "[S] = 'a' OR [S] = 'b'",
    ],
)
def test_a_list_of_values_is_read(clause):
    assert read_allowed(clause, "s") == {"a", "b"}


@pytest.mark.parametrize(
    "clause",
    [
        "s <> 'a'",
        "s NOT IN ('a', 'b')",
        "s IN ('a') AND t = 'b'",
        "s IN ('a') AND s <> 'b'",
        "t IN ('a')",
        "length(s) > 2",
        "s IN (1, 2)",
        "s LIKE 'a'",
        "s IS NULL",
        "'a' = 'a'",
        "s IN ('a', lower('B'))",
        "s || '' = 'a'",
        "",
    ],
)
def test_anything_else_is_not(clause):
    assert read_allowed(clause, "s") is None


@given(st.sets(st.text(max_size=9), min_size=1, max_size=5))
def test_any_values_are_read(values):
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    assert read_allowed(f"s IN ({listed})", "s") == values


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (None, None, True),
        (None, "NULL::character varying", True),
        ("NULL", None, True),
        ("'pending'", "'pending'::character varying", True),
        ("'pending'", "('pending')", True),
        ("'pending'", "'Pending'", False),
        ("'pending'", None, False),
        ("now()", "CURRENT_TIMESTAMP(6)", True),
        ("now()", "current_timestamp()", True),
        ("now()", "'now'", False),
        ("true", "1", True),
        ("false", "'0'", False),
        ("1.5", "1.50", True),
        ("10", "1", False),
        ("100", "100.0", True),
        ("-1", "(-1)", True),
        ("-1", "'-1'::integer", False),
        ("nextval('a'::regclass)", "nextval('b'::regclass)", False),
        ("gen_random_uuid()", "gen_random_uuid()", True),
    ],
)
def test_defaults_are_compared(one, two, same):
    assert same_default(one, two) is same
    assert same_default(two, one) is same
