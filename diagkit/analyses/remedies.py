"""The SQL that mends what a migration left undone, for each database.

A remedy is a script for people to read and run: statements that end in a semicolon and
a line's end, with a comment where there is something to know. PostgreSQL's do not keep
others waiting: a lock is asked for briefly, an index is built beside the writers, a
constraint is first added and then proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from diagkit.analyses.dialects import quote_name, quote_table, quote_text
from diagkit.frames.sql_types import parse_type, write_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diagkit.frames.migrations import (
        AddCheck,
        AddColumn,
        AddIndex,
        FillNulls,
    )
    from diagkit.frames.schemas import Table, TableColumn, TableIndex

__all__ = ["Remedies"]

# A lock that is not to be had at once is let go: those behind it in the queue would
# wait as well.
BRIEF = {
    "postgresql": "BEGIN;\nSET LOCAL lock_timeout = '3s';\n{}\nCOMMIT;",
    "mysql": "SET SESSION lock_wait_timeout = 3;\n{}",
    "sqlite": "{}",
}
ADD_INDEX = {
    "postgresql": "CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {name} "
    "ON {table} ({columns});\n/* not inside a transaction; writers go on meanwhile */",
    "mysql": "ALTER TABLE {table} ADD {unique}INDEX {name} ({columns}), "
    "ALGORITHM=INPLACE, LOCK=NONE;",
    "sqlite": "CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} ({columns});",
}
DROP_INDEX = {
    "postgresql": "DROP INDEX CONCURRENTLY IF EXISTS {full};",
    "mysql": "ALTER TABLE {table} DROP INDEX {name};",
    "sqlite": "DROP INDEX IF EXISTS {name};",
}
NOW = {
    "postgresql": "now()",
    "mysql": "CURRENT_TIMESTAMP(6)",
    "sqlite": "CURRENT_TIMESTAMP",
}
UPDATE = "UPDATE {table} SET {name} = {value}{kept} WHERE {name}{where};"
REWRITES = "/* every row may be written anew, and the table is locked meanwhile */"
COPIES = "/* the table may be copied, and writers wait meanwhile */"


@dataclass(frozen=True)
class Remedies:
    """Writes remedies for one database.

    Attributes
    ----------
    dialect
        ``postgresql``, ``mysql`` or ``sqlite``.
    zone
        The zone of the times in columns without one.
    """

    dialect: str
    zone: str = "UTC"

    def add_column(self, step: AddColumn) -> str:
        """Write the statement that adds a column."""
        once = "IF NOT EXISTS " if self.dialect == "postgresql" else ""
        return self._brief(
            f"ALTER TABLE {self.table(step.table)} ADD COLUMN {once}"
            f"{self.name(step.column)} {self.define(step)};"
        )

    def define(self, step: AddColumn) -> str:
        """Write a column's type, default and whether it may be NULL."""
        return " ".join((self.type(step), *self.constraints(step)))

    def type(self, step: AddColumn) -> str:
        """Write the type of a column that is added: as the application takes it."""
        return write_type(step.model or step.type, self.dialect)

    def constraints(self, step: AddColumn) -> list[str]:
        """Write what follows a column's type, a piece each."""
        null = [] if step.nullable else ["NOT NULL"]
        if self.dialect == "mysql" and step.nullable:
            # Without it a TIMESTAMP may be NOT NULL by itself.
            null = ["NULL"]
        default = self.default(step)
        return [*null, *([f"DEFAULT {default}"] if default else [])]

    def default(self, step: AddColumn) -> str | None:
        """Write a step's default."""
        if step.default is None:
            return None
        said = step.default.strip().lower()
        now = said in ("now()", "current_timestamp", "current_timestamp()")
        return NOW[self.dialect] if now else step.default

    def change_column(
        self, step: AddColumn, found: TableColumn, *, what: Iterable[str]
    ) -> str:
        """Write the change of a column's ``type``, ``default`` or ``null``.

        Parameters
        ----------
        step
            What it is to be.
        found
            What it is.
        what
            Which of the three differ.
        """
        table, name = self.table(step.table), self.name(found.name)
        default = self.default(step)
        if self.dialect == "mysql":
            return self._modify(step, found, write_type(step.type, "mysql"), what)
        changes = []
        if "type" in what:
            kind = write_type(step.type, self.dialect)
            other = parse_type(step.type).family != parse_type(found.type).family
            using = f" USING {name}::{kind}" if other else ""
            # A default of the old type cannot always be cast.
            changes += [f"ALTER COLUMN {name} DROP DEFAULT"] if found.default else []
            changes.append(f"ALTER COLUMN {name} TYPE {kind}{using}")
        if "type" in what or "default" in what:
            set_ = f"SET DEFAULT {default}" if default else "DROP DEFAULT"
            changes.append(f"ALTER COLUMN {name} {set_}")
        if "null" in what:
            verb = "DROP" if step.nullable else "SET"
            changes.append(f"ALTER COLUMN {name} {verb} NOT NULL")
        note = f"\n{REWRITES}" if "type" in what else ""
        listed = ",\n  ".join(changes)
        return self._brief(f"ALTER TABLE {table}\n  {listed};") + note

    def change_zone(self, step: AddColumn, found: TableColumn, to: str) -> str:
        """Write the change of a timestamp to one with, or without, a time zone."""
        table, name = self.table(step.table), self.name(found.name)
        if self.dialect == "mysql":
            zone = "+00:00" if self.zone == "UTC" else self.zone
            kind = write_type(to, "mysql")
            return (
                f"SET SESSION time_zone = {quote_text(zone, 'mysql')};\n"
                f"{self._modify(step, found, kind, ['type'])}\n"
                f"/* what stands there is taken for {self.zone} */"
            )
        kind = write_type(to, "postgresql")
        zone = quote_text(self.zone, "postgresql")
        written = "not written anew" if self.zone == "UTC" else "written anew"
        return (
            self._brief(
                f"SET LOCAL TimeZone = {zone};\n"
                f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind};"
            )
            + f"\n/* what stands there is taken for {self.zone}; the table is locked "
            f"meanwhile and {written} (PostgreSQL 12 on) */"
        )

    def fill_nulls(self, step: FillNulls, table: Table) -> str:
        """Write the update that leaves no NULL."""
        return self.update(table, step.column, step.value, " IS NULL")

    def replace_values(
        self, step: AddCheck, table: Table, values: Iterable[str], default: str | None
    ) -> str:
        """Write updates of values that are not allowed to the nearest that are."""
        lines, odd = [], False
        for value in values:
            near = get_close_matches(
                value.strip().casefold(), step.values, n=1, cutoff=0.6
            )
            odd = odd or not near
            new = self.text(near[0]) if near else default or self.text(step.values[0])
            where = f" = {self.text(value)}"
            lines.append(self.update(table, step.column, new, where))
        rest = default or self.text(step.values[0])
        listed = ", ".join(map(self.text, step.values))
        lines.append(self.update(table, step.column, rest, f" NOT IN ({listed})"))
        note = (
            "choose: to some of them no allowed value is near, and they get the default"
            if odd
            else "each gets the nearest value that is allowed: look whether it is right"
        )
        return "\n".join((*lines, f"/* {note} */"))

    def add_check(self, step: AddCheck, *, drop: str = "") -> str:
        """Write the statements that add a check constraint, and drop another."""
        table, name = self.table(step.table), self.name(step.name)
        check = f"CONSTRAINT {name} {self.check(step)}"
        if self.dialect == "mysql":
            gone = f"DROP CONSTRAINT {self.name(drop)}, " if drop else ""
            line = f"ALTER TABLE {table} {gone}ADD {check};"
            return f"{self._brief(line)}\n{COPIES}"
        gone = f"DROP CONSTRAINT IF EXISTS {self.name(drop or step.name)}"
        added = self._brief(
            f"ALTER TABLE {table} {gone};\nALTER TABLE {table} ADD {check} NOT VALID;"
        )
        return f"{added}\n{self.validate_check(step)}"

    def check(self, step: AddCheck) -> str:
        """Write a check constraint without its name."""
        write = self.text if self.dialect == "postgresql" else self._plain_text
        listed = ", ".join(map(write, step.values))
        return f"CHECK ({self.name(step.column)} IN ({listed}))"

    def validate_check(self, step: AddCheck) -> str:
        """Write the proof of a constraint that holds for new rows alone."""
        table, name = self.table(step.table), self.name(step.name)
        if self.dialect == "mysql":
            return f"ALTER TABLE {table} ALTER CHECK {name} ENFORCED;"
        return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};"

    def rename_check(self, step: AddCheck, old: str) -> str:
        """Write the new name of a constraint."""
        if self.dialect == "mysql":
            return self.add_check(step, drop=old)
        return self._brief(
            f"ALTER TABLE {self.table(step.table)} RENAME CONSTRAINT "
            f"{self.name(old)} TO {self.name(step.name)};"
        )

    def add_index(self, step: AddIndex, drop: TableIndex | None = None) -> str:
        """Write the statements that create an index, and drop another."""
        schema = step.table.rpartition(".")[0]
        places = {
            "table": self.table(step.table),
            "name": self.name(step.name),
            "columns": ", ".join(map(self.name, step.columns)),
            "unique": "UNIQUE " if step.unique else "",
        }
        lines = [ADD_INDEX[self.dialect].format(**places)]
        if drop is not None:
            full = f"{schema}.{drop.name}" if schema else drop.name
            places |= {"full": self.table(full), "name": self.name(drop.name)}
            lines.insert(0, DROP_INDEX[self.dialect].format(**places))
        return "\n".join(lines)

    def rename_index(self, step: AddIndex, old: TableIndex) -> str:
        """Write the new name of an index."""
        name, table = self.name(step.name), self.table(step.table)
        if self.dialect == "sqlite":
            return self.add_index(step, old)
        if self.dialect == "mysql":
            return f"ALTER TABLE {table} RENAME INDEX {self.name(old.name)} TO {name};"
        schema = step.table.rpartition(".")[0]
        full = self.table(f"{schema}.{old.name}" if schema else old.name)
        return self._brief(f"ALTER INDEX {full} RENAME TO {name};")

    def _modify(
        self, step: AddColumn, found: TableColumn, kind: str, what: Iterable[str]
    ) -> str:
        """Write MySQL's way to change a column: all of it is said again."""
        default = self.default(step) if "default" in what else found.default
        nullable = step.nullable if "null" in what else found.nullable
        if "type" not in what:
            kind = found.type
        text = parse_type(kind, "mysql").family == "text"
        parts = [
            f"ALTER TABLE {self.table(step.table)} MODIFY COLUMN",
            self.name(found.name),
            kind,
            found.collation if text else "",
            "NULL" if nullable else "NOT NULL",
            f"DEFAULT {default}" if default else ("DEFAULT NULL" if nullable else ""),
            found.attributes,
        ]
        return f"{self._brief(' '.join(filter(None, parts)) + ';')}\n{COPIES}"

    def update(self, table: Table, column: str, value: str, where: str) -> str:
        """Write an update of one column that leaves every other as it is.

        Parameters
        ----------
        table
            The table.
        column
            Its column.
        value
            SQL.
        where
            What follows the column's name in the condition.

        Returns
        -------
        str
            The statement.
        """
        found = table.column(column)
        name = self.name(found.name if found else column)
        # What sets itself at an update keeps what it has.
        others = [c.name for c in table.columns if c.sets_itself and c.name != column]
        kept = "".join(f", {self.name(c)} = {self.name(c)}" for c in others)
        return UPDATE.format(
            table=self.table(table.name),
            name=name,
            value=value,
            kept=kept,
            where=where,
        )

    def _brief(self, statements: str) -> str:
        return BRIEF[self.dialect].format(statements)

    def name(self, name: str) -> str:
        """Quote a name."""
        return quote_name(name, self.dialect)

    def table(self, table: str) -> str:
        """Quote ``table`` or ``schema.table``."""
        return quote_table(table, self.dialect)

    def text(self, text: str) -> str:
        """Write a text as SQL."""
        return quote_text(text, self.dialect)

    def _plain_text(self, text: str) -> str:
        """Write a text that stays in the catalogue: as it is to be read there.

        MariaDB writes a text in hexadecimal there without its quotes doubled, and then
        cannot read the table's definition again.
        """
        special = "\\" if self.dialect == "mysql" else ""
        doubled = text.replace("'", "''")
        return (
            "'" + (doubled.replace(special, special * 2) if special else doubled) + "'"
        )
