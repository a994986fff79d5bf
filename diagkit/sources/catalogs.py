"""What the catalogues of PostgreSQL and MySQL say of one table, as `Table`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from diagkit.frames.schemas import Table, TableCheck, TableColumn, TableIndex, TableKey

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read_mysql_table", "read_postgresql_table"]

POSTGRESQL = {
    "find": """
        SELECT to_regclass(CASE WHEN :schema = '' THEN quote_ident(:table)
                           ELSE format('%I.%I', :schema, :table) END)::oid""",
    "columns": """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum""",
    "indexes": """
        SELECT c.relname, i.indisunique, i.indisvalid AND i.indisready,
               coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
               ARRAY(SELECT coalesce(a.attname::text,
                                     '(' || pg_get_indexdef(c.oid, k, true) || ')')
                     FROM generate_series(1, i.indnkeyatts) AS k
                     LEFT JOIN pg_attribute a
                       ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]
                      AND a.attnum > 0
                     ORDER BY k)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = :oid
        ORDER BY c.relname""",
    # Of a server before 18 the row has no such key, and every constraint is enforced.
    "checks": """
        SELECT conname, pg_get_expr(conbin, conrelid), convalidated,
               coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
        FROM pg_constraint c
        WHERE conrelid = :oid AND contype = 'c'
        ORDER BY conname""",
    "keys": """
        SELECT conname,
               ARRAY(SELECT a.attname::text
                     FROM unnest(c.conkey) WITH ORDINALITY AS k(n, i)
                     JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n
                     ORDER BY k.i),
               c.confrelid::regclass::text,
               ARRAY(SELECT a.attname::text
                     FROM unnest(c.confkey) WITH ORDINALITY AS k(n, i)
                     JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n
                     ORDER BY k.i)
        FROM pg_constraint c
        WHERE conrelid = :oid AND contype = 'f'
        ORDER BY conname""",
}
MYSQL = {
    "columns": """
        SELECT column_name, column_type, is_nullable, column_default, extra,
               collation_name, column_comment
        FROM information_schema.columns
        WHERE table_schema = coalesce(nullif(:schema, ''), database())
          AND table_name = :table
        ORDER BY ordinal_position""",
    "indexes": """
        SELECT index_name, non_unique, column_name, sub_part
        FROM information_schema.statistics
        WHERE table_schema = coalesce(nullif(:schema, ''), database())
          AND table_name = :table
        ORDER BY index_name, seq_in_index""",
    "keys": """
        SELECT constraint_name, column_name, referenced_table_name,
               referenced_column_name
        FROM information_schema.key_column_usage
        WHERE table_schema = coalesce(nullif(:schema, ''), database())
          AND table_name = :table
          AND referenced_table_name IS NOT NULL
        ORDER BY constraint_name, ordinal_position""",
}
MARIADB_CHECKS = """
    SELECT constraint_name, check_clause, 'YES'
    FROM information_schema.check_constraints
    WHERE constraint_schema = coalesce(nullif(:schema, ''), database())
      AND table_name = :table
    ORDER BY constraint_name"""
MYSQL_CHECKS = """
    SELECT constraint_name, check_clause, enforced
    FROM information_schema.check_constraints
    JOIN information_schema.table_constraints
      USING (constraint_schema, constraint_name)
    WHERE table_schema = coalesce(nullif(:schema, ''), database())
      AND table_name = :table
      AND constraint_type = 'CHECK'
    ORDER BY constraint_name"""
# MySQL writes an introducer before a text, and both escape with a backslash.
INTRODUCER = re.compile(r"_(?:utf8mb4|utf8mb3|utf8|latin1|ascii|binary)(?=\\?')")
BACKSLASHED = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "Z": "\x1a"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?$")


def read_postgresql_table(connection: sa.Connection, name: str) -> Table | None:
    """Read what PostgreSQL's catalogue says of a table.

    Parameters
    ----------
    connection
        From `open_readonly`.
    name
        ``table`` or ``schema.table``.

    Returns
    -------
    Table or None
        None where there is no such table.
    """
    schema, _, bare = name.rpartition(".")
    where = {"schema": schema, "table": bare}
    oid = connection.execute(sa.text(POSTGRESQL["find"]), where).scalar()
    if oid is None:
        return None
    rows = {
        part: connection.execute(sa.text(query), {"oid": oid}).all()
        for part, query in POSTGRESQL.items()
        if part != "find"
    }
    return Table(
        name,
        tuple(TableColumn(*row) for row in rows["columns"]),
        tuple(
            TableIndex(index, tuple(columns), unique, valid, condition)
            for index, unique, valid, condition, columns in rows["indexes"]
        ),
        tuple(TableCheck(*row) for row in rows["checks"]),
        tuple(
            TableKey(key, tuple(columns), table, tuple(referred))
            for key, columns, table, referred in rows["keys"]
        ),
    )


def read_mysql_table(connection: sa.Connection, name: str) -> Table | None:
    """Read what MySQL's or MariaDB's catalogue says of a table.

    Parameters
    ----------
    connection
        From `open_readonly`.
    name
        ``table`` or ``database.table``.

    Returns
    -------
    Table or None
        None where there is no such table.
    """
    schema, _, bare = name.rpartition(".")
    where = {"schema": schema, "table": bare}
    mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
    checks = MARIADB_CHECKS if mariadb else MYSQL_CHECKS
    rows = {
        part: connection.execute(sa.text(query), where).all()
        for part, query in {**MYSQL, "checks": checks}.items()
    }
    if not rows["columns"]:
        return None
    return Table(
        name,
        tuple(_mysql_column(*row, mariadb=mariadb) for row in rows["columns"]),
        tuple(_mysql_indexes(rows["indexes"])),
        tuple(
            TableCheck(
                check, _standard_texts(clause, mariadb), enforced=enforced == "YES"
            )
            for check, clause, enforced in rows["checks"]
        ),
        tuple(_mysql_keys(rows["keys"])),
    )


def _mysql_column(
    name: str,
    kind: str,
    nullable: str,
    default: str | None,
    extra: str,
    collation: str | None,
    comment: str,
    *,
    mariadb: bool,
) -> TableColumn:
    said = comment.replace("\\", "\\\\").replace("'", "''")
    attributes = [
        # What MySQL 8 says of a default that is an expression is not SQL.
        re.sub("default_generated", "", extra, flags=re.IGNORECASE).strip(),
        f"COMMENT '{said}'" if comment else "",
    ]
    return TableColumn(
        name,
        kind,
        nullable == "YES",
        _mysql_default(default, extra, mariadb=mariadb),
        f"COLLATE {collation}" if collation else "",
        " ".join(filter(None, attributes)),
        "on update" in extra.lower(),
    )


def _mysql_default(default: str | None, extra: str, *, mariadb: bool) -> str | None:
    """Return a default as SQL: MariaDB says that, MySQL the value alone."""
    if default is None or (mariadb and default == "NULL"):
        return None
    if mariadb or "DEFAULT_GENERATED" in extra.upper() or NUMBER.match(default):
        return _standard_texts(default, mariadb=True)
    return "'" + default.replace("'", "''") + "'"


def _mysql_indexes(rows: Iterable[Any]) -> list[TableIndex]:
    found: dict[str, tuple[bool, list[str]]] = {}
    for index, non_unique, column, part in rows:
        columns = found.setdefault(index, (not non_unique, []))[1]
        # An index over the beginning of a column is not one over the column.
        columns.append(f"({column or '…'}({part}))" if part or not column else column)
    return [TableIndex(n, tuple(cs), unique) for n, (unique, cs) in found.items()]


def _mysql_keys(rows: Iterable[Any]) -> list[TableKey]:
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    for key, column, table, referred in rows:
        _, columns, others = found.setdefault(key, (table, [], []))
        columns.append(column)
        others.append(referred)
    return [TableKey(n, tuple(cs), t, tuple(rs)) for n, (t, cs, rs) in found.items()]


def _standard_texts(clause: str, mariadb: bool) -> str:
    r"""Write the texts in a clause as standard SQL does: no backslash is special."""
    if not mariadb:
        clause = INTRODUCER.sub("", clause).replace("\\'", "'")
    return BACKSLASHED.sub(lambda found: _standard_text(found[0][1:-1]), clause)


def _standard_text(text: str) -> str:
    plain = re.sub(
        r"\\(.)|''",
        lambda m: ESCAPES.get(m[1], m[1]) if m[1] else "'",
        text,
        flags=re.DOTALL,
    )
    return "'" + plain.replace("'", "''") + "'"
