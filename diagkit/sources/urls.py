"""What a database's URL says: which kind, which file, and what is secret in it."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from diagkit.errors import SettingError, suggest
from diagkit.sources.files import file_errors

__all__ = [
    "SUPPORTED",
    "describe_url",
    "find_secrets",
    "is_database_url",
    "parse_url",
    "sqlite_path",
]

# Also what somebody mistyped, such as one slash or no scheme before user:password@:
# taken for a path, it would be shown in an error with the password in it.
URL = re.compile(r"^\s*(?:[a-zA-Z][\w+.-]+:/|[^/\\:]{2,}:[^@]*@)")
SQLITE_PREFIX = re.compile(r"^sqlite(?:\+(?:pysqlite|aiosqlite))?://")
SUPPORTED = (
    "sqlite:///file.sqlite, postgresql://user:password@host/database or "
    "mysql://user:password@host/database"
)
# The driver that diagkit reads with -> those that an application's own URL may name.
# An asynchronous one cannot be used here, and one driver is enough to test against.
DRIVERS = {
    "postgresql+psycopg": (
        "postgresql",
        "postgres",
        "postgresql+psycopg_async",
        "postgresql+psycopg2",
        "postgresql+psycopg2cffi",
        "postgresql+asyncpg",
        "postgresql+pg8000",
    ),
    "mysql+pymysql": (
        "mysql",
        "mariadb",
        "mariadb+pymysql",
        *(
            f"{backend}+{driver}"
            for backend in ("mysql", "mariadb")
            for driver in (
                "mysqldb",
                "mysqlconnector",
                "mariadbconnector",
                "aiomysql",
                "asyncmy",
            )
        ),
    ),
}
OURS = {theirs: ours for ours, names in DRIVERS.items() for theirs in (ours, *names)}
SECRET_KEYS = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


def is_database_url(where: str) -> bool:
    """Tell a URL from a path.

    Parameters
    ----------
    where
        What a caller passed in.

    Returns
    -------
    bool
        Whether it starts with ``scheme://``, or with what was meant to be that.

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
        msg = "the SQLite URL names no file: write sqlite:///path/to/file.sqlite"
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

    Raises
    ------
    SettingError
        If the URL has no meaning; the message holds nothing of it but its scheme.

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
    url = parse_url(str(where))
    asked = url.query.get("host", "localhost")
    host = url.host or (asked if isinstance(asked, str) else ",".join(asked))
    port = f":{url.port}" if url.port else ""
    # A socket's folder is a machine's path.
    host = "localhost" if "/" in host else host
    return f"{url.get_backend_name()}://{host}{port}/{url.database or ''}"


def parse_url(where: str) -> sa.URL:
    """Read a URL of a server, with the driver that diagkit uses for it.

    Parameters
    ----------
    where
        ``postgresql://…`` or ``mysql://…`` (MariaDB too), with any driver in it.

    Returns
    -------
    sqlalchemy.URL
        The same with diagkit's driver.

    Raises
    ------
    SettingError
        If it has no meaning. What stands in it may be a password in the wrong place,
        so that the message shows the scheme alone.

    Examples
    --------
    >>> parse_url("postgresql+asyncpg://app:hunter2@db/shop").drivername
    'postgresql+psycopg'
    """
    try:
        url = sa.make_url(where.strip())
    except (ArgumentError, ValueError):
        msg = f"not a database URL{_scheme(where)}; write {SUPPORTED}"
        raise SettingError(msg) from None
    if url.drivername not in OURS:
        known = url.get_backend_name() in OURS
        what = "no driver {!r}" if known else "diagkit does not read {!r} databases"
        near = suggest(url.drivername, OURS)
        msg = f"{what.format(url.drivername)}; write {SUPPORTED}{near}"
        raise SettingError(msg)
    _refuse_stray_at(where, url)
    return url.set(drivername=OURS[url.drivername])


def find_secrets(where: str | Path) -> frozenset[str]:
    """Return what must never be seen of a URL: its passwords, as every layer has them.

    Parameters
    ----------
    where
        A URL or a path.

    Returns
    -------
    frozenset of str
        The password and every option that is one; empty for a file.

    Examples
    --------
    >>> sorted(find_secrets("mysql://app:a%40b@db/shop?ssl_key_password=x"))
    ['a%40b', 'a@b', 'x']
    """
    if sqlite_path(where) is not None:
        return frozenset()
    url = parse_url(str(where))
    plain = [] if url.password is None else [str(url.password)]
    for key, value in url.query.items():
        if SECRET_KEYS.search(key):
            plain += [value] if isinstance(value, str) else value
    raw = re.search(r":([^/@:][^@]*)@", str(where).partition("://")[2])
    return frozenset({*plain, *([raw[1]] if raw else [])} - {""})


def _scheme(where: str) -> str:
    found = re.match(r"\s*([a-zA-Z][\w+.-]*)://", where)
    return f" ({found[1]}://…)" if found else ""


def _refuse_stray_at(where: str, url: sa.URL) -> None:
    """Refuse a URL in which part of a password is taken for the host or database."""
    before_query = where if url.username is not None else where.partition("?")[0]
    if before_query.count("@") > (url.username is not None):
        msg = (
            f"not a database URL{_scheme(where)}: it has more than one '@' or one in "
            "the wrong place; write an '@' of a user or password as %40, and a '/' "
            "as %2F"
        )
        raise SettingError(msg)
