"""Triage: what may be behind an incident, infrastructure first, with the evidence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from diagkit.analyses.checklist import make_checklist
from diagkit.analyses.facts import gather_facts
from diagkit.analyses.findings import analyse_incident
from diagkit.analyses.hypotheses import HYPOTHESES, PRIOR
from diagkit.frames.findings import AREAS
from diagkit.frames.triage import (
    HYPOTHESES as CONTRACT,
    UNDETERMINED,
    UNSETTLED as OPEN,
    Triage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from diagkit.analyses.facts import Fact
    from diagkit.analyses.findings import Diagnosis
    from diagkit.analyses.hypotheses import Hypothesis
    from diagkit.frames.incidents import Incident

# A hypothesis of which less is sure than this is not put first: nothing is.
LEAST = 0.35
# One of which less is sure is left out.
WORTH = 0.02
# How sure one may be of a fault in the code while a check of the infrastructure failed
# or was not made.
UNSETTLED = 0.5
# The areas of which that holds, and the one that comes first.
LATER, FIRST = ("code", "data"), "infrastructure"


def triage(incident: Incident) -> Triage:
    """Say what may be behind an incident, the likeliest first.

    Each hypothesis is weighed by itself: facts that speak for it and against it add to
    the logarithm of its odds (`diagkit.analyses.hypotheses` has the weights). Those
    that hardly anything speaks for are left out; where none is likely,
    ``undetermined`` comes first. A fault of code or data is never given more than an
    even chance while a check of the infrastructure failed or was not made; its summary
    says which.

    Parameters
    ----------
    incident
        As `open_incident` gives it.

    Returns
    -------
    Triage
        Its ``hypotheses``, and the ``checklist``: infrastructure, service, logs, code,
        data, each step done from the incident where it can be.

    Examples
    --------
    >>> import diagkit as dk
    >>> found = triage(dk.open_sample())
    >>> found.checklist["area"].iloc[0]
    'infrastructure'
    """
    return weigh_diagnosis(analyse_incident(incident))


def weigh_diagnosis(diagnosis: Diagnosis) -> Triage:
    """Say what may be behind an incident that is analysed already.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    Triage
        As `triage` gives it.
    """
    facts = gather_facts(diagnosis)
    checklist = make_checklist(facts, find_parts(diagnosis))
    rows = _weigh(facts, _open_checks(checklist))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    frame = CONTRACT.build(columns | {"rank": range(1, len(rows) + 1)})
    return Triage(CONTRACT.order(frame, area=AREAS), checklist)


def find_parts(diagnosis: Diagnosis) -> set[str]:
    """Return what an incident has to look at.

    Parameters
    ----------
    diagnosis
        As `analyse_incident` gives it.

    Returns
    -------
    set of str
        Of ``logs``, ``pool``, ``checkouts``, ``progress``, ``ports``, ``backends``,
        ``proxies`` and ``clients``.
    """
    incident = diagnosis.incident
    frames = {"pool": incident.pool, "checkouts": incident.checkouts}
    parts = {name for name, frame in frames.items() if len(frame)}
    if diagnosis.has_log:
        parts.add("logs")
    if incident.progress is not None:
        parts.add("progress")
    if incident.ports.stacks:
        parts.add("ports")
    plural = {"backend": "backends", "proxy": "proxies", "client": "clients"}
    seen = set(incident.http["observer"].dropna().astype("str"))
    return parts | {plural[observer] for observer in seen}


def _open_checks(checklist: pd.DataFrame) -> list[str]:
    """Return what of the infrastructure failed, or nobody looked at."""
    rows = checklist[checklist["area"].astype("str") == FIRST]
    rows = rows[rows["result"].astype("str") != "passed"]
    return rows["step"].tolist()


def _weigh(facts: Mapping[str, Fact], unsettled: list[str]) -> list[dict[str, Any]]:
    weighed = [
        row
        for hypothesis in HYPOTHESES
        if (row := _weigh_one(hypothesis, facts, unsettled)) is not None
        and row["confidence"] >= WORTH
    ]
    # Of those that are held down to the same chance the one with most evidence.
    order = {area: rank for rank, area in enumerate(AREAS)}
    weighed.sort(
        key=lambda row: (
            -row["confidence"],
            row["area"] in LATER,
            -row.pop("odds"),
            order[row["area"]],
        )
    )
    likely = [row for row in weighed if row["confidence"] >= LEAST]
    others = [row for row in weighed if row["confidence"] < LEAST]
    if not likely:
        return [_undetermined(unsettled, others), *others]
    return [*likely, *others]


def _weigh_one(
    hypothesis: Hypothesis, facts: Mapping[str, Fact], unsettled: list[str]
) -> dict[str, Any] | None:
    known = [
        (told, weight)
        for names, weight in hypothesis.evidence
        if (told := [str(facts[name]) for name in names.split("|") if name in facts])
    ]
    pro = [text for told, weight in known if weight > 0 for text in told]
    con = [text for told, weight in known if weight < 0 for text in told]
    if not pro:
        return None
    odds = PRIOR + sum(weight for _, weight in known)
    confidence = 1 / (1 + math.exp(-odds))
    summary = hypothesis.claim
    if hypothesis.area in LATER and unsettled and confidence > UNSETTLED:
        confidence = UNSETTLED
        summary += f"{OPEN}{' '.join(unsettled)}"
    return {
        "code": hypothesis.code,
        "area": hypothesis.area,
        "confidence": round(confidence, 3),
        "odds": odds,
        "summary": summary,
        "evidence_for": "; ".join(dict.fromkeys(pro)),
        "evidence_against": "; ".join(dict.fromkeys(con)),
        "refuted_by": hypothesis.refuted_by,
    }


def _undetermined(unsettled: list[str], others: list[dict[str, Any]]) -> dict[str, Any]:
    check = f"; check first: {' '.join(unsettled)}" if unsettled else ""
    best = max((row["confidence"] for row in others), default=0.0)
    return {
        "code": UNDETERMINED,
        "area": FIRST,
        "confidence": round(1 - best, 3),
        "summary": f"what is here does not tell what the cause is{check}",
        "evidence_for": "no cause has enough that speaks for it",
        "evidence_against": "",
        "refuted_by": "A further source: the other side's log, the compose files, "
        "samples of the pool.",
    }
