"""``diagkit report``: the postmortem of an incident, as one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import FailOnOption, JsonOption, Section, exit_code, show


def report(
    incident: Annotated[str, typer.Argument(help="The folder with the incident.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The file: .html, .ipynb, .md, .pdf or .json."
        ),
    ] = Path("postmortem.html"),
    redact: Annotated[
        bool, typer.Option(help="Take secrets and personal data out.")
    ] = True,
    redact_key_env: Annotated[
        str,
        typer.Option(
            help="Environment variable with a key: one value has one pseudonym then."
        ),
    ] = "DIAGKIT_REDACT_KEY",
    narrative: Annotated[
        Path | None,
        typer.Option(help="Take what people wrote from this report (.ipynb, .md)."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing: exit 1 where the report no longer holds."
        ),
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="What people wrote holds for what is found now."),
    ] = False,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Write the report of an incident; what people wrote into it stays.

    Example: diagkit report incidents/2025-11-24 -o postmortem.html --fail-on critical
    """
    diagnosis = dk.analyse_incident(dk.open_incident(incident))
    # An empty variable is no key: what it makes could be tried out by anybody.
    key = os.environ.get(redact_key_env) or None
    if check:
        claims = dk.check_report(diagnosis, output, redact=redact, redact_key=key)
        if not as_json:
            # A claim of no field is one of what diagkit wrote.
            whose = claims["narrative"].astype("str")
            claims["narrative"] = whose.where(whose != "", "the page itself")
        show(
            [Section("Claims", claims, ("narrative", "summary"))],
            as_json=as_json,
            notes=[f"{output}: {_say(len(claims))}"],
        )
        raise typer.Exit(int(len(claims) > 0))
    code = exit_code(diagnosis.findings, fail_on)
    dk.render_report(
        diagnosis,
        output,
        redact=redact,
        redact_key=key,
        narrative=narrative,
        accept=accept,
    )
    columns = ("severity", "summary", "id")
    show(
        [Section("Findings", diagnosis.findings, columns)],
        as_json=as_json,
        notes=[f"report: {output}"],
    )
    raise typer.Exit(code)


def _say(claims: int) -> str:
    if claims == 1:
        return "1 claim no longer holds"
    return f"{claims} claims no longer hold" if claims else "holds"
