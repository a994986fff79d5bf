"""``diagkit triage``: what may be behind an incident, infrastructure first."""

from __future__ import annotations

from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import JsonOption, Section, show

HYPOTHESES = ("rank", "confidence", "area", "summary", "evidence_for")
STEPS = ("area", "result", "step", "evidence")


def triage(
    folder: Annotated[str, typer.Argument(help="The incident's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Weigh what may be behind an incident, and list what is still to be checked.

    Example: diagkit triage incidents/2025-11-24
    """
    found = dk.triage(dk.open_incident(folder))
    sections = [
        Section("Hypotheses", found.hypotheses, HYPOTHESES),
        Section("Checklist", found.checklist, STEPS),
    ]
    first = found.hypotheses.iloc[0]
    notes = [found.conclusion, f"refuted by: {first['refuted_by']}"]
    show(sections, as_json=as_json, notes=notes)
