"""What a database's refusal means, as a table from the drivers' words to ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from diagkit.errors import (
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.redaction.text import hide_line

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["refuse"]

# PostgreSQL's words, and MySQL's.
MISSING = re.compile(
    r"(?P<what>database|role) \"(?P<which>[^\"]*)\" does not exist"
    r"|unknown database '(?P<which_>[^']*)'"
)

# What the drivers say (lower case) -> the error, and what a person should read. The
# first that fits is taken.
FAILURES: tuple[tuple[tuple[str, ...], type[SourceError], str], ...] = (
    (("file is not a database",), SourceFormatError, "is not a SQLite database"),
    (
        ("malformed",),
        SourceFormatError,
        "is a damaged SQLite database; try a backup",
    ),
    (
        ("database is locked",),
        SourceAccessError,
        "is locked by a writer; try again, or read a copy of the file",
    ),
    (
        ("unable to open database file",),
        SourceAccessError,
        "cannot be opened; check the permissions of the file and of its folder",
    ),
    (
        ("no password supplied",),
        SourceAccessError,
        "asks for a password",
    ),
    (
        ("' to database '",),
        SourceAccessError,
        "denies this user the database; grant SELECT on its tables",
    ),
    (
        ("password authentication failed", "access denied for user"),
        SourceAccessError,
        "refused the user or the password",
    ),
    (
        ("no database selected",),
        SourceNotFoundError,
        "is a server with several databases; name one in the URL",
    ),
    (("no pg_hba.conf entry",), SourceAccessError, "does not let this host or user in"),
    (
        ("permission denied", "command denied to user"),
        SourceAccessError,
        "denies this user the reading; grant SELECT on the table",
    ),
    (
        ("too many clients", "too many connections"),
        SourceAccessError,
        "has no connection left; free one, or use a reserved (superuser) connection",
    ),
    (
        ("remaining connection slots",),
        SourceAccessError,
        "has no connection left for this user; free one, or use a reserved one",
    ),
    (
        ("lock timeout", "lock wait timeout"),
        SourceAccessError,
        "has the table locked by another session; try again",
    ),
    (
        (
            "statement timeout",
            "max_statement_time exceeded",
            "maximum statement execution time exceeded",
        ),
        SourceAccessError,
        "took too long over the query; export the tables to CSV instead",
    ),
    (
        (
            "idle-in-transaction timeout",
            "terminating connection",
            "server closed the connection unexpectedly",
            "server has gone away",
            "lost connection",
            "query execution was interrupted",
        ),
        SourceAccessError,
        "ended the session: somebody stopped it, it idled, or the server went down",
    ),
    (
        # SQLite's word for a statement that its progress handler stopped.
        ("interrupted",),
        SourceAccessError,
        "took too long over the query; export the tables to CSV instead",
    ),
    (
        ("unsupported startup parameter",),
        SourceAccessError,
        "is a pooler that takes no settings; write the address of the server behind it",
    ),
    (
        ("connection refused",),
        SourceNotFoundError,
        "refuses the connection; is it up?",
    ),
    (
        (
            "failed to resolve",
            "could not translate host name",
            "name or service not known",
            "temporary failure in name resolution",
            "nodename nor servname",
            "getaddrinfo failed",
        ),
        SourceNotFoundError,
        "has a host name that cannot be resolved",
    ),
    (
        ("timeout expired", "connection timeout", "timed out"),
        SourceNotFoundError,
        "does not answer",
    ),
)


def refuse(
    name: str, error: Exception, secrets: Collection[str] = frozenset()
) -> NoReturn:
    """Raise what a database's error means, in one line and without its parameters.

    Parameters
    ----------
    name
        The database's name for people.
    error
        What the driver, or SQLAlchemy around it, raised.
    secrets
        What must not be shown: the driver's words are left out where they hold it.

    Raises
    ------
    SourceError
        Always, or
    MissingExtraError
        where the driver lacks a part of itself.

    Examples
    --------
    >>> refuse("app.sqlite", OSError("database is locked"))
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceAccessError: app.sqlite is locked by a writer; try again, ...
    """
    cause = getattr(error, "orig", None) or error
    reason = str(cause)
    if len(cause.args) > 1 and isinstance(cause.args[0], int):
        reason = str(cause.args[1])  # PyMySQL's: a number, and words
    low = reason.lower()
    missing = MISSING.search(low)
    if missing:
        what = missing["what"] or "database"
        which = missing["which"] or missing["which_"]
        msg = f"{name}: the server has no {what} {which!r}"
        raise SourceNotFoundError(msg) from None
    if "'cryptography' package is required" in low:
        msg = f"{name} asks for a way to log in that needs: pip install cryptography"
        raise MissingExtraError(msg) from None
    for signs, kind, text in FAILURES:
        if any(sign in low for sign in signs):
            msg = f"{name} {text}"
            raise kind(msg) from None
    line = hide_line(reason)[:200]
    if isinstance(error, UnicodeError) or any(secret in reason for secret in secrets):
        line = "the driver's words are left out, for they hold what is secret"
    msg = f"{name} cannot be read: {line}"
    raise SourceAccessError(msg) from None
