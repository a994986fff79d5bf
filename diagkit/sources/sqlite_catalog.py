"""What a SQLite file says of one table, as `Table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceFormatError
from diagkit.frames.create_table import parse_create_table, quote
from diagkit.frames.schemas import Table, TableCheck, TableColumn, TableIndex, TableKey

__all__ = ["read_sqlite_table"]

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

# The kinds of columns that `table_xinfo` tells: 1 is hidden in a virtual table.
HIDDEN = 1


def read_sqlite_table(connection: sa.Connection, name: str) -> Table | None:
    """Read what a SQLite file says of a table.

    Parameters
    ----------
    connection
        From `open_readonly`.
    name
        The table; ``main.table`` is understood.

    Returns
    -------
    Table or None
        None where there is no such table.

    Raises
    ------
    SourceFormatError
        If it is a virtual table or a view.
    """
    bare = name.rpartition(".")[2]
    found = _rows(
        connection,
        "SELECT name, sql, type FROM sqlite_master WHERE lower(name) = lower(?) "
        "AND type IN ('table', 'view')",
        bare,
    )
    if not found:
        return None
    own, sql, kind = found[0]
    if kind == "view":
        msg = f"{name} is a view; a migration is about tables"
        raise SourceFormatError(msg)
    made = parse_create_table(sql)
    columns = _rows(connection, f"PRAGMA table_xinfo({quote(own)})")
    attached = _rows(
        connection,
        "SELECT sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) "
        "AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY type, name",
        bare,
    )
    return Table(
        name,
        tuple(
            TableColumn(column, declared, not (not_null or key), default)
            for _, column, declared, not_null, default, key, hidden in columns
            if hidden != HIDDEN
        ),
        tuple(_indexes(connection, own)),
        tuple(TableCheck(check, clause) for check, clause in made.checks),
        tuple(_keys(connection, own)),
        made,
        tuple(sql for (sql,) in attached),
    )


def _indexes(connection: sa.Connection, table: str) -> list[TableIndex]:
    found = []
    for _, name, unique, _, partial in _rows(
        connection, f"PRAGMA index_list({quote(table)})"
    ):
        parts = _rows(connection, f"PRAGMA index_xinfo({quote(name)})")
        columns = tuple(part[2] or "(…)" for part in parts if part[5])
        condition = "(…)" if partial else ""
        found.append(TableIndex(name, columns, bool(unique), True, condition))
    return sorted(found, key=lambda index: index.name)


def _keys(connection: sa.Connection, table: str) -> list[TableKey]:
    found: dict[int, tuple[str, list[str], list[str]]] = {}
    for number, _, other, column, referred, *_ in _rows(
        connection, f"PRAGMA foreign_key_list({quote(table)})"
    ):
        _, columns, others = found.setdefault(number, (other, [], []))
        columns.append(column)
        others.append(referred or column)
    return [
        TableKey("", tuple(columns), other, tuple(others))
        for _, (other, columns, others) in sorted(found.items())
    ]


def _rows(connection: sa.Connection, query: str, *values: str) -> Sequence[Any]:
    return connection.exec_driver_sql(query, values).all()
