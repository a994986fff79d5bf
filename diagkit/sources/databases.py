"""Open a database to look at it: read-only by the server's own means, and closed after.

`pandas.read_sql` on a connection of one's own leaves the session idle in transaction:
the tool that diagnoses the leak becomes one. Here a connection lives as long as a
``with`` block, has no pool behind it and cannot write.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from diagkit.errors import (
    DiagkitError,
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceFormatError,
    SourceNotFoundError,
    suggest,
)
from diagkit.redaction.text import redact_text
from diagkit.sources.files import file_errors
from diagkit.sources.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "describe_url",
    "is_database_url",
    "list_columns",
    "list_tables",
    "open_readonly",
    "read_columns",
    "sqlite_path",
]

SQLITE_MAGIC = b"SQLite format 3\0"
SQLITE_PREFIX = re.compile(r"^sqlite(?:\+pysqlite)?://")
URL = re.compile(r"^[a-zA-Z][\w+.-]+://")
SUPPORTED = "sqlite:///file.sqlite or postgresql+psycopg://user:password@host/database"

# Seconds to wait for a lock that a writer holds: a diagnosis must not queue up behind
# the incident that it looks at.
BUSY_S = 2.0
CONNECT_S = 10
POSTGRES_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "120000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "120000",
    "TimeZone": "UTC",
}


def is_database_url(where: str) -> bool:
    """Tell a URL from a path.

    Parameters
    ----------
    where
        What a caller passed in.

    Returns
    -------
    bool
        Whether it starts with ``scheme://``.

    Examples
    --------
    >>> is_database_url("postgresql://db/app"), is_database_url("C:/app.sqlite")
    (True, False)
    """
    return URL.match(where) is not None


def sqlite_path(where: str | Path) -> Path | None:
    """Return the file that a SQLite URL or a path means; None for another URL.

    Parameters
    ----------
    where
        ``sqlite:///relative``, ``sqlite:////absolute`` or a path. What follows the
        prefix is the path as it stands: blanks, ``?`` and ``#`` belong to it.

    Returns
    -------
    pathlib.Path or None
        The file.

    Raises
    ------
    SettingError
        If a SQLite URL names no file.

    Examples
    --------
    >>> sqlite_path("sqlite:///a folder/what?.db").name
    'what?.db'
    """
    if isinstance(where, Path):
        return where
    found = SQLITE_PREFIX.match(where)
    if found is None:
        return None if is_database_url(where) else Path(where)
    rest = where[found.end() :]
    if not rest.startswith("/") or rest in ("/", "/:memory:"):
        msg = f"{where!r} names no file: write sqlite:///path/to/file.sqlite"
        raise SettingError(msg)
    path = Path(rest[1:])
    # What SQLAlchemy calls the query is cut off only where that gives a file.
    bare = Path(rest[1:].rpartition("?")[0])
    with file_errors(path):
        return bare if not path.exists() and bare.is_file() else path


def describe_url(where: str | Path) -> str:
    """Name a source for people: no user, no password, no folder.

    Parameters
    ----------
    where
        A URL or a path.

    Returns
    -------
    str
        A file's name, or ``dialect://host:port/database``.

    Examples
    --------
    >>> describe_url("postgresql://app:hunter2@db:5432/shop")
    'postgresql://db:5432/shop'
    >>> describe_url("sqlite:////srv/data/progress.sqlite")
    'progress.sqlite'
    """
    path = sqlite_path(where)
    if path is not None:
        return path.name or str(path)
    url = _parse(str(where))
    host = url.host or str(url.query.get("host", "localhost"))
    port = f":{url.port}" if url.port else ""
    # A socket's folder is a machine's path.
    host = "localhost" if "/" in host else host
    return f"{url.get_backend_name()}://{host}{port}/{url.database or ''}"


@contextmanager
def open_readonly(where: str | Path) -> Iterator[sa.Connection]:
    """Open a database so that nothing can be written, and close it after.

    Parameters
    ----------
    where
        ``sqlite:///…``, a path to a SQLite file, or ``postgresql+psycopg://…``
        (``postgresql://`` and ``postgres://`` mean the same).

    Yields
    ------
    sqlalchemy.Connection
        In a transaction that is READ ONLY; on PostgreSQL REPEATABLE READ as well, so
        that all tables are read as of one moment. The server ends a statement after 2
        minutes and a wait for a lock after 3 seconds.

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
    name = describe_url(where)
    engine = _make_engine(where)
    try:
        with engine.connect() as connection, connection.begin():
            # The mode of a transaction holds once its first statement has run.
            connection.execute(sa.text("SELECT 1"))
            yield connection
    except DiagkitError:
        raise
    except (DBAPIError, sqlite3.Error) as error:
        refuse(name, error)
    finally:
        engine.dispose()


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


def list_columns(connection: sa.Connection, table: str, name: str) -> list[str]:
    """Return the names of a table's columns, in its order.

    Parameters
    ----------
    connection
        From `open_readonly`.
    table
        ``table`` or ``schema.table``.
    name
        The database's name, for the error.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    SourceNotFoundError
        If there is no such table; the message names the nearest.
    """
    schema, _, bare = table.rpartition(".")
    known = list_tables(connection, schema or None)
    if bare not in known:
        some = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
        msg = (
            f"{name}: no table {table!r}{suggest(bare, known)}; "
            f"it has {some or 'no tables at all'}"
        )
        raise SourceNotFoundError(msg)
    columns = sa.inspect(connection).get_columns(bare, schema or None)
    return [str(column["name"]) for column in columns]


def read_columns(
    connection: sa.Connection, table: str, columns: Sequence[str]
) -> dict[str, list[str | None]]:
    """Read some columns of a table, every value as the text that the server writes.

    Parameters
    ----------
    connection
        From `open_readonly`.
    table
        ``table`` or ``schema.table``.
    columns
        Names of its columns.

    Returns
    -------
    dict of str to list
        The values by column. As text, because a driver refuses times that Python
        cannot hold (``infinity``) without saying in which row they stand.
    """
    schema, _, bare = table.rpartition(".")
    source = sa.table(bare, *(sa.column(c) for c in columns), schema=schema or None)
    query = sa.select(*(sa.cast(source.c[c], sa.Text).label(c) for c in columns))
    rows = connection.execute(query).fetchall()
    if not rows:
        return {column: [] for column in columns}
    return dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))


def _parse(where: str) -> sa.URL:
    try:
        url = sa.make_url(re.sub(r"^postgres://", "postgresql://", where))
    except (ArgumentError, ValueError):
        msg = f"not a database URL: {redact_text(where).text!r}; write {SUPPORTED}"
        raise SettingError(msg) from None
    if url.get_backend_name() not in ("postgresql", "sqlite"):
        msg = f"diagkit does not read {url.drivername!r} databases; write {SUPPORTED}"
        raise SettingError(msg)
    return url


def _make_engine(where: str | Path) -> sa.Engine:
    path = sqlite_path(where)
    if path is not None:
        _check_sqlite(path)
        return sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S
            ),
            poolclass=NullPool,
        )
    url = _parse(str(where))
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    options = [str(url.query.get("options", ""))]
    # Of two settings of one name the server takes the later: ours.
    options += [f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items()]
    arguments: dict[str, object] = {"options": " ".join(options).strip()}
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = CONNECT_S
    if url.drivername == "postgresql+psycopg":
        # A prepared statement is one statement: "COMMIT; DELETE ..." is refused.
        arguments["prepare_threshold"] = 0
    try:
        engine = sa.create_engine(
            url, connect_args=arguments, poolclass=NullPool, hide_parameters=True
        )
    except NoSuchModuleError:
        msg = f"no driver {url.drivername!r}; write {SUPPORTED}"
        raise SettingError(msg) from None
    except ImportError:
        msg = 'PostgreSQL needs its driver: pip install "diagkit[postgres]"'
        raise MissingExtraError(msg) from None
    return engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def _check_sqlite(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(len(SQLITE_MAGIC))
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise SourceNotFoundError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise SourceAccessError(msg) from None
    if head != SQLITE_MAGIC:
        what = "is empty" if not head else "is not a SQLite database"
        msg = (
            f"{path}: {what}; write the path of a SQLite file, of a folder with one "
            "CSV or parquet file a table, or a postgresql:// URL"
        )
        raise SourceFormatError(msg)
