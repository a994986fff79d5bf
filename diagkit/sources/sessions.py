"""How a session is opened that cannot write, with each kind of database's own means."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from diagkit.errors import (
    MissingExtraError,
    SettingError,
    SourceAccessError,
    SourceFormatError,
    SourceNotFoundError,
)
from diagkit.sources.sqlite_guard import Watch, connect_readonly
from diagkit.sources.urls import parse_url, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["MARIADB_SETTINGS", "MYSQL_SETTINGS", "POSTGRES_SETTINGS", "Session"]

SQLITE_MAGIC = b"SQLite format 3\0"
# What the server's list of sessions shows, so that nobody wonders who is looking.
APPLICATION = "diagkit"
# Seconds to wait for a lock that a writer holds: a diagnosis must not queue up behind
# the incident that it looks at.
BUSY_S = 2.0
CONNECT_S = 10
STATEMENT_S = 120
POSTGRES_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "120000",
    "lock_timeout": "3000",
    "idle_in_transaction_session_timeout": "120000",
}
# The snapshot that all reading is done in is taken here, and with it the mode of the
# transaction can no longer be changed. The zone is set for this transaction alone: what
# the server would give to others can still be read.
POSTGRES_BEGIN = (
    "SELECT current_setting('transaction_read_only'), "
    "set_config('TimeZone', 'UTC', true)"
)
MYSQL_SETTINGS = {
    "lock_wait_timeout": "3",
    "innodb_lock_wait_timeout": "3",
    "wait_timeout": "120",
    "time_zone": "'+00:00'",
    "max_execution_time": "120000",
}
MARIADB_SETTINGS = {
    **{k: v for k, v in MYSQL_SETTINGS.items() if k != "max_execution_time"},
    "max_statement_time": "120",
    "idle_transaction_timeout": "120",
}
# The protocol's flag of this name, alone: SQLAlchemy counts on it.
CLIENT_FOUND_ROWS = 2
MYSQL_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
# No pool, no parameters in errors, and a ROLLBACK where this room says so.
ENGINE: dict[str, Any] = {
    "poolclass": NullPool,
    "hide_parameters": True,
    "pool_reset_on_return": None,
}
INSTALL = {
    "postgresql": 'PostgreSQL needs its driver: pip install "diagkit[postgres]"',
    "mysql": 'MySQL and MariaDB need a driver: pip install "diagkit[mysql]"',
}


def _nothing() -> None:
    """Do nothing: the driver stops its statement on the server by itself."""


@dataclass(frozen=True)
class Session:
    """A way to open one kind of database read-only.

    Attributes
    ----------
    engine
        Without a pool: a connection lives as long as it is used.
    begin
        Begins the READ ONLY transaction, fails where the server did not, and returns
        what ends on the server what a Ctrl-C leaves running there.
    watch
        SQLite's clock; None where the server has its own.
    """

    engine: sa.Engine
    begin: Callable[[sa.Connection], Callable[[], None]]
    watch: Watch | None = None

    @classmethod
    def prepare(cls, where: str | Path) -> Session:
        """Choose the means for a URL or a file.

        Parameters
        ----------
        where
            A URL, or a path to a SQLite file.

        Returns
        -------
        Session
            Nothing is connected yet.

        Raises
        ------
        SourceError
            If the file is not there, or is no SQLite database.
        SettingError
            If the URL has no meaning.
        MissingExtraError
            If the driver is not installed.
        """
        path = sqlite_path(where)
        if path is not None:
            return _sqlite(path)
        url = parse_url(str(where))
        backend = url.get_backend_name()
        try:
            return SERVERS[backend](url)
        except ImportError:
            raise MissingExtraError(INSTALL[backend]) from None

    def interrupted(self, error: BaseException) -> bool:
        """Tell whether an error of SQLite's is a Ctrl-C, which it swallows.

        Parameters
        ----------
        error
            What the statement raised.

        Returns
        -------
        bool
            Whether it was stopped, and not because its time was over.
        """
        cause = getattr(error, "orig", error)
        stopped = getattr(cause, "sqlite_errorname", "") == "SQLITE_INTERRUPT"
        return stopped and self.watch is not None and not self.watch.expired


def _sqlite(path: Path) -> Session:
    _check_sqlite(path)
    watch = Watch(STATEMENT_S)
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: connect_readonly(path, BUSY_S, watch),
        **ENGINE,
    )
    sa.event.listen(engine, "before_cursor_execute", watch.start)
    return Session(engine, _begin_sqlite, watch)


def _begin_sqlite(connection: sa.Connection) -> Callable[[], None]:
    connection.exec_driver_sql("BEGIN")
    # The transaction holds its view of the file once its first statement has run.
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    return _nothing


def _postgresql(url: sa.URL) -> Session:
    options = [str(url.query.get("options", ""))]
    # Of two settings of one name the server takes the later: ours.
    options += [f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items()]
    arguments: dict[str, object] = {
        "options": " ".join(options).strip(),
        # A prepared statement is one statement: "COMMIT; DELETE ..." is refused.
        "prepare_threshold": 0,
        "autocommit": False,
    }
    arguments |= _unless(
        url.query, connect_timeout=CONNECT_S, application_name=APPLICATION
    )
    engine = sa.create_engine(url, connect_args=arguments, **ENGINE).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    return Session(engine, _begin_postgresql)


def _begin_postgresql(connection: sa.Connection) -> Callable[[], None]:
    mode = connection.exec_driver_sql(POSTGRES_BEGIN).scalar_one()
    _insist(mode == "on")
    return _nothing


def _mysql(url: sa.URL) -> Session:
    if not url.database:
        msg = "the URL names no database: write mysql://user:password@host/database"
        raise SettingError(msg)
    arguments: dict[str, object] = {
        # Without MULTI_STATEMENTS, whatever the URL says: one statement a call.
        "client_flag": CLIENT_FOUND_ROWS,
        "local_infile": False,
        "init_command": None,
        "autocommit": False,
    }
    if url.password is not None:
        # The driver writes a text in Latin-1, in which not every password can be.
        arguments["password"] = str(url.password).encode()
    arguments |= _unless(url.query, connect_timeout=CONNECT_S, program_name=APPLICATION)
    engine = sa.create_engine(url, connect_args=arguments, **ENGINE)
    return Session(engine, _begin_mysql)


def _begin_mysql(connection: sa.Connection) -> Callable[[], None]:
    run = connection.exec_driver_sql
    mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
    number = int(run("SELECT CONNECTION_ID()").scalar_one())
    settings = MARIADB_SETTINGS if mariadb else MYSQL_SETTINGS
    for name, value in settings.items():
        run(f"SET SESSION {name} = {value}")
    run("SET SESSION TRANSACTION READ ONLY")
    run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    mode = "tx_read_only" if mariadb else "transaction_read_only"
    _insist(run(f"SELECT @@SESSION.{mode}").scalar_one() == 1)
    run(MYSQL_BEGIN)
    # The mode of a transaction holds once its first statement has run.
    run("SELECT 1")
    return partial(_kill_mysql, connection.engine, number)


def _kill_mysql(engine: sa.Engine, number: int) -> None:
    """End our own session: the server goes on with it when its client has gone."""
    with suppress(DBAPIError, OSError), engine.connect() as other:
        other.exec_driver_sql(f"KILL {number}")


SERVERS: dict[str, Callable[[sa.URL], Session]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
}


def _unless(query: Mapping[str, object], **settings: object) -> dict[str, object]:
    """Return the settings that the URL does not make itself."""
    return {name: value for name, value in settings.items() if name not in query}


def _insist(readonly: bool) -> None:
    if not readonly:
        msg = "the server does not open a READ ONLY transaction; nothing was read"
        raise SourceAccessError(msg)


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
            "CSV or parquet file a table, or a postgresql:// or mysql:// URL"
        )
        raise SourceFormatError(msg)
