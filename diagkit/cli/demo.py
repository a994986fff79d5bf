"""``diagkit demo``: the main job, on the incident that comes with diagkit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.notebooks import copy_notebooks, lab_command
from diagkit.cli.output import FailOnOption, JsonOption, Section, exit_code, show


def demo(
    folder: Annotated[
        Path, typer.Option("--to", help="Where the report and the notebooks go.")
    ] = Path("diagkit-demo"),
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Diagnose the bundled incident: findings, report, notebooks. Needs no server.

    Example: diagkit demo --to /tmp/demo
    """
    diagnosis = dk.analyse_incident(dk.open_sample())
    code = exit_code(diagnosis.findings, fail_on)
    # Notebooks that somebody changed since the last demo stay as they are.
    notebooks = folder / "notebooks"
    if not notebooks.exists():
        copy_notebooks(notebooks)
    output = folder / "postmortem.html"
    dk.render_report(diagnosis, output)
    columns = ("severity", "summary", "evidence")
    show(
        [Section("Findings", diagnosis.findings, columns)],
        as_json=as_json,
        notes=[f"report: {output} - notebooks: {lab_command(notebooks)}"],
        extra={"report": str(output)},
    )
    raise typer.Exit(code)
