"""``diagkit report``: the postmortem of an incident, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import FailOnOption, JsonOption, Section, exit_code, show


def report(
    incident: Annotated[str, typer.Argument(help="The folder with the incident.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file: .html, .md or .json.")
    ] = Path("postmortem.html"),
    redact: Annotated[
        bool, typer.Option(help="Take secrets and personal data out.")
    ] = True,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Write the report of an incident: findings, charts, tables, sources.

    Example: diagkit report incidents/2025-11-24 -o postmortem.html --fail-on critical
    """
    diagnosis = dk.analyse_incident(dk.open_incident(incident))
    code = exit_code(diagnosis.findings, fail_on)
    dk.render_report(diagnosis, output, redact=redact)
    columns = ("severity", "area", "summary", "id")
    show(
        [Section("Findings", diagnosis.findings, columns)],
        as_json=as_json,
        notes=[f"report: {output}"],
    )
    raise typer.Exit(code)
