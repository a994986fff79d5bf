"""How a driver tells which session of the server a connection is."""

from __future__ import annotations

from typing import Any

# Attributes that hold the server's own number of a session: none asks the server.
_NUMBERS = (
    ("pgconn", "backend_pid"),  # psycopg
    ("info", "backend_pid"),  # psycopg2
    ("get_server_pid",),  # asyncpg
    ("thread_id",),  # PyMySQL, mysqlclient, aiomysql
)
# What says that a connection is in a transaction: none asks the server. The statuses
# of libpq are 0 idle, 1 active, 2 in a transaction, 3 in a failed one, 4 closed.
_STATUSES = (
    (("info", "transaction_status"), lambda status: status in (1, 2, 3)),  # psycopg
    (("is_in_transaction",), bool),  # asyncpg
    (("in_transaction",), bool),  # sqlite3, aiosqlite
    (("server_status",), lambda status: bool(status & 1)),  # PyMySQL
)


def backend_of(connection: Any) -> tuple[str | None, str | None]:
    """Return how the server and how log lines call a connection.

    Parameters
    ----------
    connection
        A connection of a driver, or what SQLAlchemy wraps around an async one.

    Returns
    -------
    tuple of str or None
        The server's number of the session (the ``pid`` of ``pg_stat_activity``), or
        the address where the driver does not tell it; and the address, as the
        connection's own ``repr`` has it.

    Examples
    --------
    >>> class Connection:
    ...     def thread_id(self):
    ...         return 4242
    >>> backend_of(Connection())[0]
    '4242'
    >>> backend_of(None)
    (None, None)
    """
    if connection is None:
        return None, None
    raw = getattr(connection, "driver_connection", None) or connection
    address = f"0x{id(raw):x}"
    for path in _NUMBERS:
        number = _follow(raw, path)
        if number:
            return str(number), address
    return address, address


def in_transaction(connection: Any) -> bool | None:
    """Return whether a connection is in a transaction, as its driver knows it.

    Parameters
    ----------
    connection
        A connection of a driver, or what SQLAlchemy wraps around an async one.

    Returns
    -------
    bool or None
        None where the driver does not tell.

    Examples
    --------
    >>> import sqlite3
    >>> connection = sqlite3.connect(":memory:")
    >>> in_transaction(connection), in_transaction(object())
    (False, None)
    >>> connection.close()
    """
    raw = getattr(connection, "driver_connection", None) or connection
    for path, says in _STATUSES:
        status = _follow(raw, path)
        if status is not None:
            return says(status)
    return None


def _follow(value: Any, path: tuple[str, ...]) -> int | None:
    try:
        for name in path:
            value = getattr(value, name)
        value = value() if callable(value) else value
    except Exception:  # noqa: BLE001 - a closed connection says so in many ways
        return None
    return value if isinstance(value, int) and value >= 0 else None
