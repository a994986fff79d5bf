"""``diagkit audit``: what NULL starts do to a dashboard's percentages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import diagkit as dk
from diagkit.cli.output import (
    FailOnOption,
    JsonOption,
    Section,
    ZoneOption,
    exit_code,
    show,
)

if TYPE_CHECKING:
    import pandas as pd

FINDING_COLUMNS = ("severity", "summary", "evidence", "remedy")
PORTFOLIO_COLUMNS = (
    "policy",
    "projects",
    "mean_percent",
    "mean_effect_pp",
    "max_effect_pp",
    "changed",
    "tasks_out",
    "tasks_in",
)
# Below half a point no whole number on a page changes.
LEAST_PP = 0.5


def audit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A database URL, a SQLite file, a folder with a CSV or parquet file a "
            "table, or an incident's folder.",
        ),
    ],
    tz: ZoneOption = None,
    gap: Annotated[
        str, typer.Option(help="Tasks further apart than this are of different runs.")
    ] = "30min",
    now: Annotated[
        str | None,
        typer.Option(help="A start after this is in the future. [latest time in data]"),
    ] = None,
    all_policies: Annotated[
        bool,
        typer.Option("--all-policies", help="Show every rule's percentage."),
    ] = False,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Audit project starts that are NULL or wrong, and the percentages they spoil.

    Reads only; a database is opened read-only.

    Example: diagkit audit sqlite:///progress.sqlite --fail-on high
    """
    progress = _read(source, tz)
    result = dk.audit_started_at(progress, now=now, gap=gap)
    code = exit_code(result.findings, fail_on)
    names = [rule.name for rule in result.policies]
    if not all_policies:
        used = [rule.name for rule in result.policies if rule.since]
        names = [*used[-2:], "inferred"]
    affected = _affected(result.projects, names).rename(
        columns=lambda name: name.removeprefix("percent_").removeprefix("execution_")
    )
    columns = ["project_id", "status", "null", "tasks", *names, "low", "high"]
    columns.append("effect_pp")
    sections = [
        Section("Findings", result.findings, FINDING_COLUMNS),
        Section("Portfolio", result.portfolio, PORTFOLIO_COLUMNS),
        Section("Projects", affected, columns),
    ]
    if as_json:
        sections[2] = Section("Projects", result.projects, ())
    notes = [
        f"read from {progress.source}: {len(progress.projects)} projects, "
        f"{len(progress.tasks)} tasks",
        *progress.notes,
    ]
    if not as_json:
        left = len(result.projects) - len(affected)
        notes.append(f"projects left out because the rules show them alike: {left}")
    show(sections, as_json=as_json, notes=notes)
    raise typer.Exit(code)


def _read(source: str, tz: str | None) -> dk.Progress:
    """Read the tables; of a folder without them, those of the incident it holds."""
    schema = dk.ProgressSchema()
    folder = Path(source)
    if "://" in source or not folder.is_dir() or _has_table(folder, schema):
        return dk.read_progress(source, schema, tz=tz)
    progress = dk.open_incident(source).progress
    if progress is None:
        msg = (
            f"{source}: neither a table {schema.projects_table!r} nor a SQLite file "
            "that holds it; write a database URL, a SQLite file, or a folder with a "
            "CSV or parquet file a table"
        )
        raise dk.SourceNotFoundError(msg)
    return progress


def _has_table(folder: Path, schema: dk.ProgressSchema) -> bool:
    from diagkit.sources.tables import find_tables

    tables = (schema.projects_table, schema.tasks_table)
    return any(find_tables(folder, table) for table in tables)


def _affected(projects: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the projects with an illegal NULL or another percentage, worst first."""
    effects = projects[[f"effect_pp_{name}" for name in names]]
    # The largest in size, with its sign.
    low, high = effects.min(axis=1).fillna(0), effects.max(axis=1).fillna(0)
    table = projects.assign(effect_pp=high.where(high > -low, low))
    table["illegal"] = table["null"] & ~table["legal"].fillna(True).astype(bool)
    table["size"] = table["effect_pp"].abs()
    table = table[table["illegal"] | (table["size"] >= LEAST_PP)]
    order = ["illegal", "size", "project_id"]
    return table.sort_values(order, ascending=[False, False, True])
