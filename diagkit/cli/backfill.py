"""``diagkit backfill``: SQL that would set the missing starts, and what it would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.analyses.backfill import BackfillPlan, plan_backfill
from diagkit.cli.output import JsonOption, Section, show, write_chart

COLUMNS = ("project_id", "action", "started_at", "low", "high", "changes", "evidence")


def backfill(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A database URL, a SQLite file, or a folder with a CSV or parquet "
            "file a table. Times without a zone are UTC.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Write backfill.sql, undo.sql and check.sql there."),
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option(help="postgresql, mysql or sqlite. [as the SOURCE]"),
    ] = None,
    within_pp: Annotated[
        float,
        typer.Option(
            help="Leave a start NULL where its evidence allows percentages that are "
            "further apart than this."
        ),
    ] = 5.0,
    batch: Annotated[int, typer.Option(help="Rows a transaction.")] = 500,
    gap: Annotated[
        str, typer.Option(help="Tasks further apart than this are of different runs.")
    ] = "30min",
    schema: Annotated[
        Path | None, typer.Option(help="A TOML file that maps tables and columns.")
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw what changes into this PNG.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Plan a backfill of the starts that are NULL and must not be, as SQL for review.

    Reads only: people run the SQL, diagkit never does.

    Example: diagkit backfill postgresql://app@db/shop --output review
    """
    name = dialect or _dialect(source)
    progress = dk.read_progress(source, schema)
    audit = dk.audit_started_at(progress, gap=gap)
    plan = plan_backfill(audit, name, batch=batch, within_pp=within_pp)
    table = plan.preview.rename(columns=lambda c: c.removeprefix("percent_"))
    table = table[table["action"].isin(["set", "undecided"])]
    section = Section("Backfill", table, COLUMNS)
    if as_json:
        section = Section("Backfill", plan.preview, ())
    notes = [f"planned for {plan.dialect}, from {progress.source}", _count(plan)]
    if output is not None:
        notes += [f"for review: {path}" for path in _write(plan, output)]
    if chart is not None:
        notes.append(write_chart(chart, lambda: dk.plot_backfill(plan)))
    show([section], as_json=as_json, notes=notes)


def _dialect(source: str) -> str:
    scheme, found, _ = source.partition("://")
    if found:
        return scheme.partition("+")[0]
    if Path(source).is_dir():
        msg = (
            f"{source}: a folder does not say which database its tables are from; "
            "write --dialect postgresql, mysql or sqlite"
        )
        raise dk.SettingError(msg)
    return "sqlite"


def _count(plan: BackfillPlan) -> str:
    counts = plan.preview["action"].value_counts()
    return (
        f"starts that get a value: {counts['set']}; left NULL because the data cannot "
        f"decide within {plan.within_pp:g} pp: {counts['undecided']}; legally NULL: "
        f"{counts['legal']}; recorded: {counts['recorded']}"
    )


def _write(plan: BackfillPlan, folder: Path) -> list[Path]:
    """Write the scripts, unless others stand there already."""
    scripts = {
        folder / "backfill.sql": plan.sql,
        folder / "undo.sql": plan.undo_sql,
        folder / "check.sql": plan.check_sql,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in scripts.items():
            # The undo of a backfill that has run is worth more than a new plan.
            if path.exists() and path.read_bytes() != text.encode():
                msg = (
                    f"{path}: is there, and of another plan; name another folder, or "
                    "move it away"
                )
                raise dk.SettingError(msg)
        for path, text in scripts.items():
            path.write_bytes(text.encode())
    except OSError as error:
        msg = f"{folder}: cannot be written ({error.strerror or error})"
        raise dk.SourceAccessError(msg) from None
    return list(scripts)
