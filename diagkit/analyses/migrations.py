"""Check a database against a migration: what took effect, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.migration_columns import ColumnTeller
from diagkit.analyses.migration_constraints import (
    ConstraintTeller,
    find_check,
    find_index,
)
from diagkit.analyses.migration_findings import Teller
from diagkit.errors import ContractError, suggest
from diagkit.frames.findings import Finding, build_findings, severity_rank
from diagkit.frames.lints import LINT
from diagkit.frames.migrations import (
    MIGRATION_008,
    AddCheck,
    AddColumn,
    FillNulls,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from diagkit.frames.migrations import Migration, Step
    from diagkit.frames.schemas import DatabaseSchema

__all__ = ["check_migration", "list_steps"]

IN_ORDER = (
    "/* apply the remedies of this migration's findings from top to bottom: they stand "
    "in the order in which one needs the other */"
)
SEVERITY_OF_LINT = {"Error": "high", "Warning": "low"}
# How many places of a rule, and tables, are named.
SHOWN = 8
# Within one severity, what others need comes first.
ORDER = {
    code: place
    for place, code in enumerate(
        (
            "missing_table",
            "missing_column",
            "nulls_left",
            "illegal_nulls",
            "values_outside_check",
            "column_type",
            "column_null",
            "column_default",
            "check_differs",
            "missing_check",
        )
    )
}


def check_migration(
    schema: DatabaseSchema,
    migration: Migration = MIGRATION_008,
    lint: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Tell how a database differs from what a migration was to make of it.

    Parameters
    ----------
    schema
        From `read_schema`, asked for the same migration.
    migration
        What was to be done.
    lint
        LINT of the migration's SQL file, from `read_lint`, to be joined in.

    Returns
    -------
    pandas.DataFrame
        FINDINGS. Each ``remedy`` is SQL in the database's own dialect, for people to
        read and run; run from top to bottom, they leave nothing to find. Columns,
        types, defaults, indexes and the check constraint are compared; values outside
        of it, NULLs left, and NULLs that are not right are counted. A migration of
        which one part took effect says where it stopped.

    Raises
    ------
    ContractError
        If the schema was read for another migration.

    Examples
    --------
    >>> from diagkit.frames.migrations import AddColumn, Migration
    >>> from diagkit.frames.schemas import DatabaseSchema, Table, TableColumn
    >>> add = AddColumn("jobs", "state", "varchar(10)", default="'new'")
    >>> mine = Migration("jobs_state", (add,))
    >>> table = Table("jobs", (TableColumn("id", "integer"),))
    >>> names = ("jobs",)
    >>> args = ("db", "postgresql", "UTC", names, {"jobs": table}, mine)
    >>> found = check_migration(DatabaseSchema(*args), mine)
    >>> found["code"].tolist()
    ['migration_not_applied', 'missing_column']
    >>> print(found.loc[1, "remedy"])
    BEGIN;
    SET LOCAL lock_timeout = '3s';
    ALTER TABLE "jobs" ADD COLUMN IF NOT EXISTS "state" varchar(10) DEFAULT 'new';
    COMMIT;
    """
    if schema.migration != migration:
        msg = (
            f"the schema was read for migration {schema.migration.name!r}, and "
            f"{migration.name!r} is asked: read_schema(url, migration)"
        )
        raise ContractError(msg)
    missing = [t for t in migration.tables if t not in schema.tables]
    found = [_missing_table(schema, table) for table in missing]
    for step in migration.steps:
        if step.table not in missing:
            found += _check_step(schema, step)
    for rule in migration.null_rules:
        found += ColumnTeller(schema).illegal_nulls(rule)
    # A stable order: data before the constraint that they must pass.
    found.sort(key=lambda finding: ORDER.get(finding.code, len(ORDER)))
    whole = list(_how_far(schema, found))
    return build_findings([*whole, *found, *_lint(migration, lint)])


def list_steps(schema: DatabaseSchema) -> pd.DataFrame:
    """List a migration's steps, and whether each took effect.

    Parameters
    ----------
    schema
        From `read_schema`.

    Returns
    -------
    pandas.DataFrame
        ``step`` (1-based), ``table``, ``statement`` (in words), ``in_effect``.

    Examples
    --------
    >>> from diagkit.frames.migrations import AddColumn, Migration
    >>> from diagkit.frames.schemas import DatabaseSchema, Table, TableColumn
    >>> mine = Migration("jobs_state", (AddColumn("jobs", "state", "varchar(10)"),))
    >>> table = Table("jobs", (TableColumn("id", "integer"),))
    >>> schema = DatabaseSchema("db", "sqlite", "UTC", ("jobs",), {"jobs": table}, mine)
    >>> list_steps(schema)[["step", "table", "in_effect"]].values.tolist()
    [[1, 'jobs', False]]
    """
    steps = schema.migration.steps
    return pd.DataFrame(
        {
            "step": range(1, len(steps) + 1),
            "table": [step.table for step in steps],
            "statement": [step.said for step in steps],
            "in_effect": [_took_effect(schema, step) for step in steps],
        }
    )


def _took_effect(schema: DatabaseSchema, step: Step) -> bool:
    """Tell whether a step's effect is there, in whatever form."""
    table = schema.tables.get(step.table)
    if table is None:
        return False
    if isinstance(step, AddColumn):
        return table.column(step.column) is not None
    if isinstance(step, FillNulls):
        count = schema.values.get((step.table, step.column))
        there = table.column(step.column) is not None
        return there and count is not None and count.nulls == 0
    if isinstance(step, AddCheck):
        return find_check(step, table) is not None
    return find_index(step, table) is not None


def _check_step(schema: DatabaseSchema, step: Step) -> Iterator[Finding]:
    table = schema.tables[step.table]
    columns, constraints = ColumnTeller(schema), ConstraintTeller(schema)
    if isinstance(step, AddColumn):
        yield from columns.column(step, table)
    elif isinstance(step, FillNulls):
        yield from columns.nulls_left(step, table)
    elif isinstance(step, AddCheck):
        yield from constraints.outside(step, table)
        yield from constraints.check_constraint(step, table)
    else:
        yield from constraints.index(step, table)


def _missing_table(schema: DatabaseSchema, table: str) -> Finding:
    known = ", ".join(schema.names[:SHOWN]) or "no tables at all"
    return Teller(schema).finding(
        "missing_table",
        table,
        "critical",
        f"the table {table} is not there"
        f"{suggest(table.rpartition('.')[2], schema.names)}",
        f"{schema.source} has {known}",
        "/* run the migrations before this one, or name another database */",
    )


def _how_far(schema: DatabaseSchema, found: list[Finding]) -> Iterator[Finding]:
    """Tell where a migration stopped that took effect in part, or not at all."""
    migration = schema.migration
    done = [_took_effect(schema, step) for step in migration.steps]
    # NULLs come back after an update, and there may never have been one.
    lasting = [
        did
        for did, step in zip(done, migration.steps, strict=True)
        if not isinstance(step, FillNulls)
    ]
    if all(lasting):
        return
    said = [step.said for step in migration.steps]
    worst = max((f.severity for f in found), key=severity_rank)
    count = f"{sum(done)} of {len(done)} statements took effect"
    if not any(lasting):
        yield _whole(
            migration,
            "migration_not_applied",
            "critical",
            f"migration {migration.name} was not applied: none of its "
            f"{len(done)} statements took effect",
            f"the first is: {said[0]}",
        )
        return
    first = done.index(False)
    last = len(done) - 1 - done[::-1].index(True)
    gap = (
        "; what comes before it failed or was undone: the migration went on, or was "
        "run again by hand"
        if first < last
        else ""
    )
    yield _whole(
        migration,
        "migration_half_applied",
        worst,
        f"migration {migration.name} is half-applied: {count}",
        f"the last that did: {said[last]}; the first that did not: {said[first]}{gap}",
    )


def _whole(
    migration: Migration, code: str, severity: str, summary: str, evidence: str
) -> Finding:
    return Finding(code, migration.name, "data", severity, summary, evidence, IN_ORDER)


def _lint(migration: Migration, lint: pd.DataFrame | None) -> Iterable[Finding]:
    """Make a finding of each rule that the linter's warnings are of."""
    if lint is None:
        return []
    checked = LINT.check(lint)
    found = []
    for (rule, level), part in checked.groupby(["rule", "level"], observed=True):
        places = [
            f"{file}:{line}"
            for file, line in zip(part["file"], part["line"], strict=True)
        ]
        more = " …" if len(places) > SHOWN else ""
        found.append(
            Finding(
                "migration_lint",
                f"{migration.name}|{rule}",
                "code",
                SEVERITY_OF_LINT.get(str(level), "medium"),
                f"{rule}: {part['message'].iloc[0]}",
                f"{', '.join(places[:SHOWN])}{more}",
                str(part["help"].iloc[0]) or "see the linter's page on this rule",
            )
        )
    return found
