"""What the catalogue of a database says of its tables, and counts beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diagkit.frames.create_table import CreateTable
    from diagkit.frames.migrations import Migration, NullRule

__all__ = [
    "DatabaseSchema",
    "NullCount",
    "Table",
    "TableCheck",
    "TableColumn",
    "TableIndex",
    "TableKey",
    "ValueCount",
    "find_runs",
]


@dataclass(frozen=True)
class TableColumn:
    """A column as the server describes it.

    Attributes
    ----------
    name
        Its name.
    type
        Its type, in the server's words.
    nullable
        Whether it may hold NULL.
    default
        Its default as SQL; None where it has none.
    collation, attributes
        MySQL: what a ``MODIFY`` has to say again, besides the type and the default.
    sets_itself
        MySQL: whether it has ``ON UPDATE CURRENT_TIMESTAMP``.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    collation: str = ""
    attributes: str = ""
    sets_itself: bool = False


@dataclass(frozen=True)
class TableIndex:
    """An index.

    Attributes
    ----------
    name
        Its name.
    columns
        Its columns in order; an expression stands in brackets.
    unique
        Whether it is.
    valid
        PostgreSQL: False where ``CREATE INDEX CONCURRENTLY`` failed: nothing uses it.
    condition
        The condition of a partial one.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    valid: bool = True
    condition: str = ""


@dataclass(frozen=True)
class TableCheck:
    """A check constraint.

    Attributes
    ----------
    name
        Its name; empty where it has none.
    clause
        The condition, in the server's words.
    valid
        PostgreSQL: False where old rows were never checked (``NOT VALID``).
    enforced
        False where it is only written down (``NOT ENFORCED``).
    """

    name: str
    clause: str
    valid: bool = True
    enforced: bool = True


@dataclass(frozen=True)
class TableKey:
    """A foreign key.

    Attributes
    ----------
    name
        Its name; empty where it has none.
    columns
        Its columns.
    table, referred
        The table that they refer to, and its columns.
    """

    name: str
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]


Thing = TypeVar("Thing", TableColumn, TableIndex, TableCheck)


@dataclass(frozen=True)
class Table:
    """A table as the server describes it.

    Attributes
    ----------
    name
        Its name, as the migration says it.
    columns, indexes, checks, keys
        What it has.
    made
        SQLite: its own definition, in pieces.
    attached
        SQLite: the statements of its indexes and triggers.
    """

    name: str
    columns: tuple[TableColumn, ...]
    indexes: tuple[TableIndex, ...] = ()
    checks: tuple[TableCheck, ...] = ()
    keys: tuple[TableKey, ...] = ()
    made: CreateTable | None = None
    attached: tuple[str, ...] = ()

    def column(self, name: str) -> TableColumn | None:
        """Return a column, or None where there is none of that name.

        Parameters
        ----------
        name
            Its name. Case counts only where two differ in nothing else.

        Returns
        -------
        TableColumn or None
            The column.

        Examples
        --------
        >>> Table("t", (TableColumn("State", "text"),)).column("state").type
        'text'
        """
        return _named(self.columns, name)

    def index(self, name: str) -> TableIndex | None:
        """Return an index, or None; as `column`."""
        return _named(self.indexes, name)

    def check(self, name: str) -> TableCheck | None:
        """Return a check constraint, or None; as `column`."""
        return _named(self.checks, name)


@dataclass(frozen=True)
class ValueCount:
    """How many rows of a column hold what they should not.

    Attributes
    ----------
    rows
        Rows of the table.
    nulls
        Rows in which the column is NULL.
    outside
        Rows whose value is none of those that a check constraint is to allow.
    examples
        The commonest such values, and the rows of each.
    """

    rows: int
    nulls: int
    outside: int = 0
    examples: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class NullCount:
    """How many NULLs of a column are not right, by state.

    Attributes
    ----------
    states
        A state (None: NULL) and the rows.
    without_evidence
        Rows among them for which nothing tells the value.
    legal
        Rows in which NULL is right.
    """

    states: tuple[tuple[str | None, int], ...]
    without_evidence: int
    legal: int


@dataclass(frozen=True, repr=False)
class DatabaseSchema:
    """The tables that a migration is about, as a database has them at one moment.

    Attributes
    ----------
    source
        Which database, without user or password.
    dialect
        ``postgresql``, ``mysql`` (MariaDB too) or ``sqlite``.
    zone
        The zone in which a session is that sets none; empty for SQLite.
    names
        All tables that are there.
    tables
        Those that the migration and its rules name, by the names that they use, where
        they are there.
    migration
        The migration whose data was counted.
    values
        By table and column.
    nulls
        By table and column.
    """

    source: str
    dialect: str
    zone: str
    names: tuple[str, ...]
    tables: Mapping[str, Table]
    migration: Migration
    values: Mapping[tuple[str, str], ValueCount] = field(default_factory=dict)
    nulls: Mapping[tuple[str, str], NullCount] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"DatabaseSchema({len(self.tables)} of {len(self.names)} tables, "
            f"for {self.migration.name}, from {self.source})"
        )


def find_runs(rule: NullRule, tables: Mapping[str, Table]) -> Table | None:
    """Return the table of a rule's runs, where all that the rule names of it is there.

    Parameters
    ----------
    rule
        The rule.
    tables
        As in `DatabaseSchema`.

    Returns
    -------
    Table or None
        The table.
    """
    own, runs = tables.get(rule.table), tables.get(rule.runs_table)
    if own is None or runs is None or own.column(rule.key) is None:
        return None
    found = all(map(runs.column, (rule.runs_key, rule.runs_time)))
    return runs if found else None


def _named(things: tuple[Thing, ...], name: str) -> Thing | None:
    exact = [t for t in things if t.name == name]
    near = [t for t in things if t.name.casefold() == name.casefold()]
    found = exact or (near if len(near) == 1 else [])
    return found[0] if found else None
