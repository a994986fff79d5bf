"""What differs between two runs, as a page for those who review it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import diagkit
from diagkit.errors import SettingError, suggest
from diagkit.frames.reviews import CHANGES, DIFFERENCES
from diagkit.redaction.frames import redact_frame
from diagkit.redaction.text import redact_text
from diagkit.report.document import Document, Section, make_table
from diagkit.report.files import write_whole
from diagkit.report.pages import to_html, to_markdown

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

FORMATS: dict[str, Callable[[Document, str], str]] = {
    ".html": to_html,
    ".md": to_markdown,
}
# What each section is called, and the columns that say something there.
BOTH = ("finding", "severity_before", "severity_now", "before", "now")
SECTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "new": ("New", ("finding", "severity_now", "now")),
    "worse": ("Worse", BOTH),
    "changed": ("Says something else", ("finding", "severity_now", "before", "now")),
    "better": ("Better", BOTH),
    "gone": ("Gone", ("finding", "severity_before", "before")),
    "same": ("The same", ("finding", "severity_now", "now")),
}
DECIDED = ("state", "reviews")


def render_review(
    changes: pd.DataFrame,
    output: str | os.PathLike[str],
    *,
    base: str = "before",
    head: str = "now",
) -> None:
    r"""Write what differs between the findings of two runs as a page.

    Parameters
    ----------
    changes
        CHANGES, as `compare_findings` gives it.
    output
        The file: ``.html`` (nothing is fetched, no script) or ``.md``.
    base, head
        What the two runs are called; a run of its own has one name.

    Raises
    ------
    SettingError
        If the ending is of no format that is known.
    SourceAccessError
        If the file cannot be written. Then it is as it was before.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "review.md"
    >>> render_review(CHANGES.empty(), path)
    >>> path.read_text(encoding="utf-8").splitlines()[2]
    'Neither run has a finding.'
    """
    path = Path(output)
    check_format(path)
    done = redact_frame(CHANGES.check(changes))
    runs = base if base == head else f"{base} → {head}"
    document = Document(
        redact_text(f"Review: {runs}").text,
        count_changes(changes),
        tuple(_sections(done.frame)),
    )
    footer = (
        f"Made by diagkit {diagkit.__version__}. Findings are compared by their ids, "
        "what they say and how severe they are."
    )
    write_whole(path, FORMATS[path.suffix](document, footer).encode())


def check_format(path: Path) -> None:
    """Check that a review can be written to a file of that name.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    SettingError
        If its ending is of no format that is known.
    """
    if path.suffix not in FORMATS:
        near = suggest(path.suffix, FORMATS)
        msg = f"{path}: a review is written as {' or '.join(FORMATS)}{near}"
        raise SettingError(msg)


def count_changes(changes: pd.DataFrame) -> str:
    """Say how many findings differ, in one sentence.

    Parameters
    ----------
    changes
        CHANGES.

    Returns
    -------
    str
        For example ``2 new, 1 gone, 9 the same; 1 disputed.``.

    Examples
    --------
    >>> count_changes(CHANGES.empty())
    'Neither run has a finding.'
    """
    if changes.empty:
        return "Neither run has a finding."
    kinds = changes["change"].astype("str").value_counts()
    said = [
        f"{kinds[kind]} {'the same' if kind == 'same' else kind}"
        for kind in DIFFERENCES
        if kind in kinds
    ]
    states = changes["state"].astype("str").value_counts()
    decided = [
        f"{states[state]} {state}"
        for state in ("accepted", "disputed", "outdated")
        if state in states
    ]
    return f"{'; '.join(', '.join(part) for part in (said, decided) if part)}."


def _sections(changes: pd.DataFrame) -> list[Section]:
    made = []
    for kind, (heading, columns) in SECTIONS.items():
        rows = changes[changes["change"] == kind]
        if rows.empty:
            continue
        # Columns in which nobody decided anything would only take room.
        decided = DECIDED if (rows["reviews"] != "").any() else ()
        caption = f"{len(rows)} finding{'' if len(rows) == 1 else 's'}"
        table = make_table(
            caption, rows, (*columns, *decided), folded=kind == "same", limit=len(rows)
        )
        made.append(Section(kind, heading, tables=(table,)))
    return made
