"""What people decided on findings: a file beside the report, made to be merged.

A line is one decision, as JSON, and stands by itself: nothing is lost or changed its
meaning where git puts the lines of two branches together (``merge=union``).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import (
    SettingError,
    SourceAccessError,
    SourceFormatError,
    suggest,
)
from diagkit.frames.reviews import DECISIONS, REVIEWS
from diagkit.report.files import write_whole

if TYPE_CHECKING:
    import os

    import pandas as pd

# A decision: text by the names of REVIEWS, and a number, its turn.
Row = dict[str, Any]

ENDING = ".reviews.jsonl"
ATTRIBUTE = f"*{ENDING} merge=union\n"
CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


def name_sidecar(run: str | os.PathLike[str]) -> Path:
    """Return where decisions on a run's findings stand.

    Parameters
    ----------
    run
        A report, a notebook, or an incident's folder.

    Returns
    -------
    pathlib.Path
        Beside it: ``postmortem.reviews.jsonl`` for all formats of one report.

    Examples
    --------
    >>> name_sidecar("incidents/postmortem.ipynb").as_posix()
    'incidents/postmortem.reviews.jsonl'
    """
    path = Path(run)
    stem = path.name if path.is_dir() else path.stem
    return path.parent / f"{stem}{ENDING}"


def read_reviews(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read what people decided on findings.

    Parameters
    ----------
    path
        The file, as `add_review` writes it. There need not be one.

    Returns
    -------
    pandas.DataFrame
        REVIEWS, in the file's order; of what stands there twice, the last.

    Raises
    ------
    SourceFormatError
        If a line is none; the message has its number.

    Examples
    --------
    >>> len(read_reviews("nobody.reviews.jsonl"))
    0
    """
    rows = [row for _, row in _parse(Path(path))]
    frame = REVIEWS.build({name: [row[name] for row in rows] for name in REVIEWS.names})
    # Two branches may have one line; and who comes back to a decision, decided last.
    frame = frame.drop_duplicates(keep="last", ignore_index=True)
    return REVIEWS.order(frame, decision=DECISIONS)


def add_review(
    path: str | os.PathLike[str],
    finding: str,
    decision: str,
    *,
    by: str,
    text: str = "",
    said: str = "",
    severity: str = "",
) -> None:
    """Write down what somebody decided on a finding.

    Where the file is new and git does not know yet how to merge it, the line
    ``*.reviews.jsonl merge=union`` is added to the ``.gitattributes`` beside it.

    Parameters
    ----------
    path
        The file.
    finding
        Its id.
    decision
        ``accept``, ``dispute`` or ``comment``.
    by
        Who.
    text
        Why.
    said, severity
        What the finding says now, and how severe it is: where either differs later, the
        decision is outdated.

    Raises
    ------
    SettingError
        If there is no such decision, or nobody decided.
    SourceAccessError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "postmortem.reviews.jsonl"
    >>> add_review(path, "connection_leak-85d4598a", "accept", by="Sam", said="3 lost")
    >>> read_reviews(path)[["by", "decision"]].values.tolist()
    [['Sam', 'accept']]
    """
    if decision not in DECISIONS:
        near = suggest(decision, DECISIONS)
        msg = f"decision {decision!r} is none of {', '.join(DECISIONS)}{near}"
        raise SettingError(msg)
    if not by.strip():
        msg = "by: say who decided; a decision of nobody cannot be asked about"
        raise SettingError(msg)
    where = Path(path)
    row: Row = {
        "finding": finding,
        "decision": decision,
        "by": " ".join(by.split()),
        "text": " ".join(text.split()),
        "said": said,
        "severity": severity,
    }
    new = not where.exists()
    rows = _parse(where)
    # A clock of its own: of what one person decided on two branches neither is later.
    turns = [one["turn"] for _, one in rows if one["finding"] == finding]
    row["turn"] = max(turns, default=0) + 1
    rows.append((json.dumps(row, ensure_ascii=False), row))
    # Those on one finding together, in their order: what two people decide on two
    # findings then seldom stands side by side.
    rows.sort(key=lambda one: one[1]["finding"])
    text = "".join(f"{line}\n" for line, _ in rows)
    write_whole(where, text.encode("utf-8", "replace"))
    if new:
        _tell_git(where)


def ask_git(*words: str, folder: Path) -> str:
    """Ask git something.

    Parameters
    ----------
    words
        The command.
    folder
        Where.

    Returns
    -------
    str
        What it answers; empty where there is no git, or no answer.
    """
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.decode("utf-8", "replace").strip()
    return "" if done.returncode else said


def _tell_git(path: Path) -> None:
    folder = path.parent
    answer = ask_git("check-attr", "merge", "--", path.name, folder=folder)
    if not answer or answer.endswith(": union"):
        return
    attributes = folder / ".gitattributes"
    there = attributes.read_bytes() if attributes.exists() else b""
    gap = b"" if there.endswith(b"\n") or not there else b"\n"
    write_whole(attributes, there + gap + ATTRIBUTE.encode())


def _parse(path: Path) -> list[tuple[str, Row]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise SourceAccessError(msg) from None
    return [
        (line, _parse_line(path, at, line))
        for at, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def _parse_line(path: Path, at: int, line: str) -> Row:
    if line.startswith(CONFLICT):
        msg = f"{path}:{at}: git left a conflict; keep the lines of both sides"
        raise SourceFormatError(msg)
    try:
        row = json.loads(line)
        done: Row = {name: str(row.get(name, "")) for name in REVIEWS.names}
        done["turn"] = int(row.get("turn", 0))
    except (ValueError, AttributeError, TypeError, RecursionError):
        msg = f"{path}:{at}: is no decision; one JSON object a line stands here"
        raise SourceFormatError(msg) from None
    if done["decision"] not in DECISIONS or not done["finding"] or not done["by"]:
        msg = f"{path}:{at}: needs finding, by, and a decision: {', '.join(DECISIONS)}"
        raise SourceFormatError(msg)
    return done
