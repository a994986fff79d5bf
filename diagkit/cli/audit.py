"""``diagkit audit``: what NULL starts do to a dashboard's percentages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import diagkit as dk
from diagkit.analyses.cohorts import count_cohorts
from diagkit.analyses.percentages import (
    check_percentages,
    count_policies,
    find_percentages,
    match_percentages,
)
from diagkit.cli.output import (
    FailOnOption,
    JsonOption,
    Section,
    ZoneOption,
    exit_code,
    show,
)
from diagkit.frames.findings import join_findings
from diagkit.frames.logs import LOGS

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
COHORT_COLUMNS = ("cohort", "age_d", "projects", "null", "legal", "illegal", "share")
RULE_COLUMNS = ("logger", "measure", "policy", "numbers", "shown", "share")
PROOF_COLUMNS = ("write", "verdict", "answer", "note")
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
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file with the names that the tables, columns and statuses "
            "have. [the case study's, or those of incident.toml]",
        ),
    ] = None,
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
    migration: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="When the column came. [fitted: since when starts are recorded]",
        ),
    ] = None,
    logs: Annotated[
        list[Path] | None,
        typer.Option(
            help="A log whose percentages are held against the rules; may be given "
            "several times. [an incident's own]",
        ),
    ] = None,
    prove_readonly: Annotated[
        bool,
        typer.Option(
            "--prove-readonly",
            help="Audit nothing; try every kind of write on the database, harmlessly, "
            "and show what it refuses. Exit with 1 if it lets one through.",
        ),
    ] = False,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Audit project starts that are NULL or wrong, and the percentages they spoil.

    Reads only; a database is opened read-only.

    Example: diagkit audit sqlite:///progress.sqlite --fail-on high
    """
    if prove_readonly:
        raise typer.Exit(_prove(source, as_json=as_json))
    progress, incident = _read(source, schema, tz)
    result = dk.audit_started_at(progress, now=now, gap=gap)
    marks = None if incident is None else incident.marks
    cohorts = count_cohorts(result, migration=migration, marks=marks)
    matches = _match(logs, incident, result, tz)
    findings = join_findings([result.findings, check_percentages(matches)])
    code = exit_code(findings, fail_on)
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
        Section("Findings", findings, FINDING_COLUMNS),
        Section("Portfolio", result.portfolio, PORTFOLIO_COLUMNS),
        Section("Projects", affected, columns),
    ]
    if as_json:
        sections[2] = Section("Projects", result.projects, ())
        sections.append(Section("Candidates", result.candidates, ()))
    held = cohorts.table["projects"] > 0
    filled = cohorts.table if as_json else cohorts.table[held]
    sections.append(Section("Cohorts", filled, COHORT_COLUMNS))
    rules = count_policies(matches)
    if as_json or len(rules):
        sections.append(Section("Rules in the logs", rules, RULE_COLUMNS))
    notes = [
        f"{cohorts.conclusion}.",
        f"read from {progress.source}: {len(progress.projects)} projects, "
        f"{progress.task_count} tasks",
        *progress.notes,
    ]
    if not as_json:
        left = len(result.projects) - len(affected)
        notes.append(f"projects left out because the rules show them alike: {left}")
    show(sections, as_json=as_json, notes=notes)
    raise typer.Exit(code)


def _prove(source: str, *, as_json: bool) -> int:
    """Show what a database does with each kind of write; the exit code."""
    from diagkit.sources.databases import describe_url, is_database_url
    from diagkit.sources.readonly import prove_readonly

    if not is_database_url(source) and Path(source).is_dir():
        msg = f"{source}: a folder has no session to prove; write a database's URL"
        raise dk.SettingError(msg)
    proof = prove_readonly(source)
    counts = proof["verdict"].value_counts(sort=False)
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
    through = proof["relied_on"] & proof["verdict"].isin(["allowed", "unclear"])
    notes = [f"{describe_url(source)}: {len(proof)} kinds of writes: {said}"]
    if through.any():
        names = ", ".join(proof.loc[through, "write"])
        notes.append(f"NOT READ-ONLY: what had to be refused was not: {names}")
    else:
        notes.append("every write that diagkit relies on being refused is refused")
    show([Section("Proof", proof, PROOF_COLUMNS)], as_json=as_json, notes=notes)
    return int(through.any())


def _match(
    logs: list[Path] | None,
    incident: dk.Incident | None,
    audit: dk.StartedAtAudit,
    tz: str | None,
) -> pd.DataFrame:
    """Hold the percentages in the logs given, or an incident's, against the rules."""
    if logs:
        records = dk.read_logs(logs, tz=tz, progress=False)
    else:
        records = LOGS.empty() if incident is None else incident.logs
    return match_percentages(find_percentages(records), audit)


def _read(
    source: str, names: Path | None, tz: str | None
) -> tuple[dk.Progress, dk.Incident | None]:
    """Read the tables; of a folder without them, those of the incident it holds."""
    folder, schema = Path(source), dk.ProgressSchema()
    if names or not folder.is_dir() or _has_table(folder, schema):
        return dk.read_progress(source, names, tz=tz), None
    incident = dk.open_incident(source)
    progress = incident.progress
    if progress is None:
        msg = (
            f"{source}: neither a table {schema.projects_table!r} nor a SQLite file "
            "that holds it; write a database URL, a SQLite file, or a folder with a "
            "CSV or parquet file a table"
        )
        raise dk.SourceNotFoundError(msg)
    return progress, incident


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
