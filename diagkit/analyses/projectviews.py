"""A part of an audit: a rule, which projects, and one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.eventviews import BARS
from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.analyses.progress import StartedAtAudit

# Which projects are shown, and how they are told.
SHOWN: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "all": lambda table: pd.Series(True, index=table.index),
    "NULL": lambda table: table["null"],
    "NULL that is illegal": lambda table: (
        table["null"] & ~table["legal"].fillna(True).astype(bool)
    ),
}


@dataclass(frozen=True, eq=False)
class ProjectView:
    """Projects that were chosen.

    Attributes
    ----------
    bars
        ``project_id``, ``shown``, ``inferred``, ``low``, ``high`` (%): those that are
        drawn, the largest effect first.
    count
        How many were chosen.
    table
        AUDIT of these.
    candidates
        CANDIDATES of the one project that was chosen.
    """

    bars: pd.DataFrame = field(repr=False)
    count: int
    table: pd.DataFrame = field(repr=False)
    candidates: pd.DataFrame | None = field(repr=False)

    def records(self, limit: int = 50) -> pd.DataFrame:
        """Return the projects in view as texts, or the evidence of the one chosen.

        Parameters
        ----------
        limit
            How many at most.

        Returns
        -------
        pandas.DataFrame
            Texts.
        """
        rows = self.table if self.candidates is None else self.candidates
        found = rows.head(limit).reset_index(drop=True)
        for name in found.columns:
            if found[name].dtype.kind == "f":
                found[name] = found[name].map("{:.1f}".format, na_action="ignore")
            elif isinstance(found[name].dtype, pd.DatetimeTZDtype):
                found[name] = found[name].dt.strftime("%Y-%m-%d %H:%M:%S")
        found = found.astype("object")
        return found.where(found.notna(), "–").astype("str")


def view_projects(
    audit: StartedAtAudit,
    *,
    policy: str,
    projects: str = "all",
    project: str | None = None,
) -> ProjectView:
    """Choose projects of an audit.

    Parameters
    ----------
    audit
        As `audit_started_at` gives it.
    policy
        The rule whose percentages are shown.
    projects
        ``all``, ``NULL`` or ``NULL that is illegal``.
    project
        One whose evidence is listed; None: the projects are.

    Returns
    -------
    ProjectView
        Projects by how far the rule is from the evidence.

    Raises
    ------
    SettingError
        If there is no such rule, choice or project.

    Examples
    --------
    >>> import diagkit as dk
    >>> audit = dk.audit_started_at(dk.open_sample().progress)
    >>> view = view_projects(audit, policy="current_run_or_zero", projects="NULL")
    >>> view.count, len(view.bars)
    (21, 21)
    """
    rules = [rule.name for rule in audit.policies]
    for name, value, known in (
        ("policy", policy, rules),
        ("projects", projects, list(SHOWN)),
    ):
        if value not in known:
            msg = f"{name}={value!r} is none of {', '.join(known)}"
            raise SettingError(msg + suggest(value, known))
    table = audit.projects
    rows = table[SHOWN[projects](table).astype(bool)]
    effect = f"effect_pp_{policy}"
    order = rows[effect].abs().sort_values(ascending=False, kind="stable").index
    rows = rows.loc[order]
    shown = rows.head(BARS)
    bars = pd.DataFrame(
        {
            "project_id": shown["project_id"].astype("str"),
            "shown": shown[f"percent_{policy}"],
            "inferred": shown["percent_inferred"],
            "low": shown["percent_low"],
            "high": shown["percent_high"],
        }
    ).reset_index(drop=True)
    columns = ["project_id", "started_at", "null", "legal", "tasks"]
    columns += [f"percent_{policy}", "percent_inferred", effect, "evidence"]
    columns = list(dict.fromkeys(columns))
    candidates = None
    if project is not None:
        if project not in set(table["project_id"]):
            msg = f"project={project!r} is none of the audit's"
            raise SettingError(msg + suggest(project, table["project_id"].tolist()))
        candidates = audit.candidates[audit.candidates["project_id"] == project]
    return ProjectView(bars, len(rows), rows[columns], candidates)
