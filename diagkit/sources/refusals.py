"""What a database's refusal means, as a table from the drivers' words to ours."""

from __future__ import annotations

import re
from typing import NoReturn

from diagkit.errors import (
    SourceAccessError,
    SourceError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.redaction.text import redact_text

__all__ = ["refuse"]

# What the drivers say (lower case) -> the error, and what a person should read.
FAILURES: tuple[tuple[str, type[SourceError], str], ...] = (
    ("file is not a database", SourceFormatError, "is not a SQLite database"),
    ("malformed", SourceFormatError, "is a damaged SQLite database; try a backup"),
    (
        "database is locked",
        SourceAccessError,
        "is locked by a writer; try again, or read a copy of the file",
    ),
    (
        "unable to open database file",
        SourceAccessError,
        "cannot be opened; check the permissions of the file and of its folder",
    ),
    (
        "password authentication failed",
        SourceAccessError,
        "refused the user or the password",
    ),
    ("no password supplied", SourceAccessError, "asks for a password"),
    ("no pg_hba.conf entry", SourceAccessError, "does not let this host or user in"),
    (
        "permission denied",
        SourceAccessError,
        "denies this user the reading; grant SELECT on the table",
    ),
    (
        "too many clients",
        SourceAccessError,
        "has no connection left; free one, or use a reserved (superuser) connection",
    ),
    (
        "remaining connection slots",
        SourceAccessError,
        "has no connection left for this user; free one, or use a reserved one",
    ),
    (
        "lock timeout",
        SourceAccessError,
        "has the table locked by another session; try again",
    ),
    (
        "statement timeout",
        SourceAccessError,
        "took too long over the query; export the tables to CSV instead",
    ),
    ("connection refused", SourceNotFoundError, "refuses the connection; is it up?"),
    (
        "failed to resolve",
        SourceNotFoundError,
        "has a host name that cannot be resolved",
    ),
    (
        "could not translate host name",
        SourceNotFoundError,
        "has a host name that cannot be resolved",
    ),
    ("timeout expired", SourceNotFoundError, "does not answer"),
    ("connection timeout", SourceNotFoundError, "does not answer"),
)


def refuse(name: str, error: Exception) -> NoReturn:
    """Raise what a database's error means, in one line and without its parameters.

    Parameters
    ----------
    name
        The database's name for people.
    error
        What the driver, or SQLAlchemy around it, raised.

    Raises
    ------
    SourceError
        Always.

    Examples
    --------
    >>> refuse("app.sqlite", OSError("database is locked"))
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceAccessError: app.sqlite is locked by a writer; try again, ...
    """
    reason = str(getattr(error, "orig", None) or error)
    low = reason.lower()
    missing = re.search(r'(database|role) "([^"]*)" does not exist', low)
    if missing:
        msg = f"{name}: the server has no {missing[1]} {missing[2]!r}"
        raise SourceNotFoundError(msg) from None
    for sign, kind, text in FAILURES:
        if sign in low:
            msg = f"{name} {text}"
            raise kind(msg) from None
    line = redact_text(" ".join(reason.split())[:200]).text
    msg = f"{name} cannot be read: {line}"
    raise SourceAccessError(msg) from None
