"""An incident to a report: analysed once, written in the format that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import diagkit
from diagkit.analyses.findings import Diagnosis, analyse_incident
from diagkit.charts.images import plain_style
from diagkit.charts.text import written_by
from diagkit.errors import (
    SettingError,
    SourceNotFoundError,
    suggest,
)
from diagkit.frames.claims import CLAIMS
from diagkit.frames.incidents import Readers
from diagkit.redaction.frames import Replacer
from diagkit.redaction.text import REDACTED
from diagkit.report.data import to_json
from diagkit.report.document import summarise
from diagkit.report.files import write_whole
from diagkit.report.keeping import Kept, merge_document, read_kept
from diagkit.report.narratives import Claim
from diagkit.report.notebook import to_notebook
from diagkit.report.pages import to_html, to_markdown
from diagkit.report.printing import to_pdf
from diagkit.report.sections import build_document

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from diagkit.frames.incidents import Incident
    from diagkit.report.document import Document


def render_report(
    incident: Incident | Diagnosis,
    output: str | os.PathLike[str],
    *,
    redact: bool = True,
    redact_key: str | None = None,
    narrative: str | os.PathLike[str] | None = None,
    accept: bool = False,
) -> None:
    """Write the report of an incident; what people wrote into it stays.

    Parameters
    ----------
    incident
        As `open_incident` gives it, or what `analyse_incident` says of it.
    output
        The file to write; its ending says the format: ``.html`` (one file, nothing is
        fetched, no script), ``.ipynb``, ``.md``, ``.pdf`` (where a browser is found) or
        ``.json`` (findings with their stable ids).
    redact
        Take secrets and personal data out; the report says how many replacements were
        made. What people wrote is redacted in formats in which nobody writes.
    redact_key
        With it, each value that is replaced has a pseudonym, as `redact_text` gives it.
    narrative
        A report (``.ipynb`` or ``.md``) whose words are to stand in this one; None: the
        file's own, where it is there.
    accept
        Say that what people wrote holds for what is found now.

    Raises
    ------
    SettingError
        If the ending is of no format that is known.
    SourceNotFoundError
        If `narrative` is not there, or no browser for a PDF.
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
    words = path if narrative is None else Path(narrative)
    if narrative is not None and not words.exists():
        msg = f"{words}: no such file; narrative names a report with people's words"
        raise SourceNotFoundError(msg)
    redactor = Replacer(redact_key, active=redact)
    done = incident if isinstance(incident, Diagnosis) else analyse_incident(incident)
    clean = _redact(done, redactor)
    # A PDF is made anew, from words that stand elsewhere.
    kept = Kept() if words.suffix == ".pdf" else read_kept(words)
    document = _write_document(clean, redactor)
    if path.suffix == ".ipynb":
        # Cells of people's own stay cells there.
        kept = replace(kept, strays={})
    document = merge_document(document, kept, accept=accept)
    if path.suffix not in WRITTEN_IN:
        document = document.map_words(redactor.text)
    folder = redactor.text(_find_folder(done.incident, path))
    body = FORMATS[path.suffix](Report(document, clean, redactor, kept, folder))
    write_whole(
        path, body if isinstance(body, bytes) else body.encode("utf-8", "replace")
    )


def check_report(
    incident: Incident | Diagnosis,
    output: str | os.PathLike[str],
    *,
    redact: bool = True,
    redact_key: str | None = None,
) -> pd.DataFrame:
    """Hold a report against what is found now.

    Parameters
    ----------
    incident
        As for `render_report`.
    output
        The report: ``.ipynb``, ``.md``, ``.html`` or ``.json``.
    redact, redact_key
        As the report was made.

    Returns
    -------
    pandas.DataFrame
        CLAIMS: what people wrote on findings that say something else now, or that are
        not there; and findings that the report itself states otherwise.

    Raises
    ------
    SourceNotFoundError
        If there is no such report.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import diagkit as dk
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "postmortem.md"
    >>> render_report(dk.open_sample("two_stacks"), path)
    >>> len(check_report(dk.open_sample("two_stacks"), path))
    0
    """
    path = Path(output)
    if not path.exists():
        msg = f"{path}: no such report; make it first: diagkit report FOLDER -o {path}"
        raise SourceNotFoundError(msg)
    done = incident if isinstance(incident, Diagnosis) else analyse_incident(incident)
    kept = read_kept(path)
    redactor = Replacer(redact_key, active=redact)
    merged = merge_document(_write_document(_redact(done, redactor), redactor), kept)
    claims = [claim for one in merged.fields for claim in one.claims]
    before, now = summarise(kept.findings or {}), merged.said
    claims += [
        Claim("", key, before.get(key, ""), now.get(key, ""))
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    return CLAIMS.build(
        {
            "narrative": [claim.narrative for claim in claims],
            "finding": [claim.finding for claim in claims],
            "was": [claim.was for claim in claims],
            "now": [claim.now for claim in claims],
            "summary": [str(claim) for claim in claims],
        }
    )


def _write_document(diagnosis: Diagnosis, redactor: Replacer) -> Document:
    """Write the report's text; neither it nor a picture's labels have secrets."""
    with plain_style(), written_by(redactor.text):
        return build_document(diagnosis).map_text(redactor.text)


def _redact(diagnosis: Diagnosis, redactor: Replacer) -> Diagnosis:
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
    for part in (one.name for one in fields(Readers)):
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


@dataclass(frozen=True)
class Report:
    """What a format is made of.

    Attributes
    ----------
    document
        Sections, with what people wrote.
    diagnosis
        The results, redacted.
    redactor
        What was replaced.
    kept
        What the file has.
    folder
        Where the incident is, from the report.
    """

    document: Document
    diagnosis: Diagnosis
    redactor: Replacer
    kept: Kept
    folder: str


def _find_folder(incident: Incident, output: Path) -> str:
    """Return the incident's folder as seen from a report that stands above it.

    Elsewhere it is the folder's name: a way up would tell of the machine.
    """
    folder, parent = incident.folder, output.resolve().parent
    if folder is None or not folder.resolve().is_relative_to(parent):
        return incident.name
    return folder.resolve().relative_to(parent).as_posix()


def _html(report: Report) -> str:
    return to_html(report.document, _footer(report))


def _markdown(report: Report) -> str:
    return to_markdown(report.document, _footer(report))


def _notebook(report: Report) -> str:
    return to_notebook(report.document, _footer(report), report.folder, report.kept)


def _pdf(report: Report) -> bytes:
    # On paper nobody unfolds anything; of a log there is no such tag in a page.
    return to_pdf(_html(report).replace("<details>", "<details open>"))


def _json(report: Report) -> str:
    return to_json(report.diagnosis, report.document.fields, report.redactor)


FORMATS: dict[str, Callable[[Report], str | bytes]] = {
    ".html": _html,
    ".ipynb": _notebook,
    ".md": _markdown,
    ".json": _json,
    ".pdf": _pdf,
}
# Where people write; all others only leave.
WRITTEN_IN = (".ipynb", ".md")


def _footer(report: Report) -> str:
    if not report.redactor.active:
        return f"Made by diagkit {diagkit.__version__}. Nothing was redacted."
    count = report.document.count(REDACTED)
    s = "" if count == 1 else "s"
    return (
        f"Made by diagkit {diagkit.__version__}. Redacted before writing: "
        f"{count} replacement{s} of secrets and personal data in its text."
    )
