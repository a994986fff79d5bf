"""``diagkit leaks``: connection leaks in logs, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import diagkit as dk
from diagkit.cli.output import (
    FailOnOption,
    JsonOption,
    Section,
    ZoneOption,
    exit_code,
    show,
    write_chart,
)


def leaks(
    paths: Annotated[list[str], typer.Argument(help="Logs: files, folders or globs.")],
    every: Annotated[str, typer.Option(help="Length of a bin.")] = "1min",
    tz: ZoneOption = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw the leaks over time into this PNG.")
    ] = None,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Find leaked connections, and what follows from them, in logs.

    Example: diagkit leaks api.log --tz Europe/Berlin --every 5min --fail-on high
    """
    logs = dk.read_logs(paths, tz=tz, progress=not as_json)
    events = dk.find_leaks(logs)
    line = dk.count_leaks(events, every=every, logs=logs)
    findings = dk.check_leaks(events)
    code = exit_code(findings, fail_on)
    table = line[line.fillna(1).any(axis=1)].reset_index()
    notes = [f"{len(logs)} records read from {logs['source'].nunique()} file(s)"]
    if line.attrs["undated"]:
        notes.append(f"{line.attrs['undated']} events have no time and are in no bin")
    if chart is not None:
        notes.append(write_chart(chart, lambda: dk.plot_leaks(line)))
    sections = [
        Section("Findings", findings, ("severity", "summary", "evidence", "remedy")),
        Section(f"Events per {every}", table, list(table.columns)),
    ]
    if as_json:
        sections[1] = Section("Counts", line.reset_index(), ())
        sections.append(Section("Events", events, ()))
    show(sections, as_json=as_json, notes=notes)
    raise typer.Exit(code)
