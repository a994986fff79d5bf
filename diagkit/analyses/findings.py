"""All that the analyses say of an incident, and its findings in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.analyses.leaks import check_leaks, choose_bin, count_leaks, find_leaks
from diagkit.analyses.pool import check_pool
from diagkit.analyses.progress import audit_started_at
from diagkit.frames.findings import join_findings

if TYPE_CHECKING:
    import pandas as pd

    from diagkit.analyses.progress import StartedAtAudit
    from diagkit.frames.incidents import Incident


@dataclass(frozen=True)
class Diagnosis:
    """The results of every analysis of an incident: computed once, shown many times.

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
        The audit of NULL starts; None where there are no progress tables.
    """

    incident: Incident
    findings: pd.DataFrame = field(repr=False)
    leaks: pd.DataFrame = field(repr=False)
    line: pd.DataFrame = field(repr=False)
    audit: StartedAtAudit | None = field(repr=False)


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
    progress = incident.progress
    audit = audit_started_at(progress) if progress is not None else None
    parts = [check_leaks(leaks), check_pool(incident.pool)]
    if audit is not None:
        parts.append(audit.findings)
    return Diagnosis(
        incident=incident,
        findings=join_findings(parts),
        leaks=leaks,
        line=count_leaks(
            leaks, every=every or choose_bin(incident.logs), logs=incident.logs
        ),
        audit=audit,
    )


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
