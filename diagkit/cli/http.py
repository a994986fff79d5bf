"""``diagkit http``: requests as backends, proxies and clients saw them."""

from __future__ import annotations

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
)


def http(
    paths: Annotated[
        list[str], typer.Argument(help="Access logs, HAR files, k6 or curl output.")
    ],
    every: Annotated[str, typer.Option(help="Length of a bin.")] = "1min",
    tz: ZoneOption = None,
    as_json: JsonOption = False,
    fail_on: FailOnOption = None,
) -> None:
    """Count requests by observer and status, and tell what the backend never saw.

    Example: diagkit http console.log nginx/access.log browser.har --every 5min
    """
    requests = dk.read_http(paths, tz=tz)
    found = dk.reconcile_http(requests)
    findings = dk.check_http(requests)
    counts = dk.count_statuses(requests, every=every)
    failed = counts[counts["status_class"].isin(["5xx", "no answer"])]
    notes = [f"{len(requests)} requests of {requests['source'].nunique()} file(s)"]
    low, high = found.corrected_rate
    if found.bounds[1] or found.crashed_streams:
        notes.append(
            f"the backend's error rate with what its log lacks: {low:.1%} to {high:.1%}"
        )
    if counts.attrs["undated"]:
        notes.append(f"{counts.attrs['undated']} have no time and are in no bin")
    sections = [
        Section("Observers", found.rates, list(found.rates.columns)),
        Section("Findings", findings, ("severity", "summary", "evidence", "remedy")),
        Section("Unseen", found.unseen, list(found.unseen.columns)),
        Section(f"Failed per {every}", failed, list(failed.columns)),
    ]
    if as_json:
        sections[3] = Section("Counts", counts, ())
    show(sections, as_json=as_json, notes=notes)
    raise typer.Exit(exit_code(findings, fail_on))
