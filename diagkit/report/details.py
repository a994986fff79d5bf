"""The parts of the report that show one analysis each: leaks, pool, requests, audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.analyses.http import count_statuses
from diagkit.analyses.leaks import count_signatures
from diagkit.analyses.percentages import count_policies
from diagkit.charts.checkouts import plot_holders
from diagkit.charts.cohorts import plot_cohorts
from diagkit.charts.http import plot_statuses
from diagkit.charts.images import to_png
from diagkit.charts.leaks import plot_leaks
from diagkit.charts.progress import plot_started_at
from diagkit.report.document import Picture, Section, Table, make_table

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.analyses.findings import Diagnosis


def show_leaks(diagnosis: Diagnosis) -> Section:
    """Show the failures of the logs over time, and each by its place.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Section
        It says so where there is no log, or nothing in it.
    """
    incident, leaks, line = diagnosis.incident, diagnosis.leaks, diagnosis.line
    heading = "Connection leaks"
    if incident.logs.empty:
        return Section("leaks", heading, ("There is no log, so leaks cannot be told.",))
    if leaks.empty:
        text = "No record of the logs fits the catalogue of known failures."
        return Section("leaks", heading, (text,))
    axes = plot_leaks(line, pool=incident.pool, marks=incident.marks)
    title = axes.get_title(loc="left")
    by_signature = count_signatures(leaks)
    by_signature["message"] = by_signature["message"].map(_short)
    over_time = line.reset_index()
    return Section(
        "leaks",
        heading,
        paragraphs=(
            "A leak is dated when the garbage collector found it, not when it "
            "happened. Only events of the kind leak are leaked connections; the others "
            "follow from leaks, or look like them.",
        ),
        pictures=(
            Picture(
                to_png(axes),
                f"Events over time, stacked by kind. {title}"
                f"{_cite(diagnosis, 'connection_leak')}.",
                "leaks = dk.find_leaks(inc.logs)\n"
                "line = dk.analyse_incident(inc).line\n"
                "dk.plot_leaks(line, pool=inc.pool, marks=inc.marks)",
            ),
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


def show_checkouts(diagnosis: Diagnosis) -> Section | None:
    """Show who held connections, where a recorder wrote it down.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Section or None
        None without a recording.
    """
    checkouts = diagnosis.incident.checkouts
    if checkouts.empty:
        return None
    axes = plot_holders(checkouts)
    title = " ".join(axes.get_title(loc="left").split())
    return Section(
        "holders",
        "Who held connections",
        pictures=(
            Picture(
                to_png(axes),
                f"A row a line of code, a bar a checkout. {title}"
                f"{_cite(diagnosis, 'recorded_leak')}.",
                "dk.plot_holders(inc.checkouts)",
            ),
        ),
    )


def show_requests(diagnosis: Diagnosis) -> Section | None:
    """Show requests by route and status over time.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Section or None
        None without a request that has a time.
    """
    counts = count_statuses(diagnosis.incident.http, "1min")
    if counts.empty:
        return None
    axes = plot_statuses(counts)
    figure = axes.get_figure()
    title = "" if figure is None else figure.get_suptitle()
    return Section(
        "requests",
        "Requests",
        pictures=(
            Picture(
                to_png(axes),
                f"Requests over time by class of status. {title}.",
                'dk.plot_statuses(dk.count_statuses(inc.http, "1min"))',
            ),
        ),
    )


def show_audit(diagnosis: Diagnosis) -> Section | None:
    """Show what each rule made of projects without a start.

    Parameters
    ----------
    diagnosis
        The results.

    Returns
    -------
    Section or None
        None without progress tables.
    """
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
            f"execution_started_at{_cite(diagnosis, 'null_started_at')}. Each policy "
            "below is a rule by which the dashboard, or a query written by hand, turns "
            "the same tasks into a percentage; the effect is the difference to the "
            "best evidence, in percentage points.",
        ),
        pictures=(
            Picture(
                to_png(axes),
                f"What each rule shows. {' '.join(title.split())}"
                f"{_cite(diagnosis, 'null_started_at')}.",
                "audit = dk.audit_started_at(inc.progress)\ndk.plot_started_at(audit)",
            ),
            Picture(
                to_png(plot_cohorts(cohorts)),
                f"NULL starts by when projects were set up. {cohorts.conclusion}.",
                "dk.plot_cohorts(dk.count_cohorts(audit, marks=inc.marks))",
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


def _cite(diagnosis: Diagnosis, code: str) -> str:
    """Name the findings of a code behind a sentence whose numbers are theirs."""
    findings = diagnosis.findings
    names = findings.loc[findings["code"] == code, "id"]
    return f" [{'], ['.join(names)}]" if len(names) else ""


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


def _short(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else message[: limit - 1] + "…"
