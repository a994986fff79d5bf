from __future__ import annotations

import pytest

import diagkit as dk
from diagkit.sources.refusals import refuse


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        (
            'database "shop" does not exist',
            dk.SourceNotFoundError,
            "no database 'shop'",
        ),
        ('role "me" does not exist', dk.SourceNotFoundError, "no role 'me'"),
        ("Unknown database 'shop'", dk.SourceNotFoundError, "no database 'shop'"),
        (
            "Access denied for user 'a'@'b' (using password: YES)",
            dk.SourceAccessError,
            "refused the user",
        ),
        (
            "Access denied for user 'a'@'b' to database 'c'",
            dk.SourceAccessError,
            "denies this user the database",
        ),
        (
            "SELECT command denied to user 'a'@'b' for table `c`.`d`",
            dk.SourceAccessError,
            "grant SELECT",
        ),
        ("No database selected", dk.SourceNotFoundError, "name one in the URL"),
        ("Too many connections", dk.SourceAccessError, "no connection left"),
        ("Lock wait timeout exceeded; try", dk.SourceAccessError, "locked by another"),
        (
            "Query execution was interrupted (max_statement_time exceeded)",
            dk.SourceAccessError,
            "took too long",
        ),
        ("Query execution was interrupted", dk.SourceAccessError, "ended the session"),
        ("interrupted", dk.SourceAccessError, "took too long"),
        ("MySQL server has gone away (x)", dk.SourceAccessError, "ended the session"),
        (
            "Can't connect to 'h' ([Errno -2] Name or service not known)",
            dk.SourceNotFoundError,
            "cannot be resolved",
        ),
        (
            "Can't connect to MySQL server on 'h' (timed out)",
            dk.SourceNotFoundError,
            "does not answer",
        ),
        (
            "unsupported startup parameter in options: x",
            dk.SourceAccessError,
            "is a pooler",
        ),
        (
            "'cryptography' package is required for sha256_password",
            dk.MissingExtraError,
            "pip install cryptography",
        ),
        ("something else", dk.SourceAccessError, "db cannot be read: something else"),
    ],
)
def test_what_a_driver_says(words, kind, text):
    for error in (OSError(words), OSError(1045, words)):
        if len(error.args) == 2:
            error.args = (1045, words)
        with pytest.raises(kind) as caught:
            refuse("db", error)
        assert text in str(caught.value)
        assert "1045" not in str(caught.value)


def test_words_with_a_secret_are_left_out():
    with pytest.raises(dk.SourceAccessError) as caught:
        refuse("db", ValueError("bad option hunter2 in dsn"), {"hunter2"})
    assert str(caught.value) == (
        "db cannot be read: the driver's words are left out, for they hold what is "
        "secret"
    )


def test_a_letter_of_a_password_is_one_too():
    with pytest.raises(UnicodeEncodeError) as wrong:
        "hunterŁ".encode("latin-1")
    with pytest.raises(dk.SourceAccessError) as caught:
        refuse("db", wrong.value, {"hunterŁ"})
    assert "0141" not in str(caught.value)
