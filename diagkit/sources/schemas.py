"""Read what a database is like: its tables, for what a migration was to do to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from diagkit.frames.create_table import tokenize
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    FillNulls,
    Migration,
    NullRule,
)
from diagkit.frames.schemas import (
    DatabaseSchema,
    NullCount,
    Table,
    ValueCount,
    find_runs,
)
from diagkit.frames.sql_types import parse_type
from diagkit.sources.catalogs import read_mysql_table, read_postgresql_table
from diagkit.sources.databases import describe_url, list_tables, open_readonly
from diagkit.sources.sqlite_catalog import read_sqlite_table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

__all__ = ["read_schema"]

READERS: dict[str, Callable[[sa.Connection, str], Table | None]] = {
    "postgresql": read_postgresql_table,
    "mysql": read_mysql_table,
    "sqlite": read_sqlite_table,
}
# What a session gets that sets no zone itself; ours does, for its transaction.
ZONES = {
    "postgresql": "SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'",
    "mysql": "SELECT if(@@GLOBAL.time_zone = 'SYSTEM', @@GLOBAL.system_time_zone, "
    "@@GLOBAL.time_zone)",
}
# How many values and states are told one by one.
SHOWN = 20


def read_schema(
    where: str | os.PathLike[str], migration: Migration = MIGRATION_008
) -> DatabaseSchema:
    """Read how a database stands to a migration: structure, and what has to be counted.

    Parameters
    ----------
    where
        ``postgresql://…``, ``mysql://…`` (MariaDB too), ``sqlite:///file`` or the path
        of a SQLite file. It is opened read-only; all is read as of one moment, and
        nothing stays open.
    migration
        What is asked: the tables that it changes are described, and of its columns
        the NULLs are counted, and the values that its constraint does not allow.

    Returns
    -------
    DatabaseSchema
        What `check_migration` takes.

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
    >>> import pathlib, sqlite3, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "app.sqlite"
    >>> link = sqlite3.connect(path)
    >>> _ = link.execute("CREATE TABLE llm_project_config (execution_status text)")
    >>> _ = link.execute("INSERT INTO llm_project_config VALUES ('done'), (NULL)")
    >>> link.commit(); link.close()
    >>> schema = read_schema(path)
    >>> schema
    DatabaseSchema(1 of 1 tables, for 008_execution_tracking, from app.sqlite)
    >>> schema.values["llm_project_config", "execution_status"]
    ValueCount(rows=2, nulls=1, outside=1, examples=(('done', 1),))
    """
    target = where if isinstance(where, str) else Path(where)
    with open_readonly(target) as connection:
        dialect = connection.dialect.name
        names = list_tables(connection)
        tables = {}
        runs = [rule.runs_table for rule in migration.null_rules if rule.runs_table]
        for name in dict.fromkeys((*migration.tables, *runs)):
            table = READERS[dialect](connection, name)
            if table is not None:
                tables[name] = table
        zone = ZONES.get(dialect)
        counter = _Counter(connection, migration, tables)
        return DatabaseSchema(
            source=describe_url(target),
            dialect=dialect,
            zone=str(connection.exec_driver_sql(zone).scalar()) if zone else "",
            names=tuple(names),
            tables=tables,
            migration=migration,
            values=dict(counter.values()),
            nulls=dict(counter.nulls()),
        )


class _Counter:
    """Counts, in the database, what a migration asks of the data."""

    def __init__(
        self,
        connection: sa.Connection,
        migration: Migration,
        tables: dict[str, Table],
    ) -> None:
        self.connection = connection
        self.migration = migration
        self.tables = tables

    def values(self) -> Iterator[tuple[tuple[str, str], ValueCount]]:
        """Count NULLs and foreign values: one pass over each table, and one more."""
        for name, table in self.tables.items():
            asked = self._asked(name)
            if not asked:
                continue
            there = {c: own for c in asked if (own := table.column(c)) is not None}
            source = _source(name, [column.name for column in there.values()])
            parts: list[sa.ColumnElement[Any]] = [sa.func.count()]
            for asked_as, own in there.items():
                parts.append(sa.func.count(source.c[own.name]))
                foreign = _foreign(source.c[own.name], asked[asked_as])
                parts.append(sa.func.coalesce(sa.func.sum(foreign), 0))
            rows, *counts = self.connection.execute(
                sa.select(*parts).select_from(source)
            ).one()
            found = dict(
                zip(there, zip(counts[::2], counts[1::2], strict=True), strict=True)
            )
            for column in asked:
                if column not in there:
                    # What it will be like once it is added.
                    nulls = 0 if self._default(name, column) else rows
                    yield (name, column), ValueCount(rows, nulls)
                    continue
                known, outside = found[column]
                examples = (
                    self._examples(source, there[column].name, asked[column])
                    if outside
                    else ()
                )
                count = ValueCount(rows, rows - known, int(outside), examples)
                yield (name, column), count

    def nulls(self) -> Iterator[tuple[tuple[str, str], NullCount]]:
        """Count the NULLs that are not right, by state."""
        for rule in self.migration.null_rules:
            table = self.tables.get(rule.table)
            if table is not None:
                yield (rule.table, rule.column), self._count_nulls(rule, table)

    def _asked(self, table: str) -> dict[str, tuple[str, ...]]:
        """Return the columns to count, and the values that are allowed in each."""
        asked: dict[str, tuple[str, ...]] = {}
        for step in self.migration.steps:
            if step.table != table:
                continue
            if isinstance(step, AddColumn | FillNulls):
                asked.setdefault(step.column, ())
            elif isinstance(step, AddCheck):
                asked[step.column] = step.values
        return asked

    def _default(self, table: str, column: str) -> str | None:
        """Return the default that the migration gives to a column."""
        added = self.migration.of(AddColumn, table)
        found = [step.default for step in added if step.column == column]
        return found[0] if found else None

    def _examples(
        self, source: sa.TableClause, column: str, allowed: tuple[str, ...]
    ) -> tuple[tuple[str, int], ...]:
        value = sa.cast(source.c[column], sa.Text).label("value")
        count = sa.func.count().label("count")
        query = (
            sa.select(value, count)
            .where(_foreign(source.c[column], allowed) == 1)
            .group_by(value)
            .order_by(count.desc(), value)
            .limit(SHOWN)
        )
        found = [(str(v), int(n)) for v, n in self.connection.execute(query)]
        # Databases sort texts each in their own way.
        return tuple(sorted(found, key=lambda pair: (-pair[1], pair[0])))

    def _count_nulls(self, rule: NullRule, table: Table) -> NullCount:
        """Count by state; a column that is missing is taken as it will be."""
        columns = (rule.column, rule.state, rule.key, rule.otherwise)
        there = {c: own.name for c in columns if c and (own := table.column(c))}
        source = _source(rule.table, list(there.values()))
        state: sa.ColumnElement[Any] = sa.literal(self._first_state(rule), sa.Text)
        if rule.state in there:
            state = sa.cast(source.c[there[rule.state]], sa.Text)
        joined, has_run, known = self._join_runs(rule, source, there)
        if rule.otherwise in there:
            known = sa.or_(known, source.c[there[rule.otherwise]].is_not(None))
        idle = sa.or_(state.is_(None), state.in_(rule.legal))
        legal = sa.and_(idle, sa.not_(has_run))
        rows = sa.select(
            state.label("state"),
            sa.case((legal, 1), else_=0).label("legal"),
            sa.case((known, 1), else_=0).label("known"),
        ).select_from(joined)
        if rule.column in there:
            rows = rows.where(source.c[there[rule.column]].is_(None))
        found = rows.subquery("found")
        counts = self.connection.execute(
            sa.select(
                found.c.state,
                sa.func.sum(1 - found.c.legal),
                sa.func.sum((1 - found.c.legal) * (1 - found.c.known)),
                sa.func.sum(found.c.legal),
            ).group_by(found.c.state)
        ).all()
        states = [(name, int(illegal)) for name, illegal, _, _ in counts if illegal]
        return NullCount(
            tuple(sorted(states, key=lambda pair: (pair[0] is None, pair[0]))),
            sum(int(unknown) for *_, unknown, _ in counts),
            sum(int(right) for *_, right in counts),
        )

    def _first_state(self, rule: NullRule) -> str | None:
        """Return the state that all rows get when its column is added."""
        default = self._default(rule.table, rule.state)
        tokens = tokenize(default) if default else []
        return tokens[0].value if tokens else None

    def _join_runs(
        self, rule: NullRule, source: sa.TableClause, there: dict[str, str]
    ) -> tuple[sa.FromClause, sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        """Join each row's runs; tell whether it has one, and one with a time."""
        runs = find_runs(rule, self.tables)
        if runs is None:
            return source, sa.false(), sa.false()
        other = _source(rule.runs_table, [rule.runs_key, rule.runs_time])
        own: sa.ColumnElement[Any] = source.c[there[rule.key]]
        key: sa.ColumnElement[Any] = other.c[rule.runs_key]
        if self._kind(rule.table, rule.key) != self._kind(
            rule.runs_table, rule.runs_key
        ):
            own, key = sa.cast(own, sa.Text), sa.cast(key, sa.Text)
        # Grouped first: the table of runs is the large one, and is read once.
        grouped = (
            sa.select(
                key.label("key"), sa.func.count(other.c[rule.runs_time]).label("times")
            )
            .where(other.c[rule.runs_key].is_not(None))
            .group_by(key)
            .subquery("runs")
        )
        return (
            source.outerjoin(grouped, grouped.c.key == own),
            grouped.c.key.is_not(None),
            sa.func.coalesce(grouped.c.times, 0) > 0,
        )

    def _kind(self, table: str, column: str) -> str:
        found = self.tables[table].column(column)
        dialect = self.connection.dialect.name
        return parse_type(found.type, dialect).family if found else ""


def _source(table: str, columns: list[str]) -> sa.TableClause:
    schema, _, bare = table.rpartition(".")
    unique = dict.fromkeys(columns)
    return sa.table(bare, *(sa.column(c) for c in unique), schema=schema or None)


def _foreign(
    column: sa.ColumnClause[Any], allowed: tuple[str, ...]
) -> sa.ColumnElement[int]:
    """Return 1 for a value that is not allowed; as text, whatever the type is."""
    if not allowed:
        return sa.literal(0)
    outside = sa.cast(column, sa.Text).not_in(allowed)
    return sa.case((sa.and_(column.is_not(None), outside), 1), else_=0)
