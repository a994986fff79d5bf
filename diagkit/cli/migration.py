"""``diagkit migration``: whether a migration took effect, and what mends the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diagkit.analyses.migrations import check_migration, list_steps
from diagkit.cli.output import FailOnOption, JsonOption, Section, exit_code, show
from diagkit.frames.migrations import MIGRATION_008
from diagkit.sources.lints import find_squawk, read_lint
from diagkit.sources.migrations import read_migration
from diagkit.sources.schemas import read_schema

if TYPE_CHECKING:
    import pandas as pd

# What is said of the whole migration, and mended by the remedies of the others.
WHOLE = ("migration_not_applied", "migration_half_applied")
FINDING_COLUMNS = ("severity", "code", "summary", "evidence")


def migration(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A database URL, or a SQLite file."),
    ],
    described: Annotated[
        Path | None,
        typer.Option(
            "--migration",
            metavar="FILE",
            help="A TOML file that describes the migration. "
            f"[{MIGRATION_008.name}, of the case study]",
        ),
    ] = None,
    sql: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The migration's SQL file: squawk's lint of it is joined in, where "
            "squawk is installed.",
        ),
    ] = None,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Check a database against a migration: what took effect, and what is wrong.

    Reads only. Every finding comes with the SQL that mends it, for people to run.

    Example: diagkit migration postgresql://app@db/app --fail-on high
    """
    asked = read_migration(described) if described else MIGRATION_008
    notes = []
    lint = None
    if sql is not None and find_squawk() is None:
        notes.append(f"{sql.name} is not linted: pip install squawk-cli")
    elif sql is not None:
        lint = read_lint(sql)
        notes.append(f"{sql.name} is linted by squawk: {len(lint)} remarks")
    schema = read_schema(source, asked)
    found = check_migration(schema, asked, lint)
    code = exit_code(found, fail_on)
    steps = list_steps(schema)
    told = f"{int(steps['in_effect'].sum())} of {len(steps)} statements in effect"
    notes.insert(0, f"read from {schema.source}: migration {asked.name}, {told}")
    steps["in_effect"] = steps["in_effect"].map({True: "yes", False: "NO"})
    if not as_json:
        notes += _scripts(found)
    show(
        [
            Section("Findings", found, FINDING_COLUMNS),
            Section("Steps", steps, tuple(steps.columns)),
        ],
        as_json=as_json,
        notes=notes,
    )
    raise typer.Exit(code)


def _scripts(found: pd.DataFrame) -> list[str]:
    """Write the remedies below the tables, in order, so that they can be copied."""
    scripts: dict[str, list[str]] = {}
    for code, remedy in zip(found["code"], found["remedy"], strict=True):
        if code not in ("migration_lint", *WHOLE):
            scripts.setdefault(remedy, []).append(code)
    if not scripts:
        return ["nothing to mend"]
    return [
        "what mends it, from top to bottom; read it before you run it:",
        *(f"\n/* {', '.join(c)} */\n{sql}" for sql, c in scripts.items()),
    ]
