"""Open a database to look at it: read-only by the server's own means, and closed after.

`pandas.read_sql` on a connection of one's own leaves the session idle in transaction:
the tool that diagnoses the leak becomes one. Here a connection lives as long as a
``with`` block, has no pool behind it and cannot write.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from diagkit.sources.refusals import refuse
from diagkit.sources.sessions import POSTGRES_SETTINGS, Session
from diagkit.sources.urls import (
    describe_url,
    find_secrets,
    is_database_url,
    sqlite_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = [
    "POSTGRES_SETTINGS",
    "describe_url",
    "is_database_url",
    "list_tables",
    "open_looks",
    "open_readonly",
    "sqlite_path",
]


@contextmanager
def open_readonly(where: str | Path) -> Iterator[sa.Connection]:
    """Open a database so that nothing can be written, and close it after.

    Parameters
    ----------
    where
        ``sqlite:///…``, a path to a SQLite file, ``postgresql://…`` (``postgres://``
        means the same) or ``mysql://…`` (MariaDB too). A driver in the URL is read
        past: psycopg and PyMySQL are used.

    Yields
    ------
    sqlalchemy.Connection
        In a transaction that is READ ONLY and sees all tables as of one moment. It
        ends in a ROLLBACK, whatever happens. A statement is ended after 2 minutes,
        a wait for a lock after 2 to 3 seconds, an idle session by its server after 2
        minutes. Times come in UTC.

    Raises
    ------
    SourceError
        If the database is not there, is none, is locked or does not let one in.
    SettingError
        If the URL has no meaning.
    MissingExtraError
        If the driver is not installed.

    Examples
    --------
    >>> with open_readonly("nowhere.sqlite") as connection:
    ...     pass
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: nowhere.sqlite: no such file
    """
    with open_looks(where) as look, look() as connection:
        yield connection


@contextmanager
def open_looks(
    where: str | Path,
) -> Iterator[Callable[[], AbstractContextManager[sa.Connection]]]:
    """Open a database for several short looks at it, and close it after.

    Parameters
    ----------
    where
        As for `open_readonly`.

    Yields
    ------
    callable
        Each call gives a ``with`` block with the connection in a transaction of its
        own, as that of `open_readonly` is. Between two looks the session is idle, and
        not in a transaction.

    Raises
    ------
    SourceError, SettingError, MissingExtraError
        As for `open_readonly`, for every look.

    Examples
    --------
    >>> with open_looks("nowhere.sqlite") as look:
    ...     pass
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: nowhere.sqlite: no such file
    """
    name = describe_url(where)
    secrets = find_secrets(where)
    with _told(name, secrets):
        session = Session.prepare(where)
    try:
        with _refused(session, name, secrets):
            with _told(name, secrets):
                connection = session.engine.connect()
            try:
                yield partial(_look, session, connection, name, secrets)
            finally:
                # The server may have closed it already: then nothing is left to close.
                with suppress(DBAPIError):
                    connection.close()
    finally:
        session.engine.dispose()


def list_tables(connection: sa.Connection, schema: str | None = None) -> list[str]:
    """Return the names of the tables and views, sorted.

    Parameters
    ----------
    connection
        From `open_readonly`.
    schema
        A schema of the database; None for the one that its search path names.

    Returns
    -------
    list of str
        The names.
    """
    look = sa.inspect(connection)
    return sorted({*look.get_table_names(schema), *look.get_view_names(schema)})


@contextmanager
def _refused(session: Session, name: str, secrets: frozenset[str]) -> Iterator[None]:
    """Tell what the database itself raises; a Ctrl-C stays one."""
    try:
        yield
    except DBAPIError as error:
        if session.interrupted(error):
            raise KeyboardInterrupt from None
        refuse(name, error, secrets)


@contextmanager
def _look(
    session: Session, connection: sa.Connection, name: str, secrets: frozenset[str]
) -> Iterator[sa.Connection]:
    try:
        with _refused(session, name, secrets):
            with _told(name, secrets):
                stop = session.begin(connection)
            try:
                yield connection
            except Exception:
                raise
            except BaseException:
                # A Ctrl-C, or the end of the program, in the middle of a statement.
                stop()
                raise
    finally:
        # The server may have closed it already: then there is nothing to roll back.
        with suppress(DBAPIError):
            connection.rollback()


@contextmanager
def _told(name: str, secrets: frozenset[str]) -> Iterator[None]:
    """Tell what a driver raises of an option, or a password, that it cannot use."""
    try:
        yield
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        refuse(name, error, secrets)
