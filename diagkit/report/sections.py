"""What the report says: results to sections of text, pictures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.leaks import count_signatures
from diagkit.analyses.percentages import count_policies
from diagkit.charts.cohorts import plot_cohorts
from diagkit.charts.images import to_png
from diagkit.charts.leaks import plot_leaks
from diagkit.charts.progress import plot_started_at
from diagkit.report.document import Document, Picture, Section, Table, make_table

if TYPE_CHECKING:
    from diagkit.analyses.findings import Diagnosis
    from diagkit.frames.incidents import Incident


def build_document(diagnosis: Diagnosis) -> Document:
    """Put the results of all analyses into words, pictures and tables.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Document
        The report before it has a format.
    """
    incident = diagnosis.incident
    sections = (
        _findings(diagnosis),
        _timeline(incident),
        _leaks(diagnosis),
        _audit(diagnosis),
        _sources(incident),
    )
    return Document(incident.title, _lead(diagnosis), tuple(s for s in sections if s))


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


def _findings(diagnosis: Diagnosis) -> Section:
    columns = ("severity", "area", "summary", "evidence", "remedy", "id")
    table = make_table("Findings, the most severe first", diagnosis.findings, columns)
    text = "" if table.rows else "Nothing of what diagkit looks for was found."
    return Section(
        "summary",
        "Summary",
        paragraphs=(text,) if text else (),
        tables=(table,) if table.rows else (),
    )


def _timeline(incident: Incident) -> Section | None:
    marks = incident.marks
    if marks.empty:
        return None
    frame = pd.DataFrame({"time (UTC)": marks["timestamp"]})
    columns = ["time (UTC)"]
    if incident.display_zone != "UTC":
        named = f"time ({incident.display_zone})"
        local = marks["timestamp"].dt.tz_convert(incident.display_zone)
        frame[named] = local
        columns.append(named)
    frame["event"] = marks["label"]
    return Section(
        "timeline",
        "Timeline",
        tables=(
            make_table("What is known to have happened", frame, [*columns, "event"]),
        ),
    )


def _leaks(diagnosis: Diagnosis) -> Section | None:
    incident, leaks, line = diagnosis.incident, diagnosis.leaks, diagnosis.line
    if incident.logs.empty:
        return Section(
            "leaks", "Connection leaks", ("There is no log, so leaks cannot be told.",)
        )
    if leaks.empty:
        text = "No record of the logs fits the catalogue of known failures."
        return Section("leaks", "Connection leaks", (text,))
    axes = plot_leaks(line, pool=incident.pool, marks=incident.marks)
    title = axes.get_title(loc="left")
    by_signature = count_signatures(leaks)
    by_signature["message"] = by_signature["message"].map(_short)
    over_time = line.reset_index()
    return Section(
        "leaks",
        "Connection leaks",
        paragraphs=(
            "A leak is dated when the garbage collector found it, not when it "
            "happened. Only events of the kind leak are leaked connections; the others "
            "follow from leaks, or look like them.",
        ),
        pictures=(
            Picture(to_png(axes), f"Events over time, stacked by kind. {title}."),
        ),
        tables=(
            make_table(
                "Events by signature, with the first message of each",
                by_signature,
                ("kind", "signature", "events", "first", "last", "message"),
            ),
            make_table(
                "Events over time (UTC)",
                over_time,
                list(over_time.columns),
                folded=True,
            ),
            make_table(
                "Where each event stands in the logs",
                leaks,
                ("timestamp", "signature", "connection", "state", "source", "line"),
                folded=True,
            ),
        ),
    )


def _audit(diagnosis: Diagnosis) -> Section | None:
    audit, cohorts = diagnosis.audit, diagnosis.cohorts
    if audit is None or cohorts is None or diagnosis.matches is None:
        return None
    axes = plot_started_at(audit)
    title = axes.get_title(loc="left") or axes.get_title()
    percents = [f"percent_{policy.name}" for policy in audit.policies]
    projects = audit.projects
    affected = projects[projects["null"]]
    columns = ["project_id", "execution_status", "legal", "tasks"]
    bounds = ["percent_low", "percent_high", "evidence"]
    return Section(
        "audit",
        "Percentages and NULL execution_started_at",
        paragraphs=(
            f"{int(projects['null'].sum())} of {len(projects)} projects have no "
            "execution_started_at. Each policy below is a rule by which the dashboard, "
            "or a query written by hand, turns the same tasks into a percentage; the "
            "effect is the difference to the best evidence, in percentage points.",
        ),
        pictures=(
            Picture(to_png(axes), f"What each rule shows. {title}."),
            Picture(
                to_png(plot_cohorts(cohorts)),
                f"NULL starts by when projects were set up. {cohorts.conclusion}.",
            ),
        ),
        tables=(
            *_rules(diagnosis.matches),
            make_table(
                "What each policy shows over the portfolio",
                audit.portfolio,
                list(audit.portfolio.columns),
            ),
            make_table(
                "Projects whose execution_started_at is NULL",
                affected,
                [*columns, *percents, *bounds],
                folded=True,
            ),
        ),
    )


def _rules(matches: pd.DataFrame) -> tuple[Table, ...]:
    rules = count_policies(matches)
    if rules.empty:
        return ()
    return (
        make_table(
            "Which rule shows exactly the percentages that each place logged",
            rules,
            ("logger", "measure", "policy", "numbers", "shown", "share"),
        ),
    )


def _sources(incident: Incident) -> Section:
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
    return Section("sources", "Sources", tables=tuple(tables))


def _short(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"
