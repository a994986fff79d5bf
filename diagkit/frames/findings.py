"""FINDINGS: the currency in which every analysis reports what it found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import SettingError, suggest
from diagkit.frames.contract import Column, Contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEVERITIES = ("info", "low", "medium", "high", "critical")
AREAS = ("infrastructure", "service", "logs", "code", "data")

FINDINGS = Contract(
    "FINDINGS",
    (
        Column(
            "id", "str", False, "", "stable: the same for the same code and subject"
        ),
        Column("code", "str", False, "", "what kind of finding it is"),
        Column("area", "category", False, "", " | ".join(AREAS)),
        Column("severity", "category", False, "", " < ".join(SEVERITIES)),
        Column("summary", "str", False, "", "one sentence"),
        Column("evidence", "str", False, "", "counts, times, file:line"),
        Column("remedy", "str", False, "", "what to do next"),
    ),
)


@dataclass(frozen=True)
class Finding:
    """One finding, before it becomes a row.

    Attributes
    ----------
    code
        What kind of finding it is, for example ``connection_leak``.
    subject
        What it is about: with the code it makes the id. Hold no count in it, so that
        the id stays the same when the figures change.
    area, severity, summary, evidence, remedy
        As in the FINDINGS contract.
    """

    code: str
    subject: str
    area: str
    severity: str
    summary: str
    evidence: str
    remedy: str

    @property
    def id(self) -> str:
        """The stable id: the code and a digest of the subject."""
        return name_finding(self.code, self.subject)


def name_finding(code: str, subject: str) -> str:
    """Return the id of a finding.

    Parameters
    ----------
    code, subject
        As in `Finding`.

    Returns
    -------
    str
        The code and a digest of the subject.

    Examples
    --------
    >>> name_finding("port_conflict", "8000/tcp")
    'port_conflict-f23cec48'
    """
    digest = hashlib.sha256(f"{code}|{subject}".encode()).hexdigest()
    return f"{code}-{digest[:8]}"


def build_findings(findings: Iterable[Finding]) -> pd.DataFrame:
    """Make a FINDINGS frame, the most severe first.

    Parameters
    ----------
    findings
        The findings; their order is kept among equally severe ones.

    Returns
    -------
    pandas.DataFrame
        FINDINGS.

    Examples
    --------
    >>> one = Finding("connection_leak", "pool", "code", "high", "3", "a.log", "x")
    >>> build_findings([one]).loc[0, "severity"]
    'high'
    """
    rows = sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))
    frame = FINDINGS.build(
        {name: [getattr(row, name) for row in rows] for name in FINDINGS.names}
    )
    return _order(frame)


def join_findings(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put FINDINGS frames together, the most severe first.

    Parameters
    ----------
    parts
        FINDINGS frames.

    Returns
    -------
    pandas.DataFrame
        FINDINGS.

    Examples
    --------
    >>> len(join_findings([]))
    0
    """
    checked = [FINDINGS.check(part).astype("object") for part in parts]
    if not checked:
        return _order(FINDINGS.empty())
    frame = FINDINGS.conform(pd.concat(checked, ignore_index=True))
    rank = frame["severity"].map(SEVERITIES.index).astype("int64")
    order = rank.sort_values(ascending=False, kind="stable").index
    return _order(frame.loc[order].reset_index(drop=True))


def rows_by_id(findings: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the rows of findings as text, by their ids.

    Parameters
    ----------
    findings
        FINDINGS, or some of its columns with ``id``.

    Returns
    -------
    dict
        A dict of text a row.

    Examples
    --------
    >>> one = Finding("connection_leak", "pool", "code", "high", "3", "a.log", "x")
    >>> [row["severity"] for row in rows_by_id(build_findings([one])).values()]
    ['high']
    """
    names = [str(name) for name in findings.columns]
    rows = findings.astype("str").itertuples(index=False, name=None)
    made = (dict(zip(names, row, strict=True)) for row in rows)
    return {row["id"]: row for row in made}


def say_finding(row: Mapping[str, str]) -> str:
    """Return what a finding says and how severe it is: what words on it hold for.

    Parameters
    ----------
    row
        Of FINDINGS, as `rows_by_id` gives it; empty for one that is not there.

    Returns
    -------
    str
        Empty for one that is not there.

    Examples
    --------
    >>> say_finding({"summary": "3 connections leaked", "severity": "high"})
    '3 connections leaked (high)'
    """
    return f"{row['summary']} ({row['severity']})" if row else ""


def severity_rank(severity: str) -> int:
    """Return a severity's place in `SEVERITIES`, 0 being the least severe.

    Parameters
    ----------
    severity
        One of `SEVERITIES`.

    Returns
    -------
    int
        Its place.

    Raises
    ------
    SettingError
        If it is none of them.

    Examples
    --------
    >>> severity_rank("high") > severity_rank("low")
    True
    """
    if severity not in SEVERITIES:
        msg = (
            f"severity {severity!r} is none of {', '.join(SEVERITIES)}"
            f"{suggest(severity, SEVERITIES)}"
        )
        raise SettingError(msg)
    return SEVERITIES.index(severity)


def _order(frame: pd.DataFrame) -> pd.DataFrame:
    return FINDINGS.order(frame, severity=SEVERITIES, area=AREAS)
