"""The check constraints and indexes of a migration against those that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.analyses.clauses import read_allowed
from diagkit.analyses.migration_findings import Teller
from diagkit.frames.migrations import AddColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diagkit.frames.findings import Finding
    from diagkit.frames.migrations import AddCheck, AddIndex
    from diagkit.frames.schemas import Table, TableCheck, TableIndex

__all__ = ["ConstraintTeller", "find_check", "find_index"]

# How many values are named.
SHOWN = 5


@dataclass(frozen=True)
class ConstraintTeller(Teller):
    """Tells what is wrong with check constraints and indexes."""

    def outside(self, step: AddCheck, table: Table) -> Iterator[Finding]:
        """Tell the values that a check constraint does not allow."""
        count = self.schema.values.get((step.table, step.column))
        if count is None or count.outside == 0:
            return
        some = ", ".join(f"{v[:40]!r} ({n})" for v, n in count.examples[:SHOWN])
        more = " …" if len(count.examples) > SHOWN else ""
        added = self.schema.migration.of(AddColumn, step.table)
        defaults = [column.default for column in added if column.column == step.column]
        default = defaults[0] if defaults else None
        yield self.finding(
            "values_outside_check",
            f"{step.table}.{step.column}",
            "high",
            f"{count.outside} of {count.rows} rows have a {step.column} that "
            f"{step.name} does not allow",
            f"{some}{more}; allowed: {', '.join(step.values)}",
            self.write.replace_values(
                step, table, [value for value, _ in count.examples], default
            ),
        )

    def check_constraint(self, step: AddCheck, table: Table) -> Iterator[Finding]:
        """Tell how a check constraint differs from the migration's."""
        found = find_check(step, table)
        if found is not None:
            yield from self._check_differs(step, table, found)
            return
        if table.column(step.column) is None:
            why = f"its column {step.column} is not there either"
        else:
            why = f"{step.column} takes any value"
        yield self.finding(
            "missing_check",
            f"{step.table}.{step.name}",
            "high",
            f"the check constraint {step.name} is not there: {why}",
            f"expected {step.column} in {', '.join(step.values)}",
            self._add_check(step, table),
        )

    def index(self, step: AddIndex, table: Table) -> Iterator[Finding]:
        """Tell how an index differs from the migration's."""
        subject = f"{step.table}.{step.name}"
        named = table.index(step.name)
        listed = ", ".join(step.columns)
        if named is None:
            other = find_index(step, table)
            code, severity = "missing_index", "medium"
            said = f"the index {step.name} is not there"
            gone = [c for c in step.columns if table.column(c) is None]
            lacks = f"; {', '.join(gone)} is not there either" if gone else ""
            why = f"expected on ({listed}){lacks}"
            mend = self.write.add_index(step)
            if other is not None:
                code, severity = "index_renamed", "low"
                said = f"the index {step.name} is there as {other.name}"
                mend = self.write.rename_index(step, other)
        elif not named.valid:
            code, severity = "index_invalid", "medium"
            said = (
                f"the index {step.name} is invalid: no query uses it, every write does"
            )
            why = "its CREATE INDEX CONCURRENTLY failed"
            mend = self.write.add_index(step, named)
        elif not _same_index(step, named):
            code, severity = "index_differs", "medium"
            said = f"the index {step.name} is another than the migration's"
            kind = "unique " if named.unique else ""
            where = f" WHERE {named.condition}" if named.condition else ""
            why = f"{kind}on ({', '.join(named.columns)}){where}; expected ({listed})"
            mend = self.write.add_index(step, named)
        else:
            return
        yield self.finding(code, subject, severity, said, why, mend)

    def _check_differs(
        self, step: AddCheck, table: Table, found: TableCheck
    ) -> Iterator[Finding]:
        subject = f"{step.table}.{step.name}"
        allowed = read_allowed(found.clause, step.column)
        own = found.name.casefold() == step.name.casefold()
        if allowed != frozenset(step.values):
            yield self.finding(
                "check_differs",
                subject,
                "high",
                f"the check constraint {found.name or 'without a name'} is not what "
                f"the migration makes it{_difference(step, allowed)}",
                f"it says {found.clause[:300]}",
                self._add_check(step, table, found.name),
            )
        elif not found.enforced or not found.valid:
            what = "holds for no row" if not found.enforced else "holds for new rows"
            new = self._add_check(step, table, found.name)
            validate = found.enforced or self.schema.dialect == "mysql"
            yield self.finding(
                "check_not_valid",
                subject,
                "high",
                f"the check constraint {found.name} {what} alone: the others were "
                "never looked at",
                "NOT VALID" if found.enforced else "NOT ENFORCED",
                self.write.validate_check(step) if own and validate else new,
            )
        elif not own:
            yield self.finding(
                "check_renamed",
                subject,
                "low",
                f"the check constraint {step.name} is there as "
                f"{found.name or 'one without a name'}: a DROP by its name misses it",
                f"it says {found.clause[:300]}",
                self.write.rename_check(step, found.name)
                if self.schema.dialect != "sqlite"
                else self.rebuild(table),
            )

    def _add_check(self, step: AddCheck, table: Table, drop: str = "") -> str:
        if self.schema.dialect == "sqlite":
            return self.rebuild(table)
        return self.write.add_check(step, drop=drop)


def find_check(step: AddCheck, table: Table) -> TableCheck | None:
    """Return the constraint of a step's name, else another that lists its column's.

    Parameters
    ----------
    step
        What is looked for.
    table
        Where.

    Returns
    -------
    TableCheck or None
        None where the column takes any value.
    """
    others = (
        c for c in table.checks if read_allowed(c.clause, step.column) is not None
    )
    return table.check(step.name) or next(others, None)


def find_index(step: AddIndex, table: Table) -> TableIndex | None:
    """Return the index of a step's name, else another that is the same.

    Parameters
    ----------
    step
        What is looked for.
    table
        Where.

    Returns
    -------
    TableIndex or None
        None where there is none.
    """
    others = (i for i in table.indexes if i.valid and _same_index(step, i))
    return table.index(step.name) or next(others, None)


def _same_index(step: AddIndex, index: TableIndex) -> bool:
    columns = tuple(c.casefold() for c in index.columns)
    return (
        columns == tuple(c.casefold() for c in step.columns)
        and index.unique >= step.unique
        and not index.condition
    )


def _difference(step: AddCheck, allowed: frozenset[str] | None) -> str:
    if allowed is None:
        return ""
    lacking = ", ".join(v for v in step.values if v not in allowed)
    beyond = ", ".join(sorted(allowed - set(step.values)))
    said = [f"it lacks {lacking}"] if lacking else []
    said += [f"it allows {beyond} as well"] if beyond else []
    return f": {' and '.join(said)}"
