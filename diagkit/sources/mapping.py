"""Find a schema's tables and columns where they are, and say what does not fit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

from diagkit.errors import SourceNotFoundError, suggest
from diagkit.frames.progress import (
    PROJECTS,
    REQUIRED_PROJECT_COLUMNS,
    REQUIRED_TASK_COLUMNS,
    TASKS,
)
from diagkit.sources.databases import list_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from diagkit.frames.contract import Contract
    from diagkit.frames.progress import ProgressSchema

__all__ = ["MappedTable", "TableSpec", "choose_columns", "find_mapped", "table_specs"]

START = "execution_started_at"
SHOWN = 12


@dataclass(frozen=True)
class TableSpec:
    """What has to be read of one table.

    Attributes
    ----------
    noun
        ``projects`` or ``tasks``.
    table
        The table's name, as the schema says it.
    contract
        PROJECTS or TASKS.
    required
        Columns of the contract without which nothing can be told.
    columns
        The contract's column name to theirs.
    mapped
        Columns that somebody mapped: meant to be there, needed or not.
    """

    noun: str
    table: str
    contract: Contract
    required: tuple[str, ...]
    columns: Mapping[str, str]
    mapped: frozenset[str]


@dataclass(frozen=True, eq=False)
class MappedTable:
    """A table of a database, with the contract's columns that it has.

    Attributes
    ----------
    spec
        What had to be read.
    table
        The table, with all of its columns and their types.
    columns
        The contract's column name to theirs, for those that it has.
    """

    spec: TableSpec
    table: sa.Table
    columns: Mapping[str, str]

    def __getitem__(self, name: str) -> sa.Column[object]:
        return self.table.c[self.columns[name]]


def table_specs(schema: ProgressSchema) -> tuple[TableSpec, TableSpec]:
    """Return what has to be read of the projects' table, and of the tasks'.

    Parameters
    ----------
    schema
        Their names.

    Returns
    -------
    tuple of TableSpec
        The two.

    Examples
    --------
    >>> from diagkit.frames.progress import ProgressSchema
    >>> schema = ProgressSchema(task_columns={"status": "state"})
    >>> table_specs(schema)[1].columns["status"]
    'state'
    """
    projects, tasks = (
        TableSpec(
            noun,
            table,
            contract,
            required,
            {name: schema.column(noun, name) for name in contract.names},
            frozenset(mapped),
        )
        for noun, table, contract, required, mapped in (
            (
                "projects",
                schema.projects_table,
                PROJECTS,
                REQUIRED_PROJECT_COLUMNS,
                schema.project_columns,
            ),
            (
                "tasks",
                schema.tasks_table,
                TASKS,
                REQUIRED_TASK_COLUMNS,
                schema.task_columns,
            ),
        )
    )
    return projects, tasks


def choose_columns(
    tables: Iterable[tuple[TableSpec, Sequence[str], str]],
) -> list[dict[str, str]]:
    """Return the contract's columns that each table has.

    Parameters
    ----------
    tables
        For each what has to be read, the columns it has, and its name for the error.

    Returns
    -------
    list of dict
        The contract's column name to theirs.

    Raises
    ------
    SourceNotFoundError
        If a column is not there that is needed or mapped: one line names all of them,
        and the nearest that are there.

    Examples
    --------
    >>> from diagkit.frames.progress import ProgressSchema
    >>> spec, _ = table_specs(ProgressSchema())
    >>> choose_columns([(spec, ["project_id", "started_at"], "app.db, table jobs")])
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: app.db, table jobs: no column
    'execution_started_at' (the migration that adds it has not run here); ...
    """
    chosen, wrong = [], []
    for spec, present, where in tables:
        needed = [n for n in spec.columns if n in spec.required or n in spec.mapped]
        missing = [name for name in needed if spec.columns[name] not in present]
        if missing:
            wrong.append(_say_missing(spec, missing, present, where))
        columns = {o: theirs for o, theirs in spec.columns.items() if theirs in present}
        chosen.append(columns)
    if wrong:
        raise SourceNotFoundError("; ".join(wrong))
    return chosen


def find_mapped(
    connection: sa.Connection, schema: ProgressSchema, name: str
) -> tuple[MappedTable, MappedTable]:
    """Find the two tables of a schema in a database.

    Parameters
    ----------
    connection
        From `open_readonly`.
    schema
        The names of tables and columns; a table may be ``schema.table``.
    name
        The database's name, for the error.

    Returns
    -------
    tuple of MappedTable
        Projects and tasks.

    Raises
    ------
    SourceNotFoundError
        If a table or a column is not there; one line names all that are not, and the
        nearest that are.
    """
    specs = table_specs(schema)
    tables = _find_tables(connection, [spec.table for spec in specs], name)
    wanted = [
        (
            spec,
            [column.name for column in table.columns],
            f"{name}, table {spec.table}",
        )
        for spec, table in zip(specs, tables, strict=True)
    ]
    projects, tasks = (
        MappedTable(spec, table, columns)
        for spec, table, columns in zip(
            specs, tables, choose_columns(wanted), strict=True
        )
    )
    return projects, tasks


def _find_tables(
    connection: sa.Connection, names: Sequence[str], where: str
) -> list[sa.Table]:
    look, known = sa.inspect(connection), list_tables(connection)
    found, wrong = [], []
    for name in names:
        place = _place(connection, name, known)
        if isinstance(place, list):
            wrong.append((name, place))
        else:
            found.append(_describe(look, *place))
    if wrong:
        raise SourceNotFoundError(_say_tables(connection, wrong, known, where))
    return found


def _place(
    connection: sa.Connection, name: str, known: list[str]
) -> tuple[str, str | None] | list[str]:
    """Return a table and its schema; where there is none, the names that are there."""
    if name in known:
        return name, None
    there = known
    for schema in sa.inspect(connection).get_schema_names():
        # Either name may hold a dot itself.
        if name.startswith(f"{schema}."):
            tables = list_tables(connection, schema)
            bare = name.removeprefix(f"{schema}.")
            if bare in tables:
                return bare, schema
            there = [f"{schema}.{table}" for table in tables]
    return there


def _describe(look: sa.Inspector, table: str, schema: str | None) -> sa.Table:
    with warnings.catch_warnings():
        # A type of an extension, in a column that nobody asks for.
        warnings.simplefilter("ignore", SAWarning)
        reflected = look.get_columns(table, schema)
    # SQLAlchemy leaves MySQL's names as SHOW CREATE TABLE quotes them.
    quoted = "``" if look.dialect.name in {"mysql", "mariadb"} else "`"
    columns = [
        sa.Column(
            str(c["name"]).replace(quoted, "`"), c["type"], nullable=bool(c["nullable"])
        )
        for c in reflected
    ]
    return sa.Table(table, sa.MetaData(), *columns, schema=schema)


def _say_tables(
    connection: sa.Connection,
    wrong: Sequence[tuple[str, Sequence[str]]],
    known: Sequence[str],
    where: str,
) -> str:
    parts = []
    for name, there in wrong:
        near = suggest(name, there) or _elsewhere(connection, name)
        parts.append(f"no table {name!r}{near}")
    some = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
    return f"{where}: {'; '.join(parts)}; it has {some or 'no tables at all'}"


def _elsewhere(connection: sa.Connection, name: str) -> str:
    """Say in which other schema of the database a table of this name is."""
    look = sa.inspect(connection)
    bare = {name, name.rpartition(".")[2]}
    for schema in look.get_schema_names():
        if schema == look.default_schema_name:
            continue
        for table in look.get_table_names(schema):
            if table in bare:
                return f"; did you mean {f'{schema}.{table}'!r}?"
    return ""


def _say_missing(
    spec: TableSpec, missing: Sequence[str], present: Sequence[str], where: str
) -> str:
    parts, lost = [], False
    for name in missing:
        why = ""
        if name == START and name not in spec.mapped:
            why = " (the migration that adds it has not run here)"
        near = suggest(spec.columns[name], present)
        lost = lost or not near
        parts.append(f"no column {spec.columns[name]!r}{why}{near}")
    if lost:
        more = " …" if len(present) > SHOWN else ""
        parts.append(f"it has {', '.join(present[:SHOWN])}{more}")
    other = "another name" if len(missing) == 1 else "other names"
    option = f"{spec.noun.removesuffix('s')}_columns"
    pairs = ", ".join(f"{name!r}: …" for name in missing)
    return (
        f"{where}: {'; '.join(parts)}; map {other} with "
        f"ProgressSchema({option}={{{pairs}}})"
    )
