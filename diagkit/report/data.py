"""The results of an analysis as JSON, for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

import diagkit
from diagkit.analyses.leaks import count_signatures
from diagkit.analyses.percentages import count_policies
from diagkit.analyses.ports import document_ports
from diagkit.analyses.timeline import list_moments
from diagkit.analyses.triage import weigh_diagnosis
from diagkit.redaction.text import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diagkit.analyses.findings import Diagnosis
    from diagkit.redaction.frames import Replacer
    from diagkit.report.document import Field


def to_json(diagnosis: Diagnosis, fields: Iterable[Field], redactor: Replacer) -> str:
    """Write the results as JSON.

    Parameters
    ----------
    diagnosis
        The results, redacted.
    fields
        What people wrote.
    redactor
        For what is made of the results here.

    Returns
    -------
    str
        An object; times are ISO 8601 in UTC, and `redactions` counts what stands
        instead of a secret.
    """
    incident = diagnosis.incident
    line = diagnosis.line.reset_index()
    verdict = weigh_diagnosis(diagnosis)

    def clean(frame: pd.DataFrame) -> list[dict[str, object]]:
        return _records(redactor.frame(frame))

    body: dict[str, object] = {
        "title": incident.title,
        "incident": redactor.text(incident.name),
        "display_zone": incident.display_zone,
        "findings": _records(diagnosis.findings),
        "timeline": clean(_plain_times(list_moments(diagnosis))),
        "hypotheses": clean(verdict.hypotheses),
        "checklist": clean(verdict.checklist),
        "ports": clean(document_ports(incident.ports)),
        "leaks": _records(_plain_times(line)),
        "signatures": _records(_plain_times(count_signatures(diagnosis.leaks))),
        "contents": _records(incident.contents),
        "marks": _records(_plain_times(incident.marks)),
        "sha256": redactor.keys(dict(sorted(incident.hashes.items()))),
        "versions": {"diagkit": diagkit.__version__, "pandas": pd.__version__},
    }
    if diagnosis.audit is not None:
        body["portfolio"] = _records(diagnosis.audit.portfolio)
        body["projects"] = _records(_plain_times(diagnosis.audit.projects))
    if diagnosis.cohorts is not None:
        body["cohorts"] = _records(_plain_times(diagnosis.cohorts.table))
    if diagnosis.matches is not None:
        body["rules"] = _records(_plain_times(count_policies(diagnosis.matches)))
    body["narratives"] = [
        {**one.narrative.as_data(), "text": one.narrative.text} for one in fields
    ]
    text = json.dumps(body, ensure_ascii=False)
    body["redactions"] = text.count(REDACTED)
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _plain_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn times into ISO 8601 text, with as many digits as they need."""
    times = frame.select_dtypes("datetimetz").columns
    return frame.assign(
        **{name: frame[name].astype("object").map(_iso) for name in times}
    )


def _iso(at: Any) -> str | None:
    return None if at != at else at.isoformat().replace("+00:00", "Z")


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    text = frame.to_json(orient="records", double_precision=15) or "[]"
    done: list[dict[str, object]] = json.loads(text)
    return done
