"""What a blameless postmortem says: results to sections, and fields for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

import diagkit
from diagkit.analyses.ports import document_ports
from diagkit.analyses.timeline import list_moments
from diagkit.analyses.triage import weigh_diagnosis
from diagkit.frames.findings import rows_by_id, severity_rank
from diagkit.report.details import (
    show_audit,
    show_checkouts,
    show_leaks,
    show_requests,
)
from diagkit.report.document import Document, Field, Section, make_table
from diagkit.report.narratives import Narrative, digest
from diagkit.report.pages import escape_markdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.analyses.findings import Diagnosis
    from diagkit.frames.incidents import Incident
    from diagkit.frames.triage import Triage

# What is less severe stands in the table of findings alone.
WORTH_A_SENTENCE = "medium"
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


class Parts(NamedTuple):
    """What the sections are made of.

    Attributes
    ----------
    diagnosis
        The results.
    verdict
        What may be behind them.
    """

    diagnosis: Diagnosis
    verdict: Triage


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
    parts = Parts(diagnosis, weigh_diagnosis(diagnosis))
    made = (make(parts) for make in SECTIONS)
    findings = diagnosis.findings
    return Document(
        diagnosis.incident.title,
        _lead(diagnosis),
        tuple(section for section in made if section),
        rows_by_id(findings),
    )


def _lead(diagnosis: Diagnosis) -> str:
    times = diagnosis.incident.logs["timestamp"].dropna()
    counts = diagnosis.findings["severity"].astype("str").value_counts()
    said = [
        f"{counts[s]} {s}" for s in ("critical", "high", "medium", "low") if s in counts
    ]
    found = f"Findings: {', '.join(said)}." if said else "No findings."
    if times.empty:
        return found
    return (
        f"{found} The logs reach from {times.min():%Y-%m-%d %H:%M:%S} to "
        f"{times.max():%Y-%m-%d %H:%M:%S} UTC."
    )


def _field(name: str, text: str = "") -> Field:
    default = text or f"*{PROMPTS[name]}*"
    return Field(Narrative(name, default, digest(default)))


def _summary(parts: Parts) -> Section:
    findings = parts.diagnosis.findings
    text = "" if len(findings) else "Nothing of what diagkit looks for was found."
    verdict = f"What may be behind it: {parts.verdict.conclusion}."
    return Section(
        "summary",
        "Summary",
        paragraphs=tuple(one for one in (text, verdict) if one),
        fields=(_field("summary"),),
    )


def _impact(parts: Parts) -> Section:
    findings = parts.diagnosis.findings
    least = severity_rank(WORTH_A_SENTENCE)
    rows = findings[findings["severity"].astype("str").map(severity_rank) >= least]
    said = (f"{row.summary} [{row.id}]." for row in rows.itertuples())
    return Section(
        "impact",
        "Impact",
        paragraphs=tuple(f"{one[:1].upper()}{one[1:]}" for one in said),
        fields=(_field("impact"),),
    )


def _timeline(parts: Parts) -> Section | None:
    incident = parts.diagnosis.incident
    moments = list_moments(parts.diagnosis)
    if moments.empty:
        return None
    frame = pd.DataFrame({"time (UTC)": moments["timestamp"]})
    if incident.display_zone != "UTC":
        local = moments["timestamp"].dt.tz_convert(incident.display_zone)
        frame[f"time ({incident.display_zone})"] = local
    frame["event"] = moments["event"]
    frame["finding"] = moments["finding"]
    caption = "What is known to have happened"
    return Section(
        "timeline",
        "Timeline",
        tables=(make_table(caption, frame, list(frame.columns)),),
    )


def _detection(parts: Parts) -> Section:
    moments = list_moments(parts.diagnosis)
    signs = moments[moments["finding"] != ""]
    text = "No sign of it has a time."
    if len(signs):
        first = signs.iloc[0]
        text = (
            f"The first sign that has a time: {first['event']}, at "
            f"{first['timestamp']:%Y-%m-%d %H:%M:%S} UTC [{first['finding']}]."
        )
    return Section("detection", "Detection", (text,), fields=(_field("detection"),))


def _hypotheses(parts: Parts) -> Section:
    verdict = parts.verdict
    rows = verdict.hypotheses.assign(
        confidence=[f"{100 * one:.0f} %" for one in verdict.hypotheses["confidence"]]
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


def _cause(parts: Parts) -> Section:
    return Section("cause", "Root cause and trigger", fields=(_field("cause"),))


def _lessons(parts: Parts) -> Section:
    return Section(
        "lessons",
        "What went well, and what went wrong",
        fields=(_field("went_well"), _field("went_wrong")),
    )


def _actions(parts: Parts) -> Section:
    findings = parts.diagnosis.findings
    least = severity_rank(WORTH_A_SENTENCE)
    rows = findings[findings["severity"].astype("str").map(severity_rank) >= least]
    remedies = rows.groupby("remedy", sort=False)["id"].agg(", ".join)
    lines = ["| action | findings | owner | due |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {escape_markdown(str(remedy))} | {ids} | | |"
        for remedy, ids in remedies.items()
    ]
    text = "\n".join(lines) if len(remedies) else "*No action follows from a finding.*"
    return Section(
        "actions",
        "Actions",
        ("Each remedy is a proposal; who does it, and by when, is for people to say.",),
        fields=(_field("actions", text),),
    )


def _findings(parts: Parts) -> Section | None:
    columns = ("severity", "area", "summary", "evidence", "remedy", "id")
    findings = parts.diagnosis.findings
    if findings.empty:
        return None
    table = make_table("Findings, the most severe first", findings, columns)
    return Section("findings", "Findings", tables=(table,))


def _ports(parts: Parts) -> Section | None:
    ports = parts.diagnosis.incident.ports
    if not ports.stacks:
        return None
    rows = document_ports(ports)
    table = make_table("Who publishes which port", rows, list(rows.columns))
    return Section("ports", "Port map", tables=(table,))


def _provenance(parts: Parts) -> Section:
    incident: Incident = parts.diagnosis.incident
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


SECTIONS: tuple[Callable[[Parts], Section | None], ...] = (
    _summary,
    _impact,
    _timeline,
    _detection,
    _hypotheses,
    _cause,
    _lessons,
    _actions,
    _findings,
    lambda parts: show_leaks(parts.diagnosis),
    lambda parts: show_checkouts(parts.diagnosis),
    lambda parts: show_requests(parts.diagnosis),
    lambda parts: show_audit(parts.diagnosis),
    _ports,
    _provenance,
)
