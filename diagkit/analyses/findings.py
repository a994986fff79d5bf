"""All that the analyses say of an incident, and its findings in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from diagkit.analyses.cohorts import count_cohorts
from diagkit.analyses.hold_findings import check_holds
from diagkit.analyses.http_findings import check_http
from diagkit.analyses.leaks import check_leaks, choose_bin, count_leaks, find_leaks
from diagkit.analyses.percentages import (
    check_percentages,
    find_percentages,
    match_percentages,
)
from diagkit.analyses.pool import check_pool
from diagkit.analyses.ports import audit_ports
from diagkit.analyses.progress import audit_started_at
from diagkit.frames.findings import join_findings

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.analyses.cohorts import Cohorts
    from diagkit.analyses.progress import StartedAtAudit
    from diagkit.frames.incidents import Incident

UNROUNDED = "unrounded_percentage"


@dataclass(frozen=True)
class Diagnosis:
    """The results of every analysis of an incident: computed once, shown many times.

    What is about progress is None where there are no progress tables.

    Attributes
    ----------
    incident
        What was looked at.
    findings
        FINDINGS, the most severe first.
    leaks
        LEAKS.
    line
        The leaks over time, as `count_leaks` returns them.
    audit
        The audit of NULL starts.
    cohorts
        Projects by when they were set up.
    matches
        MATCHES: the percentages in the logs, held against the rules.
    """

    incident: Incident
    findings: pd.DataFrame = field(repr=False)
    leaks: pd.DataFrame = field(repr=False)
    line: pd.DataFrame = field(repr=False)
    audit: StartedAtAudit | None = field(repr=False)
    cohorts: Cohorts | None = field(repr=False)
    matches: pd.DataFrame | None = field(repr=False)

    @cached_property
    def has_log(self) -> bool:
        """Whether there is a log that tells anything.

        What no format explains is a row of LOGS all the same; where all of it is, that
        nothing known was found in it says nothing.
        """
        logs = self.incident.logs
        told = logs[["timestamp", "level", "logger", "exception"]].notna()
        return len(self.leaks) > 0 or bool(told.to_numpy().any())


def analyse_incident(incident: Incident, every: str | None = None) -> Diagnosis:
    """Run every analysis that an incident has the sources for.

    Parameters
    ----------
    incident
        As `open_incident` gives it. Its logs, samples and tables are read here.
    every
        Length of a bin of the leaks over time; None: one that makes a readable chart.

    Returns
    -------
    Diagnosis
        The results.

    Examples
    --------
    >>> import diagkit as dk
    >>> len(analyse_incident(dk.open_sample()).leaks) > 0
    True
    """
    leaks = find_leaks(incident.logs)
    found = check_leaks(leaks)
    parts = [
        check_pool(incident.pool),
        check_holds(incident.checkouts, incident.activity),
        check_http(incident.http, leaks),
        audit_ports(incident.ports, targets=list_targets(incident)),
    ]
    progress, audit, cohorts, matches = incident.progress, None, None, None
    if progress is not None:
        audit = audit_started_at(progress)
        cohorts = count_cohorts(audit, marks=incident.marks)
        matches = match_percentages(find_percentages(incident.logs), audit)
        # They say whose percentages these are; the log alone cannot.
        found = found[found["code"] != UNROUNDED]
        parts += [audit.findings, check_percentages(matches)]
    return Diagnosis(
        incident=incident,
        findings=join_findings([found, *parts]),
        leaks=leaks,
        line=count_leaks(
            leaks, every=every or choose_bin(incident.logs), logs=incident.logs
        ),
        audit=audit,
        cohorts=cohorts,
        matches=matches,
    )


def list_targets(incident: Incident) -> list[str]:
    """List what clients use, as `audit_ports` takes it.

    Parameters
    ----------
    incident
        As `open_incident` gives it.

    Returns
    -------
    list of str
        The targets of `incident.toml`, and the origins that clients recorded and that
        answered nothing but errors: what answers is published, by whomever.
    """
    seen = incident.http[incident.http["observer"] == "client"]
    served = (seen["status"] < 500).fillna(False).astype(bool) & seen["error"].isna()
    origins = set(seen["origin"].dropna()) - set(seen.loc[served, "origin"].dropna())
    said = [target.where for target in incident.targets]
    return list(dict.fromkeys([*said, *sorted(origins)]))


def rank_findings(incident: Incident) -> pd.DataFrame:
    """Put together what every analysis finds in an incident.

    Parameters
    ----------
    incident
        As `open_incident` gives it. Its logs, samples and tables are read here.

    Returns
    -------
    pandas.DataFrame
        FINDINGS, the most severe first.

    Examples
    --------
    >>> import diagkit as dk
    >>> "connection_leak" in rank_findings(dk.open_sample())["code"].tolist()
    True
    """
    return analyse_incident(incident).findings
