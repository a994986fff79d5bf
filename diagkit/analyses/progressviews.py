"""A part of an audit of starts: some projects, and what is known of one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.frames.progress import TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.analyses.progress import StartedAtAudit
    from diagkit.frames.progress import Progress

__all__ = ["TaskRecords", "list_portfolio", "list_shown", "tell_project", "view_audit"]

TOLD = ("execution_status", "created_at", "started_at", "inferred_start", "evidence")
TASK = ("task_name", "agent_type", "status", "created_at", "started_at", "ended_at")
NONE = "–"


def view_audit(audit: StartedAtAudit, *, illegal: bool = False) -> StartedAtAudit:
    """Take a part of an audit.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    illegal
        Only projects that ran and have no start.

    Returns
    -------
    StartedAtAudit
        The same audit of fewer projects; its findings are those of all.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, Progress
    >>> audit = audit_started_at(Progress(PROJECTS.empty(), TASKS.empty()))
    >>> len(view_audit(audit, illegal=True).projects)
    0
    """
    if not illegal:
        return audit
    table = audit.projects
    wrong = table["null"] & ~table["legal"].fillna(True).astype(bool)
    return replace(audit, projects=table[wrong])


def list_shown(
    rows: pd.DataFrame, policies: Sequence[str], limit: int = 50
) -> pd.DataFrame:
    """Return what policies show for projects, as texts.

    Parameters
    ----------
    rows
        Of AUDIT.
    policies
        Names of policies.
    limit
        How many rows at most.

    Returns
    -------
    pandas.DataFrame
        ``project``, ``start`` (``NULL`` or a time), the percentages by the policies
        and by ``inferred``, ``evidence``.
    """
    shown = rows.head(limit)
    columns: dict[str, list[str]] = {
        "project": shown["project_id"].astype("str").to_list(),
        "start": [_time(at, "NULL") for at in shown["started_at"]],
    }
    for name in dict.fromkeys((*policies, "inferred")):
        columns[name] = [_percent(value) for value in shown[f"percent_{name}"]]
    columns["evidence"] = shown["evidence"].astype("str").to_list()
    return pd.DataFrame(columns, dtype="str")


def list_portfolio(audit: StartedAtAudit) -> pd.DataFrame:
    """Return what policies show for all projects together, as texts.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.

    Returns
    -------
    pandas.DataFrame
        ``policy``, ``since``, ``mean``, ``effect``, ``changed``.
    """
    table = audit.portfolio
    return pd.DataFrame(
        {
            "policy": table["policy"].to_list(),
            "since": [since or NONE for since in table["since"]],
            "mean": [_percent(value) for value in table["mean_percent"]],
            "effect": [_points(value) for value in table["mean_effect_pp"]],
            "changed": table["changed"].to_list(),
        },
        dtype="str",
    )


def tell_project(audit: StartedAtAudit, project: str) -> dict[str, pd.DataFrame]:
    """Return what an audit knows of a project, as texts.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    project
        Its id.

    Returns
    -------
    dict of str to pandas.DataFrame
        By caption: what each policy shows, the project's record, and the moments at
        which its run may have started.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, Progress
    >>> projects = PROJECTS.build({"project_id": ["a"],
    ...     "execution_started_at": ["2025-11-24 10:00Z"]})
    >>> audit = audit_started_at(Progress(projects, TASKS.empty()))
    >>> tell_project(audit, "a")["AUDIT of a"].iloc[2].tolist()
    ['started_at', '2025-11-24 10:00:00']
    """
    row = audit.projects[audit.projects["project_id"] == project].iloc[0]
    names = [rule.name for rule in audit.policies]
    names = list(dict.fromkeys((*names, "inferred")))
    shown = pd.DataFrame(
        {
            "policy": names,
            "percent": [_percent(row[f"percent_{name}"]) for name in names],
            "effect": [_points(row[f"effect_pp_{name}"]) for name in names],
        },
        dtype="str",
    )
    told = {name: _tell(row[name]) for name in TOLD}
    told["NULL"] = "no" if not row["null"] else "legal" if row["legal"] else "illegal"
    told["tasks"] = str(row["tasks"])
    bounds = [_percent(row[f"percent_{end}"]) for end in ("low", "high")]
    told["the evidence allows"] = " to ".join(bounds)
    starts = audit.candidates[audit.candidates["project_id"] == project]
    candidates = pd.DataFrame(
        {
            "may have started": [_time(at) for at in starts["started_at"]],
            "evidence": starts["evidence"].astype("str").to_list(),
            "inferred would show": [_percent(value) for value in starts["percent"]],
        },
        dtype="str",
    )
    return {
        f"What each policy shows of {project}": shown,
        f"AUDIT of {project}": pd.DataFrame(
            {"of the project": list(told), "is": list(told.values())}, dtype="str"
        ),
        f"When {project} may have started": candidates,
    }


class TaskRecords:
    """The tasks of projects, found by project at once.

    Parameters
    ----------
    progress
        Projects and tasks. The tasks are read when they are first asked for.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._order: Any = None

    def of(self, project: str, limit: int = 50) -> tuple[pd.DataFrame, int]:
        """Return the tasks of a project as texts, and how many there are.

        Parameters
        ----------
        project
            Its id.
        limit
            How many at most.

        Returns
        -------
        tuple of pandas.DataFrame and int
            ``task_name``, ``agent_type``, ``status``, ``created_at``, ``started_at``,
            ``ended_at``: in the order in which they were created.
        """
        tasks = TASKS.check(self._progress.tasks)
        if self._order is None:
            codes, names = pd.factorize(tasks["project_id"])
            order = np.argsort(codes, kind="stable")
            self._order = names, order, codes[order]
        names, order, codes = self._order
        place = names.get_indexer([project])[0]
        ends = np.searchsorted(codes, [place, place + 1]) if place >= 0 else (0, 0)
        mine = tasks.iloc[order[slice(*ends)]].sort_values("created_at", kind="stable")
        few = mine.head(limit)
        few = few.assign(ended_at=few["completed_at"].fillna(few["failed_at"]))
        columns = {name: [_tell(value) for value in few[name]] for name in TASK}
        return pd.DataFrame(columns, dtype="str"), len(mine)


def _tell(value: Any) -> str:
    if pd.isna(value):
        return NONE
    return _time(value) if isinstance(value, pd.Timestamp) else str(value)


def _time(at: Any, missing: str = NONE) -> str:
    return missing if pd.isna(at) else f"{at:%Y-%m-%d %H:%M:%S}"


def _percent(value: Any) -> str:
    return NONE if pd.isna(value) else f"{value:.1f} %"


def _points(value: Any) -> str:
    text = NONE if pd.isna(value) else f"{value:+.1f} pp"
    return text.replace("-", "\N{MINUS SIGN}")
