"""What a blameless postmortem says: results to sections, and fields for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

import diagkit
from diagkit.analyses.ports import document_ports
from diagkit.frames.findings import rows_by_id
from diagkit.frames.triage import UNSETTLED
from diagkit.report.account import Account
from diagkit.report.details import (
    show_audit,
    show_checkouts,
    show_leaks,
    show_requests,
)
from diagkit.report.document import Document, Field, Section, make_table
from diagkit.report.narratives import Narrative, digest
from diagkit.report.pages import escape_markdown, spell_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.analyses.findings import Diagnosis
    from diagkit.frames.incidents import Incident

# What diagkit puts into the fields for people, until somebody writes there.
PROMPTS = {
    "summary": "In two sentences, for somebody who was not there: what did users see, "
    "for how long, and why?",
    "impact": "Who was affected, how many, for how long? What did it cost?",
    "detection": "How was it noticed, by whom, and how long after the first sign? What "
    "would have told us sooner?",
    "cause": "What caused it, and what set it off? Name the findings that say so.",
    "went_well": "What went well, and what was luck?",
    "went_wrong": "What made it longer or worse than it had to be? Describe the "
    "system, not people.",
}


def build_document(diagnosis: Diagnosis) -> Document:
    """Put the results of all analyses into words, pictures, tables and fields.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Document
        The report before it has a format, its fields as diagkit fills them.
    """
    account = Account(diagnosis)
    made = (make(account) for make in SECTIONS)
    return Document(
        diagnosis.incident.title,
        account.lead,
        tuple(section for section in made if section),
        rows_by_id(diagnosis.findings),
    )


def _field(name: str, text: str = "") -> Field:
    default = text or f"*{PROMPTS[name]}*"
    return Field(Narrative(name, default, digest(default)))


def _summary(account: Account) -> Section:
    return Section("summary", "Summary", account.summary, fields=(_field("summary"),))


def _impact(account: Account) -> Section:
    points, fields = account.impact, (_field("impact"),)
    return Section("impact", "Impact", points=points, fields=fields)


def _timeline(account: Account) -> Section | None:
    incident = account.diagnosis.incident
    moments = account.moments
    if moments.empty:
        return None
    frame = pd.DataFrame({"time (UTC)": moments["timestamp"]})
    if incident.display_zone != "UTC":
        local = moments["timestamp"].dt.tz_convert(incident.display_zone)
        # With its offset: an hour that a clock shows twice is told apart.
        said = local.dt.strftime("%Y-%m-%d %H:%M:%S %z")
        frame[f"time ({incident.display_zone})"] = said
    frame["event"] = moments["event"]
    frame["finding"] = moments["finding"]
    caption = "What is known to have happened"
    return Section(
        "timeline",
        "Timeline",
        tables=(make_table(caption, frame, list(frame.columns)),),
    )


def _detection(account: Account) -> Section:
    said, fields = (account.detection,), (_field("detection"),)
    return Section("detection", "Detection", said, fields=fields)


def _hypotheses(account: Account) -> Section:
    verdict = account.verdict
    rows = verdict.hypotheses
    claims = rows["summary"].str.partition(UNSETTLED)
    # What is to be settled first stands in the summary, and below: not in each row.
    rows = rows.assign(
        confidence=[f"{100 * one:.0f} %" for one in rows["confidence"]],
        summary=claims[0].mask(claims[2] != "", claims[0] + " (not sure yet)"),
    )
    columns = ("rank", "confidence", "area", "summary", "evidence_for")
    more = ("evidence_against", "refuted_by")
    steps = ("area", "step", "result", "evidence")
    return Section(
        "hypotheses",
        "Hypotheses and evidence",
        tables=(
            make_table("What may be behind it", rows, (*columns, *more)),
            make_table("What was checked", verdict.checklist, steps),
        ),
    )


def _cause(account: Account) -> Section:
    contributed = account.contributed
    led = (
        ("Found in code and infrastructure, and perhaps part of it:",)
        if contributed
        else ()
    )
    return Section(
        "cause",
        "Root cause and trigger",
        (*account.trigger, *led),
        points=contributed,
        fields=(_field("cause"),),
    )


def _lessons(account: Account) -> Section:
    return Section(
        "lessons",
        "What went well, and what went wrong",
        points=account.lessons,
        fields=(_field("went_well"), _field("went_wrong")),
    )


def _actions(account: Account) -> Section:
    rows = account.findings
    remedies = rows.groupby("remedy", sort=False)["id"].agg(", ".join)
    lines = ["| action | findings | owner | due |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {escape_markdown(spell_out(str(remedy)), code=True)} | {ids} | | |"
        for remedy, ids in remedies.items()
    ]
    text = "\n".join(lines) if len(remedies) else "*No action follows from a finding.*"
    return Section(
        "actions",
        "Actions",
        ("Each remedy is a proposal; who does it, and by when, is for people to say.",),
        fields=(_field("actions", text),),
    )


def _findings(account: Account) -> Section | None:
    columns = ("severity", "area", "summary", "evidence", "remedy", "id")
    findings = account.diagnosis.findings
    if findings.empty:
        return None
    table = make_table("Findings, the most severe first", findings, columns)
    return Section("findings", "Findings", tables=(table,))


def _ports(account: Account) -> Section | None:
    ports = account.diagnosis.incident.ports
    if not ports.stacks:
        return None
    rows = document_ports(ports)
    table = make_table("Who publishes which port", rows, list(rows.columns))
    return Section("ports", "Port map", tables=(table,))


def _provenance(account: Account) -> Section:
    incident: Incident = account.diagnosis.incident
    contents = incident.contents
    hashes = contents["file"].map(lambda name: incident.hashes.get(name, "")[:16])
    used = contents[contents["used"]].assign(sha256=hashes)
    unused = contents[~contents["used"]]
    tables = [
        make_table(
            "What was read (SHA-256: the first 16 digits)",
            used,
            ("file", "kind", "bytes", "sha256", "note"),
        )
    ]
    if len(unused):
        tables.append(
            make_table("What was not used, and why", unused, ("file", "kind", "note"))
        )
    text = f"diagkit {diagkit.__version__}, pandas {pd.__version__}."
    return Section("provenance", "Provenance", (text,), tables=tuple(tables))


SECTIONS: tuple[Callable[[Account], Section | None], ...] = (
    _summary,
    _impact,
    _timeline,
    _detection,
    _hypotheses,
    _cause,
    _lessons,
    _actions,
    _findings,
    lambda account: show_leaks(account.diagnosis),
    lambda account: show_checkouts(account.diagnosis),
    lambda account: show_requests(account.diagnosis),
    lambda account: show_audit(account.diagnosis),
    _ports,
    _provenance,
)
