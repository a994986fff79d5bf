"""The columns of a migration against those that are there, and the NULLs in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from diagkit.analyses.clauses import same_default
from diagkit.analyses.migration_findings import Teller
from diagkit.analyses.null_remedies import write_backfill
from diagkit.analyses.rebuilding import can_add
from diagkit.errors import suggest
from diagkit.frames.migrations import AddColumn
from diagkit.frames.schemas import TableColumn, find_runs
from diagkit.frames.sql_types import compare_types, parse_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.frames.findings import Finding
    from diagkit.frames.migrations import FillNulls, NullRule
    from diagkit.frames.schemas import Table

__all__ = ["ColumnTeller"]

DRIFT = {
    "postgresql": "a time without a zone is what the clock of the session that wrote "
    "it showed, and is compared with one that has a zone as if it were in the zone of "
    "the session that compares: the hours between two zones are added to it",
    "mysql": "a DATETIME is what the clock of the session that wrote it showed, and "
    "stays that; a TIMESTAMP is an instant, shown in the zone of the one that reads",
}
WORDS = {True: "with time zone", False: "without time zone"}


@dataclass(frozen=True)
class ColumnTeller(Teller):
    """Tells what is wrong with columns."""

    def column(self, step: AddColumn, table: Table) -> Iterator[Finding]:
        """Tell how a column differs from the one that the migration adds."""
        found = table.column(step.column)
        subject = f"{step.table}.{step.column}"
        if found is None:
            near = suggest(step.column, [c.name for c in table.columns])
            model = f"; the application's model: {step.model}" if step.model else ""
            yield self.finding(
                "missing_column",
                subject,
                "critical",
                f"{subject} is not there{near}",
                f"expected {step.type}{_default_said(step.default)}{model}",
                self._add(step, table),
            )
            return
        yield from self._type(step, table, found)
        if not same_default(step.default, found.default):
            yield self.finding(
                "column_default",
                subject,
                "medium",
                f"{subject} has {_default_said(found.default, 'no default')}; the "
                f"migration gives it {_default_said(step.default, 'none')}",
                f"{subject}: {found.type}{_default_said(found.default)}",
                self._change(step, table, found, "default"),
            )
        if step.nullable != found.nullable:
            verb = "forbids NULL, and the migration allows it"
            if found.nullable:
                verb = "allows NULL, and the migration forbids it"
            yield self.finding(
                "column_null",
                subject,
                "high",
                f"{subject} {verb}",
                f"{subject}: {found.type}{'' if found.nullable else ' NOT NULL'}",
                self._change(step, table, found, "null"),
            )

    def nulls_left(self, step: FillNulls, table: Table) -> Iterator[Finding]:
        """Tell the NULLs that the migration should have filled."""
        count = self.schema.values.get((step.table, step.column))
        if count is None or count.nulls == 0:
            return
        subject = f"{step.table}.{step.column}"
        verb = "have" if table.column(step.column) else "will have"
        yield self.finding(
            "nulls_left",
            subject,
            "high",
            f"{count.nulls} of {count.rows} rows {verb} no {step.column}, where the "
            f"migration leaves none (it sets {step.value})",
            f"{subject}: {count.nulls} NULLs",
            self.write.fill_nulls(step, table),
        )

    def illegal_nulls(self, rule: NullRule) -> Iterator[Finding]:
        """Tell the NULLs of a column that are not right, by state."""
        count = self.schema.nulls.get((rule.table, rule.column))
        if count is None or not count.states:
            return
        table = self.schema.tables[rule.table]
        total = sum(n for _, n in count.states)
        verb = "have" if table.column(rule.column) else "will have"
        states = ", ".join(f"{n} {'NULL' if s is None else s}" for s, n in count.states)
        blind = (
            f"; for {count.without_evidence} of them nothing in the database tells it"
            if count.without_evidence
            else ""
        )
        yield self.finding(
            "illegal_nulls",
            f"{rule.table}.{rule.column}",
            "high",
            f"{total} rows that are past {' or '.join(rule.legal)}, or have runs, "
            f"{verb} no {rule.column}: the migration fills none in",
            f"by {rule.state}: {states}; NULL is right in {count.legal} more{blind}",
            write_backfill(
                self.write,
                rule,
                self._as_added(table),
                find_runs(rule, self.schema.tables),
            ),
        )

    def _as_added(self, table: Table) -> Table:
        """Return a table with the columns that the migration has yet to add."""
        added = [
            TableColumn(step.column, self.write.type(step))
            for step in self.schema.migration.of(AddColumn, table.name)
            if table.column(step.column) is None
        ]
        return replace(table, columns=(*table.columns, *added))

    def _type(
        self, step: AddColumn, table: Table, found: TableColumn
    ) -> Iterator[Finding]:
        dialect = self.schema.dialect
        subject = f"{step.table}.{step.column}"
        differs = compare_types(step.type, found.type, dialect)
        wanted = step.model or step.type
        as_model = compare_types(wanted, found.type, dialect)
        if "zone" in (differs, as_model):
            if as_model:
                yield self._drift(step, found, wanted)
        elif differs and as_model:
            yield self.finding(
                "column_type",
                subject,
                "low" if differs == "wider" else "high",
                f"{subject} is {found.type}, "
                + ("" if differs == "other" else f"{differs} than ")
                + f"{'not ' if differs == 'other' else ''}the {step.type} that the "
                "migration makes it",
                f"{subject}: {found.type}; expected {step.type}",
                self._change(step, table, found, "type"),
            )

    def _drift(self, step: AddColumn, found: TableColumn, wanted: str) -> Finding:
        subject = f"{step.table}.{step.column}"
        zoned = parse_type(found.type, self.schema.dialect).zoned is True
        who = "the application's model" if step.model else "the migration"
        count = self.schema.values.get((step.table, step.column))
        filled = count.rows - count.nulls if count else 0
        return self.finding(
            "time_zone_drift",
            subject,
            "medium",
            f"{subject} is {found.type}; {who} takes it for a timestamp "
            f"{WORDS[not zoned]}: what a time in it means changes with the session's "
            "zone",
            f"{filled} values; a session that sets no zone is in {self.schema.zone} "
            f"here; {DRIFT[self.schema.dialect]}",
            self.write.change_zone(step, found, wanted),
        )

    def _add(self, step: AddColumn, table: Table) -> str:
        if self.schema.dialect == "sqlite" and not can_add(
            table, self.schema.migration
        ):
            return self.rebuild(table)
        return self.write.add_column(step)

    def _change(
        self, step: AddColumn, table: Table, found: TableColumn, what: str
    ) -> str:
        if self.schema.dialect == "sqlite":
            return self.rebuild(table)
        return self.write.change_column(step, found, what=[what])


def _default_said(default: str | None, none: str = "") -> str:
    if default is None:
        return none
    return f" default {default}" if not none else f"the default {default}"
