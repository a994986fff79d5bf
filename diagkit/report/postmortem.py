"""An incident to a report: analysed once, written in the format that is asked for."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diagkit
from diagkit.analyses.findings import Diagnosis, analyse_incident
from diagkit.analyses.leaks import count_signatures
from diagkit.analyses.percentages import count_policies
from diagkit.errors import SettingError, SourceAccessError, suggest
from diagkit.redaction.text import redact_frame, redact_text
from diagkit.report.pages import to_html, to_markdown
from diagkit.report.sections import build_document

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from diagkit.frames.incidents import Incident
    from diagkit.report.document import Document


@dataclass
class Redactor:
    """Redacts, or does not, and counts what it replaced."""

    active: bool
    count: int = 0

    def text(self, text: str) -> str:
        """Redact one text.

        Parameters
        ----------
        text
            Anything.

        Returns
        -------
        str
            The text that may leave.
        """
        if not self.active:
            return text
        done = redact_text(text)
        self.count += done.count
        return done.text

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Redact a frame that is drawn or listed.

        Parameters
        ----------
        frame
            Any frame.

        Returns
        -------
        pandas.DataFrame
            The frame that may leave.
        """
        if not self.active:
            return frame
        done = redact_frame(frame)
        self.count += done.count
        return done.frame


def render_report(
    incident: Incident | Diagnosis,
    output: str | os.PathLike[str],
    *,
    redact: bool = True,
) -> None:
    """Write the report of an incident.

    Parameters
    ----------
    incident
        As `open_incident` gives it, or what `analyse_incident` says of it.
    output
        The file to write; its ending says the format: ``.html`` (one file, nothing is
        fetched, no script), ``.md`` or ``.json`` (findings with their stable ids).
    redact
        Take secrets and personal data out; the report says how many replacements were
        made.

    Raises
    ------
    SettingError
        If the ending is of no format that is known.
    SourceAccessError
        If the file cannot be written. Then it is as it was before.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> import diagkit as dk
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "postmortem.json"
    >>> render_report(dk.open_sample(), path)
    >>> json.loads(path.read_text(encoding="utf-8"))["incident"]
    'tenant_dashboard'
    """
    path = Path(output)
    if path.suffix not in FORMATS:
        msg = (
            f"{path}: no report format {path.suffix!r}; use {', '.join(FORMATS)}"
            f"{suggest(path.suffix, FORMATS)}"
        )
        raise SettingError(msg)
    redactor = Redactor(redact)
    done = incident if isinstance(incident, Diagnosis) else analyse_incident(incident)
    _write(path, FORMATS[path.suffix](_redact(done, redactor), redactor))


def _redact(diagnosis: Diagnosis, redactor: Redactor) -> Diagnosis:
    """Redact what pictures and tables are made of, before they are."""
    incident = diagnosis.incident
    audit, matches = diagnosis.audit, diagnosis.matches
    if audit is not None:
        audit = replace(
            audit,
            projects=redactor.frame(audit.projects),
            findings=redactor.frame(audit.findings),
        )
    clean = replace(
        incident,
        title=redactor.text(incident.title),
        contents=redactor.frame(incident.contents),
        marks=redactor.frame(incident.marks),
    )
    # What was read already is not to be read again.
    for part in ("logs", "pool", "activity", "checkouts", "progress"):
        if part in incident.__dict__:
            clean.__dict__[part] = incident.__dict__[part]
    return replace(
        diagnosis,
        incident=clean,
        audit=audit,
        matches=None if matches is None else redactor.frame(matches),
        findings=redactor.frame(diagnosis.findings),
        leaks=redactor.frame(diagnosis.leaks),
    )


def _document(diagnosis: Diagnosis, redactor: Redactor) -> Document:
    return build_document(diagnosis).map_text(redactor.text)


def _html(diagnosis: Diagnosis, redactor: Redactor) -> str:
    return to_html(_document(diagnosis, redactor), _footer(redactor))


def _markdown(diagnosis: Diagnosis, redactor: Redactor) -> str:
    return to_markdown(_document(diagnosis, redactor), _footer(redactor))


def _json(diagnosis: Diagnosis, redactor: Redactor) -> str:
    incident = diagnosis.incident
    line = diagnosis.line.reset_index()
    body: dict[str, object] = {
        "title": incident.title,
        "incident": incident.name,
        "findings": _records(diagnosis.findings),
        "leaks": _records(_plain_times(line)),
        "signatures": _records(_plain_times(count_signatures(diagnosis.leaks))),
        "contents": _records(incident.contents),
        "marks": _records(_plain_times(incident.marks)),
        "sha256": dict(sorted(incident.hashes.items())),
        "diagkit": diagkit.__version__,
    }
    if diagnosis.audit is not None:
        body["portfolio"] = _records(diagnosis.audit.portfolio)
        body["projects"] = _records(_plain_times(diagnosis.audit.projects))
    if diagnosis.cohorts is not None:
        body["cohorts"] = _records(_plain_times(diagnosis.cohorts.table))
    if diagnosis.matches is not None:
        body["rules"] = _records(_plain_times(count_policies(diagnosis.matches)))
    body["redactions"] = redactor.count
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Diagnosis, Redactor], str]] = {
    ".html": _html,
    ".md": _markdown,
    ".json": _json,
}


def _plain_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn times into ISO 8601 text, with as many digits as they need."""
    times = frame.select_dtypes("datetimetz").columns
    return frame.assign(**{name: frame[name].map(_iso) for name in times})


def _iso(at: Any) -> str | None:
    return None if at != at else at.isoformat().replace("+00:00", "Z")


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    text = frame.to_json(orient="records", double_precision=15) or "[]"
    done: list[dict[str, object]] = json.loads(text)
    return done


def _footer(redactor: Redactor) -> str:
    if not redactor.active:
        return f"Made by diagkit {diagkit.__version__}. Nothing was redacted."
    s = "" if redactor.count == 1 else "s"
    return (
        f"Made by diagkit {diagkit.__version__}. Redacted before writing: "
        f"{redactor.count} replacement{s} of secrets and personal data."
    )


def _write(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half a report."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".diagkit-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            # mkstemp makes files for the owner alone; a report is to be shared.
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error})"
        raise SourceAccessError(msg) from None
