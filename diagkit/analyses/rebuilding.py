"""How a SQLite table gets what ``ALTER TABLE`` cannot give it: it is made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from diagkit.analyses.clauses import read_allowed, same_default
from diagkit.analyses.dialects import quote_name, quote_text
from diagkit.analyses.remedies import Remedies
from diagkit.frames.create_table import (
    ColumnText,
    first_word,
    read_check,
    tokenize,
)
from diagkit.frames.migrations import AddCheck, AddColumn
from diagkit.frames.sql_types import compare_types, write_type

if TYPE_CHECKING:
    from diagkit.frames.create_table import CreateTable
    from diagkit.frames.migrations import Migration
    from diagkit.frames.schemas import Table

__all__ = ["can_add", "rebuild"]

# The steps of https://www.sqlite.org/lang_altertable.html, section 7.
SCRIPT = """\
PRAGMA foreign_keys = OFF;
PRAGMA legacy_alter_table = ON;
BEGIN IMMEDIATE;
{create};
INSERT INTO {new} ({columns})
  SELECT {values} FROM {old};
{numbers}DROP TABLE {old};
ALTER TABLE {new} RENAME TO {old};
{attached}COMMIT;
PRAGMA legacy_alter_table = OFF;
/* SQLite cannot change a table in place: it is made anew, with all that differs; then
   foreign keys may be switched on again */"""
# What AUTOINCREMENT has given out, of rows that are gone too.
NUMBERS = """\
DELETE FROM sqlite_sequence WHERE name = {new};
INSERT INTO sqlite_sequence SELECT {new}, seq FROM sqlite_sequence WHERE name = {old};
"""
CONSTANTS = {"true", "false", "null"}
PREFIX = "diagkit_new_"


def rebuild(table: Table, migration: Migration) -> str:
    """Write the script that makes a table anew as a migration wants it.

    Parameters
    ----------
    table
        The table, with its definition.
    migration
        What it is to have; columns that are missing and can be added are taken to be
        there by then.

    Returns
    -------
    str
        SQL; run a second time, it changes nothing.
    """
    made = _wanted(table, migration)
    old, new = table.name.rpartition(".")[2], PREFIX + table.name.rpartition(".")[2]
    missing = _missing(table, migration)
    later = set() if can_add(table, migration) else set(missing)
    copied = [
        c.name
        for c in made.columns
        if not _computed(c) and c.name.casefold() not in later
    ]
    counted = any(
        "AUTOINCREMENT" in " ".join(c.constraints).upper() for c in made.columns
    )
    texts = {"new": quote_text(new, "sqlite"), "old": quote_text(old, "sqlite")}
    return SCRIPT.format(
        create=made.write(quote_name(new, "sqlite")),
        new=quote_name(new, "sqlite"),
        old=quote_name(old, "sqlite"),
        columns=", ".join(quote_name(name, "sqlite") for name in copied),
        # With its table: alone, a name in quotes that is none is a text to SQLite.
        values=", ".join(
            f"{quote_name(old, 'sqlite')}.{quote_name(name, 'sqlite')}"
            for name in copied
        ),
        numbers=NUMBERS.format(**texts) if counted else "",
        attached="".join(f"{sql};\n" for sql in table.attached),
    )


def can_add(table: Table, migration: Migration) -> bool:
    """Tell whether SQLite's ``ADD COLUMN`` takes all columns that are missing.

    Parameters
    ----------
    table, migration
        As for `rebuild`.

    Returns
    -------
    bool
        False where a default is computed, or NULL is forbidden without one: then the
        table made anew has them, and has them from the start.
    """
    return all(map(_is_constant, _missing(table, migration).values()))


def _missing(table: Table, migration: Migration) -> dict[str, AddColumn]:
    return {
        step.column.casefold(): step
        for step in migration.of(AddColumn, table.name)
        if table.column(step.column) is None
    }


def _is_constant(step: AddColumn) -> bool:
    default = tokenize(step.default) if step.default else []
    if not default:
        return step.nullable
    signs = [t for t in default if t.kind not in ("text", "number")]
    return all(t.text in ("-", "+") or t.value in CONSTANTS for t in signs)


def _wanted(table: Table, migration: Migration) -> CreateTable:
    """Return the definition with what the migration wants changed in it."""
    write = Remedies("sqlite")
    made = table.made
    assert made is not None, "only a SQLite table is made anew"
    columns = {c.name.casefold(): c for c in made.columns}
    constraints = list(made.constraints)
    for step in migration.of(AddColumn, table.name):
        key = step.column.casefold()
        if key not in columns:
            pieces = tuple(write.constraints(step))
            columns[key] = ColumnText(step.column, write.type(step), pieces)
        else:
            columns[key] = _change(columns[key], step, table, write)
    for check in migration.of(AddCheck, table.name):
        constraints = [c for c in constraints if not _is_check(c, check)]
        columns = {
            key: replace(
                column,
                constraints=tuple(
                    c for c in column.constraints if not _is_check(c, check)
                ),
            )
            for key, column in columns.items()
        }
        name = quote_name(check.name, "sqlite")
        constraints.append(f"CONSTRAINT {name} {write.check(check)}")
    return replace(
        made, columns=tuple(columns.values()), constraints=tuple(constraints)
    )


def _change(
    column: ColumnText, step: AddColumn, table: Table, write: Remedies
) -> ColumnText:
    found = table.column(step.column)
    if found is None:
        return column
    if compare_types(step.type, found.type, "sqlite"):
        column = replace(column, type=write_type(step.type, "sqlite"))
    pieces = []
    if not same_default(step.default, found.default):
        column = column.without("default")
        default = write.default(step)
        pieces += [f"DEFAULT {default}"] if default else []
    if step.nullable != found.nullable:
        column = column.without("not")
        pieces += [] if step.nullable else ["NOT NULL"]
    return replace(column, constraints=(*pieces, *column.constraints))


def _is_check(piece: str, step: AddCheck) -> bool:
    """Tell the constraint's own piece, and another that lists the column's values."""
    found = read_check(piece)
    if found is None:
        return False
    named = found[0].casefold() == step.name.casefold()
    return named or read_allowed(found[1], step.column) is not None


def _computed(column: ColumnText) -> bool:
    return any(first_word(c) in ("generated", "as") for c in column.constraints)
