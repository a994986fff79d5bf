"""Values in SQL are taken out, whatever the statement, and wherever it is cut off."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from diagkit.redaction.statements import redact_statement

NAME = "Ogilvy"
# A piece of SQL that shows the name as a value, and what is to become of it.
VALUES = {
    "'Ogilvy'": "?",
    "'O''Ogilvy'": "?",
    r"E'a\'Ogilvy'": "?",
    "N'Ogilvy'": "?",
    "U&'Ogilvy'": "?",
    "$$Ogilvy ' \" $$": "?",
    "$tag$Ogilvy $$ x$tag$": "?",
    "'-- Ogilvy'": "?",
}
# Pieces that stay.
REST = [
    "select",
    "t1.c2",
    '"a column"',
    "$1",
    "-- it's\n",
    "/* don't */",
    ",",
    "=",
    "(",
]


@pytest.mark.parametrize(
    ("sql", "said", "count"),
    [
        ("select * from t where id = 4711", "select * from t where id = ?", 1),
        ("values (1, 2.5e-3, 'x', -7)", "values (?, -?)", 4),
        ("select a1, $1 from b2", "select a1, $1 from b2", 0),
        ("select 'cut o", "select ?", 1),
        ("select $q$ cut", "select ?", 1),
        ("select \"it's\" from t -- don't", "select \"it's\" from t -- don't", 0),
        ("x = 0x1F or y = .5", "x = ? or y = ?", 2),
        ("", "", 0),
    ],
)
def test_a_statement_keeps_its_shape(sql: str, said: str, count: int) -> None:
    done = redact_statement(sql)
    assert (done.text, done.count) == (said, count)


@given(
    st.lists(st.sampled_from([*VALUES, *REST]), max_size=12),
    st.integers(0, 200),
)
def test_no_value_is_left(pieces: list[str], cut: int) -> None:
    sql = " ".join(pieces)
    whole = redact_statement(sql).text
    assert NAME not in whole
    expected = [VALUES.get(piece, piece) for piece in pieces]
    text = " ".join(expected)
    while "? , ?" in text:
        text = text.replace("? , ?", "?")
    assert whole == text
    # The view shows the first kilobyte alone.
    assert NAME not in redact_statement(sql[:cut]).text


@given(st.text(alphabet="'\"$a1-/*\\E \n", max_size=30))
def test_any_text_is_read_to_its_end(sql: str) -> None:
    done = redact_statement(sql)
    again = redact_statement(done.text)
    assert again.text == done.text
