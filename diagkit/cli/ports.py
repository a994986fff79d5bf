"""``diagkit ports``: what compose stacks publish, and who cannot reach whom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import diagkit as dk
from diagkit.cli.hiding import Hider, count_redactions
from diagkit.cli.output import (
    FailOnOption,
    JsonOption,
    Section,
    exit_code,
    printable,
    show,
)

if TYPE_CHECKING:
    import pandas as pd

FINDING_COLUMNS = ("severity", "code", "summary", "evidence")
PROBE_COLUMNS = ("target", "ok", "detail", "duration_s")


def ports(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Compose files, or folders with some."),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            help="What clients use: http://localhost:8000, localhost:5432. Repeatable.",
        ),
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask the targets whether they answer.")
    ] = False,
    listeners: Annotated[
        bool,
        typer.Option(
            "--listeners", help="Look at what listens on this host, too (psutil)."
        ),
    ] = False,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the port map alone, as Markdown."),
    ] = False,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Show who publishes which port, who wants the same, and what nothing publishes.

    Reads files. Asks nothing on the network but the targets that are named, and these
    only with --probe.

    Example: diagkit ports stacks/ --target http://localhost:8000 --fail-on high
    """
    found = dk.read_compose(paths[0] if len(paths) == 1 else list(paths))
    table = dk.document_ports(found)
    if markdown:
        hider = Hider()
        sys.stdout.write(write_markdown(table, hider))
        if hider.count:
            # Not into what is pasted.
            sys.stderr.write(f"diagkit: {count_redactions(hider.count)}\n")
        return
    targets = target or []
    listening = dk.read_listeners() if listeners else None
    findings = dk.audit_ports(found, listeners=listening, targets=targets)
    sections = [
        Section("Findings", findings, FINDING_COLUMNS),
        Section("Ports", table, tuple(table.columns)),
    ]
    if probe:
        sections.append(Section("Probes", dk.probe(targets), PROBE_COLUMNS))
    if as_json:
        published = found.published
        sections.append(Section("Published", published, tuple(published.columns)))
    stacks, services = len(found.stacks), len(found.services)
    notes = [f"read {stacks} stacks, {services} services, {len(found.published)} ports"]
    show(sections, as_json=as_json, notes=notes)
    raise typer.Exit(exit_code(findings, fail_on))


def write_markdown(table: pd.DataFrame, hider: Hider | None = None) -> str:
    r"""Write a frame as a table of Markdown, redacted.

    Parameters
    ----------
    table
        Any frame of text.
    hider
        Counts what is replaced; None: nobody asks.

    Returns
    -------
    str
        Lines; what Markdown or HTML would act on in a cell is escaped.

    Examples
    --------
    >>> import pandas as pd
    >>> print(write_markdown(pd.DataFrame({"service": ["a|b"]})), end="")
    | service |
    |---|
    | a\|b |
    """
    clean = (hider or Hider()).frame(table)
    lines = [
        "| " + " | ".join(map(_escape, clean.columns)) + " |",
        "|" + "---|" * len(clean.columns),
        *(
            "| " + " | ".join(map(_escape, row)) + " |"
            for row in clean.itertuples(index=False)
        ),
    ]
    return "\n".join(lines) + "\n"


def _escape(text: object) -> str:
    plain = printable(str(text)).replace("\n", " ").replace("\\", "\\\\")
    for char in "|*_`[]":
        plain = plain.replace(char, "\\" + char)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
