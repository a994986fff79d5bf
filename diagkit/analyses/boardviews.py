"""What stands behind a finding: the rows of an incident that it rests on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.kinds import CODES
from diagkit.analyses.timebins import name_times, write_places, write_values
from diagkit.frames.findings import name_finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.analyses.findings import Diagnosis

__all__ = ["Evidence", "choose_picture", "find_evidence", "list_findings"]

# The picture on which findings of a code are seen best; others by their area.
_PICTURES = {
    **{code: "leaks" for code, _ in CODES.values()},
    "pool_saturated": "use",
    "connections_held": "use",
    "pool_running_dry": "use",
    "recorded_leak": "holders",
    "connection_held": "holders",
    "server_errors": "statuses",
    "stream_crashed": "statuses",
    "errors_unseen_by_backend": "statuses",
}
_AREAS = {"data": "progress"}
# A place as evidence writes it, and a name of a project.
_PLACE = re.compile(r"([^\s;,()]{1,200}):(\d{1,12})\b")
_NAME = re.compile(r"[^\s;,()]{1,200}")
_MORE = re.compile(r" and (\d{1,9}) more\b")
_NULL = "null_started_at"
_POOL = re.compile(r"pool '([^']{1,200})'")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Rows that a finding rests on.

    Attributes
    ----------
    caption
        What they are.
    rows
        The first of them, as texts, with the file and the line where they have one.
    count
        How many there are.
    signature
        Of the events among LEAKS, where they are such.
    pool
        Whose samples they are, where they are such.
    """

    caption: str
    rows: pd.DataFrame
    count: int
    signature: str | None = None
    pool: str | None = None


def list_findings(findings: pd.DataFrame) -> pd.DataFrame:
    """Return findings as texts, a row each.

    Parameters
    ----------
    findings
        FINDINGS.

    Returns
    -------
    pandas.DataFrame
        ``rank``, ``severity``, ``area``, ``summary``.
    """
    shown = findings[["severity", "area", "summary"]].astype("str")
    shown.insert(0, "rank", [str(rank) for rank in range(1, len(shown) + 1)])
    return shown.reset_index(drop=True)


def choose_picture(code: str, area: str) -> str:
    """Choose the picture on which a finding is seen best.

    Parameters
    ----------
    code, area
        Of the finding.

    Returns
    -------
    str
        ``leaks``, ``use``, ``holders``, ``progress`` or ``statuses``.

    Examples
    --------
    >>> choose_picture("pool_saturated", "service")
    'use'
    """
    return _PICTURES.get(code, _AREAS.get(area, "leaks"))


def find_evidence(
    diagnosis: Diagnosis, finding: pd.Series, limit: int = 50
) -> Evidence | None:
    """Find the rows of an incident that a finding rests on.

    Parameters
    ----------
    diagnosis
        What `analyse_incident` returns.
    finding
        A row of its findings.
    limit
        How many rows at most.

    Returns
    -------
    Evidence or None
        Events of its signature, checkouts of its holder, samples of its pool, projects
        that it names, or records at the places that it names; None where it is about
        none of them.

    Examples
    --------
    >>> import diagkit as dk
    >>> from diagkit.analyses.findings import analyse_incident
    >>> diagnosis = analyse_incident(dk.open_sample())
    >>> rows = diagnosis.findings
    >>> leak = rows[rows["code"] == "connection_leak"].iloc[0]
    >>> found = find_evidence(diagnosis, leak, limit=1)
    >>> found.count, found.rows["place"].tolist()
    (65, ['api.log:402'])
    """
    for find in _FINDERS:
        found = find(diagnosis, finding, limit)
        if found is not None and found.count:
            return found
    return None


def _events(diagnosis: Diagnosis, finding: Any, limit: int) -> Evidence | None:
    leaks = diagnosis.leaks
    for name in leaks["signature"].dropna().unique():
        if name_finding(finding["code"], str(name)) != finding["id"]:
            continue
        # One signature may stand for two kinds.
        codes = {kind: code for kind, (code, _) in CODES.items()}
        kinds = [
            kind
            for kind in leaks["kind"].dropna().unique()
            if codes.get(str(kind), str(kind)) == finding["code"]
        ]
        rows = _where((leaks["signature"] == name) & leaks["kind"].isin(kinds))
        few = leaks.iloc[rows[:limit]]
        shown = _texts(few, message="message", logger="logger")
        shown.insert(0, "place", write_places(few))
        shown = _after_times(shown, few["timestamp"], "time")
        return Evidence(f"Events of {name}", shown, len(rows), signature=str(name))
    return None


def _checkouts(diagnosis: Diagnosis, finding: Any, limit: int) -> Evidence | None:
    frame = diagnosis.incident.checkouts
    for name in sorted(frame["holder"].dropna().unique()):
        if not finding["summary"].startswith(f"{name} "):
            continue
        mine = frame.iloc[_where(frame["holder"] == name)]
        if finding["code"] == "recorded_leak":
            mine = mine[mine["outcome"].astype("str") == "garbage_collected"]
        mine = mine.sort_values("held_s", ascending=False, kind="stable")
        few = mine.head(limit)
        columns = ("held_s", "operation", "outcome", "holder")
        shown = _texts(few, **{column: column for column in columns})
        shown = _after_times(shown, few["checked_out_at"], "out")
        return Evidence(f"Checkouts of {name}, the longest first", shown, len(mine))
    return None


def _samples(diagnosis: Diagnosis, finding: Any, limit: int) -> Evidence | None:
    named = _POOL.search(finding["summary"])
    frame = diagnosis.incident.pool
    if named is None or frame.empty:
        return None
    mine = frame[frame["pool"] == named[1]]
    few = mine.nlargest(limit, ["checked_out", "waiting"])
    columns = ("pool", "size", "checked_out", "waiting")
    shown = _texts(few, **{column: column for column in columns})
    shown = _after_times(shown, few["timestamp"], "time")
    said = f"Samples of pool {named[1]}, the most in use first"
    return Evidence(said, shown, len(mine), pool=named[1])


def _projects(diagnosis: Diagnosis, finding: Any, limit: int) -> Evidence | None:
    if diagnosis.audit is None:
        return None
    table = diagnosis.audit.projects
    text = f"{finding['summary']} {finding['evidence']}"
    named = table["project_id"].isin(set(_NAME.findall(text)))
    mine = _same_nulls(table, named) if finding["code"] == _NULL else named
    rows = table[mine]
    columns = ("project_id", "execution_status", "started_at", "inferred_start")
    shown = _texts(
        rows.head(limit), **{name: name for name in columns}, evidence="evidence"
    )
    more = _MORE.search(finding["evidence"])
    # Those that are counted and not named cannot be told from the text.
    count = len(rows) if more is None else max(len(rows), named.sum() + int(more[1]))
    return Evidence("AUDIT of the projects that it is about", shown, int(count))


def _same_nulls(table: pd.DataFrame, named: pd.Series) -> pd.Series:
    """Return all projects whose NULL is as legal as that of those that are named."""
    for legal in (False, True):
        same = table["null"] & (table["legal"].fillna(False).astype(bool) == legal)
        if named.any() and same[named].all():
            return same
    return named


def _records(diagnosis: Diagnosis, finding: Any, limit: int) -> Evidence | None:
    """Return what stands at the files and lines that the evidence names."""
    named = list(dict.fromkeys(_PLACE.findall(finding["evidence"])))
    rows: list[dict[str, str]] = []
    for source, line in named[:limit]:
        place = f"{source}:{line}"
        said = _said_at(diagnosis, source, int(line), place)
        rows += [{"what": what, "place": place} for what in said]
    shown = pd.DataFrame(rows[:limit], columns=["what", "place"], dtype="str")
    return Evidence("What stands at the places that it names", shown, len(rows))


def _said_at(diagnosis: Diagnosis, source: str, line: int, place: str) -> list[str]:
    incident = diagnosis.incident
    said: list[str] = []
    for frame, columns in (
        (incident.logs, ["message"]),
        (incident.http, ["method", "path", "status"]),
    ):
        rows = frame.iloc[_where(frame["line"] == line)]
        said += _join(rows.iloc[_where(rows["source"] == source)], columns)
    ports = incident.ports
    for frame, columns in (
        (ports.published, ["stack", "service", "host_port", "container_port"]),
        (ports.services, ["stack", "service", "image"]),
        (ports.references, ["stack", "service", "name", "host", "port"]),
    ):
        said += _join(frame[frame["source"] == place], columns)
    return list(dict.fromkeys(said))


def _where(known: pd.Series) -> Any:
    """Return the rows for which it is so; where it is missing it is not."""
    return np.flatnonzero(known.to_numpy(dtype=bool, na_value=False))


def _join(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    return [
        " ".join(str(value) for value in row if not pd.isna(value) and str(value))
        for row in rows[columns].itertuples(index=False, name=None)
    ]


def _after_times(shown: pd.DataFrame, times: pd.Series, name: str) -> pd.DataFrame:
    texts = pd.DataFrame(name_times(times, name), dtype="str")
    return pd.concat([texts, shown], axis=1)


def _texts(rows: pd.DataFrame, **columns: str) -> pd.DataFrame:
    return pd.DataFrame(
        {name: write_values(rows[of]) for name, of in columns.items()}, dtype="str"
    )


# The first that finds something tells what stands behind a finding.
_FINDERS: tuple[Callable[[Diagnosis, Any, int], Evidence | None], ...] = (
    _events,
    _checkouts,
    _samples,
    _projects,
    _records,
)
