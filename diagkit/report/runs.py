"""The findings of a run, from what it left: a report, or a notebook that was run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import SourceFormatError, SourceNotFoundError
from diagkit.frames.findings import AREAS, FINDINGS, SEVERITIES, rows_by_id
from diagkit.report.keeping import parse_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

# Under this type a notebook has the findings that a cell showed, besides the table.
MIME = "application/vnd.diagkit.findings+json"
# A frame that shows these, shows findings.
LEAST = ("id", "severity", "summary")
SUFFIXES = (".ipynb", ".html", ".md", ".json")
GIT_SECONDS = 30


def read_findings(run: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the findings of a run.

    Parameters
    ----------
    run
        A report that diagkit made (``.ipynb``, ``.html``, ``.md``, ``.json``), a
        notebook that was run with ``%load_ext diagkit`` and shows findings, or one of
        these as a revision of git has it: ``main:incidents/postmortem.ipynb``, from
        the root of the working tree, or ``main:./postmortem.ipynb``, from here.

    Returns
    -------
    pandas.DataFrame
        FINDINGS; columns that a notebook did not show are empty.

    Raises
    ------
    SourceNotFoundError
        If there is no such file, or revision.
    SourceFormatError
        If it does not say what was found.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import diagkit as dk
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "postmortem.md"
    >>> diagnosis = dk.analyse_incident(dk.open_sample("two_stacks"))
    >>> dk.render_report(diagnosis, path)
    >>> set(read_findings(path)["id"]) == set(diagnosis.findings["id"])
    True
    """
    name = os.fspath(run)
    suffix = Path(name).suffix
    if suffix not in SUFFIXES:
        msg = f"{name}: findings are read from {', '.join(SUFFIXES)}"
        raise SourceFormatError(msg)
    data = _read(name)
    try:
        kept = parse_kept(data, suffix)
        rows = _collect(kept.cells) if kept.findings is None else kept.findings
        found = None if rows is None else _build(name, rows)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        msg = f"{name}: is no report and no notebook that can be read ({error})"
        raise SourceFormatError(msg) from None
    if found is None:
        msg = (
            f"{name}: does not say what was found; it is no report of diagkit, and no "
            "notebook that was run with %load_ext diagkit and shows findings"
        )
        raise SourceFormatError(msg)
    return found


def show_findings(frame: pd.DataFrame) -> list[dict[str, str]] | None:
    """Return what a notebook keeps of a frame that a cell shows.

    Parameters
    ----------
    frame
        Any frame.

    Returns
    -------
    list of dict or None
        Its rows; None where it shows no findings.
    """
    if not set(LEAST) <= set(map(str, frame.columns)):
        return None
    shown = [name for name in FINDINGS.names if name in frame.columns]
    return list(rows_by_id(frame[shown]).values())


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        if ":" in name and not name.startswith("-"):
            return _read_revision(name)
        msg = f"{name}: no such file"
        raise SourceNotFoundError(msg) from None
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror or error})"
        raise SourceNotFoundError(msg) from None


def _read_revision(name: str) -> bytes:
    command = ["git", "cat-file", "blob", name]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{name}: no such file, and git does not answer ({error})"
        raise SourceNotFoundError(msg) from None
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        msg = f"{name}: no such file, nor one of a revision of git ({said})"
        raise SourceNotFoundError(msg)
    return done.stdout


def _collect(cells: Iterable[Any]) -> dict[str, Mapping[str, str]] | None:
    """Collect what the cells of a notebook showed; the last word on each counts."""
    shown = list(_outputs(cells))
    if not shown:
        return None
    return {str(row["id"]): row for rows in shown for row in rows}


def _outputs(cells: Iterable[Any]) -> Iterator[Any]:
    for cell in cells:
        for output in cell.get("outputs", []):
            rows = output.get("data", {}).get(MIME)
            if rows is not None:
                yield rows


def _weight(item: tuple[str, Mapping[str, str]]) -> tuple[int, str]:
    severity = item[1].get("severity", "")
    return (-SEVERITIES.index(severity) if severity in SEVERITIES else 1), item[0]


def _build(name: str, rows: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    data: dict[str, list[str]] = {column: [] for column in FINDINGS.names}
    # As in FINDINGS: the most severe first; which of equal ones first, nobody stored.
    for key, row in sorted(rows.items(), key=_weight):
        given = {"code": key.rpartition("-")[0], "area": "", **row, "id": key}
        if given.get("severity") not in SEVERITIES:
            msg = f"{name}: {key} has no severity that is known"
            raise SourceFormatError(msg)
        for column in FINDINGS.names:
            data[column].append(str(given.get(column, "")))
    frame = FINDINGS.build(data)
    return FINDINGS.order(frame, severity=SEVERITIES, area=("", *AREAS))
