"""``diagkit check``: whether an incident is over, for people and for CI."""

from __future__ import annotations

from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import JsonOption, Section, show

COLUMNS = ("result", "check", "summary", "evidence")


def check(
    folder: Annotated[str, typer.Argument(help="The folder from after the fix.")],
    before: Annotated[
        str | None,
        typer.Option(help="A folder from before it: only what is new or worse fails."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where a check is not done, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the checks that have to hold after a fix; exit 1 where one fails.

    No new leaks, whole percentages, subscriptions without errors, old projects right,
    filtering right, pool in bounds.

    Example: diagkit check incidents/after --before incidents/before --strict
    """
    rows = dk.check_incident(
        dk.open_incident(folder), None if before is None else dk.open_incident(before)
    )
    counts = rows["result"].value_counts(sort=False)
    notes = [", ".join(f"{number} {result}" for result, number in counts.items())]
    show([Section("Checks", rows, COLUMNS)], as_json=as_json, notes=notes)
    failing = ["failed", "not done"] if strict else ["failed"]
    raise typer.Exit(int(rows["result"].isin(failing).any()))
