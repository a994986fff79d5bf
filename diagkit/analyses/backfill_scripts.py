"""Write the SQL of a backfill: the script, its undo, and the check to run after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diagkit.analyses.backfill_templates import ILLEGAL, TEMPLATES, Template
from diagkit.analyses.dialects import (
    quote_name,
    quote_table,
    quote_text,
    write_comment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from diagkit.frames.progress import ProgressSchema

__all__ = ["Row", "ScriptWriter"]

PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Row:
    """One value of a script.

    Attributes
    ----------
    project_id
        The project.
    at
        The start, UTC: ``2025-11-24 10:00:00.123456``, without a fraction of zero. Of
        a project that is left NULL: empty.
    note
        What it rests on.
    """

    project_id: str
    at: str
    note: str

    @property
    def comment(self) -> str:
        """What stands above the value: the evidence, and an id that is spelled out."""
        # A quoted id is read in the row itself.
        spelled = write_comment(self.project_id, 100)
        plain = spelled == self.project_id and self.at and "\\" not in spelled
        return write_comment(self.note if plain else f"{spelled}: {self.note}")

    @property
    def digits(self) -> int:
        """How many digits of a second the value needs."""
        return len(self.at.partition(".")[2].rstrip("0"))


@dataclass(frozen=True)
class ScriptWriter:
    """Writes the scripts of one backfill.

    Attributes
    ----------
    dialect
        One of `diagkit.analyses.dialects.DIALECTS`.
    schema
        The names of tables, columns and statuses.
    rule
        Which NULL starts are legal; see `diagkit.analyses.nulls.null_rule`.
    has_status
        Whether the projects' table has a status.
    source
        What was read, for the head.
    batch
        How many rows a transaction sets at most.
    """

    dialect: str
    schema: ProgressSchema
    rule: Mapping[str | None, str]
    has_status: bool
    source: str
    batch: int

    def backfill(self, rows: Sequence[Row], left: Sequence[Row]) -> str:
        """Return the script that sets the rows and names those that stay NULL."""
        lines = [
            f"Backfill of {self._what}, planned by diagkit, which has run nothing.",
            f"{len(rows)} of {len(rows) + len(left)} illegal NULL starts get a value; "
            f"left NULL: {len(left)}; legal ones are left alone.",
            "A row is set only while it is NULL: to run this again changes nothing.",
            *self._care(),
        ]
        if left:
            lines += ["", "Left NULL, because the data cannot decide; somebody has to:"]
            lines += [f"  {row.comment}" for row in left]
        return self._script("fill", lines, rows)

    def undo(self, rows: Sequence[Row]) -> str:
        """Return the script that makes the rows NULL again."""
        lines = [
            f"Undo of the backfill of {self._what}, planned by diagkit.",
            "A start becomes NULL again only while it has the value that was set.",
            *self._care(),
        ]
        return self._script("undo", lines, rows)

    def check(self) -> str:
        """Return the statements that end in an error while illegal NULLs remain."""
        lines = [
            f"Check of {self._what}: an error while a NULL remains that is illegal.",
            f"Legal NULLs: {self._legal()}.",
        ]
        return _head(lines) + _fill(self._template.check, self._values())

    @property
    def _what(self) -> str:
        return f"{self.schema.projects_table}.{self._their('execution_started_at')}"

    def _their(self, name: str) -> str:
        return self.schema.column("projects", name)

    def _care(self) -> list[str]:
        return [
            f"No other column changes, updated_at neither: {self._template.promise}.",
            f"Transactions of at most {self.batch} rows, which do not wait long for a "
            "lock; after an error run all of it again.",
            *([f"Planned from {self.source}."] if self.source else []),
        ]

    def _legal(self) -> str:
        words = {"always": "always", "without_tasks": "while it has no task"}
        return (
            "; ".join(
                f"{'no status' if status is None else status} ({words[word]})"
                for status, word in self.rule.items()
            )
            or "none"
        )

    def _script(self, kind: str, lines: list[str], rows: Sequence[Row]) -> str:
        template = self._template
        values = self._values()
        values |= {
            name: quote_text(part, self.dialect) if name.endswith("_text") else part
            for name, part in (
                (name, _fill(part, values))
                for name, part in template.parts[kind].items()
            )
        }
        batches = [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        parts = [_head(lines)]
        parts += [_fill(template.head, values)] if rows else []
        for number, batch in enumerate(batches, 1):
            filled = values | {
                "rows": self._rows(batch, values),
                "digits": str(max(row.digits for row in batch)),
            }
            text = _fill(template.batch, filled)
            parts.append(f"-- Batch {number} of {len(batches)}\n{text}")
        parts += [_fill(template.foot, values)] if rows else []
        return "\n".join(part for part in parts if part)

    def _rows(self, batch: Sequence[Row], values: dict[str, str]) -> str:
        template = self._template
        lines = []
        for i, row in enumerate(batch):
            place = {"id": quote_text(row.project_id, self.dialect), "at": row.at}
            text = _fill(template.row if i else template.first, values | place)
            lines.append(f"-- {row.comment}\n{text}")
        return "\n".join(lines)

    def _values(self) -> dict[str, str]:
        """Return what may stand in a template, by the name of its place."""
        schema, _, bare = self.schema.projects_table.rpartition(".")
        table = quote_table(self.schema.projects_table, self.dialect)
        key, start = self._their("project_id"), self._their("execution_started_at")
        values = {
            "table": table,
            "key": quote_name(key, self.dialect),
            "start": quote_name(start, self.dialect),
            "start_text": quote_text(start, self.dialect),
            "regclass": quote_text(table, self.dialect),
            "schema": quote_text(schema, self.dialect) if schema else "DATABASE()",
            "bare": quote_text(bare, self.dialect),
        }
        owner = quote_name(self.schema.column("tasks", "project_id"), self.dialect)
        always = self._one_of("always")
        values["illegal"] = _fill(
            ILLEGAL,
            values
            | {
                "unless": f"\n  AND NOT {always}" if always != "FALSE" else "",
                "idle": self._one_of("without_tasks"),
                "project": self._exact(f"p.{values['key']}"),
                "owner": self._exact(f"t.{owner}"),
                "tasks": quote_table(self.schema.tasks_table, self.dialect),
            },
        )
        # A dollar-quoted body ends at its tag, wherever that stands.
        tag = "$diagkit$"
        while any(tag in value for value in values.values()):
            tag = tag[:-1] + "_$"
        return values | {"tag": tag}

    @property
    def _template(self) -> Template:
        return TEMPLATES[self.dialect]

    def _exact(self, column: str) -> str:
        return self._template.exact.replace("{column}", column)

    def _one_of(self, word: str) -> str:
        """Return the condition that the rule has this word for a project's status."""
        null = "TRUE" if self.rule.get(None) == word else "FALSE"
        if not self.has_status:
            return null
        names = {ours for ours, theirs in self.rule.items() if theirs == word and ours}
        theirs = {raw for raw, ours in self.schema.statuses.items() if ours in names}
        theirs |= names - set(self.schema.statuses)
        status = quote_name(self._their("execution_status"), self.dialect)
        if not theirs:
            return f"(p.{status} IS NULL)" if null == "TRUE" else "FALSE"
        listed = ", ".join(quote_text(name, self.dialect) for name in sorted(theirs))
        return f"COALESCE({self._exact(f'p.{status}')} IN ({listed}), {null})"


def _fill(template: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: values[place[1]], template)


def _head(lines: Iterable[str]) -> str:
    return "".join(f"-- {write_comment(line, 4000)}".rstrip() + "\n" for line in lines)
