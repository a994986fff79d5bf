"""``diagkit compare``: whether a fix worked, finding by finding."""

from __future__ import annotations

from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import JsonOption, Section, show

# A fix that failed, for CI.
BAD = ("new", "worse")
COLUMNS = ("verdict", "summary")


def compare(
    before: Annotated[str, typer.Argument(help="The incident's folder.")],
    after: Annotated[str, typer.Argument(help="A folder from after the fix.")],
    per: Annotated[
        str | None,
        typer.Option(help="Count events of logs per request, or per hour."),
    ] = None,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit 1 where a finding is new or worse.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two incidents: what is gone, less, the same, worse or new.

    Example: diagkit compare incidents/before incidents/after --fail
    """
    rows = dk.compare_incidents(
        dk.open_incident(before), dk.open_incident(after), per=per
    )
    counts = rows["verdict"].value_counts(sort=False)
    said = [f"{number} {verdict}" for verdict, number in counts.items() if number]
    notes = [", ".join(said).replace("too_little_data", "with too little data")]
    if rows.empty:
        notes = ["neither has a finding"]
    show([Section("Findings", rows, COLUMNS)], as_json=as_json, notes=notes)
    raise typer.Exit(int(fail and rows["verdict"].isin(BAD).any()))
