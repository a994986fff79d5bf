"""Plan a backfill of NULL starts: SQL for review, its undo, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.backfill_scripts import Row, ScriptWriter
from diagkit.analyses.dialects import check_dialect
from diagkit.analyses.policies import INFERRED
from diagkit.errors import SettingError
from diagkit.frames.backfill import ACTIONS, backfill_contract

if TYPE_CHECKING:
    from diagkit.analyses.policies import ProgressPolicy
    from diagkit.analyses.progress import StartedAtAudit
    from diagkit.analyses.tasks import Floats

__all__ = ["BackfillPlan", "plan_backfill"]


@dataclass(frozen=True, repr=False, eq=False)
class BackfillPlan:
    """A backfill as SQL for review; diagkit never runs it.

    Attributes
    ----------
    sql
        Sets the starts, in transactions of a constant number of rows. To run it again
        changes nothing.
    undo_sql
        Makes those NULL again that still have the value that was set. The table is then
        as it was before.
    check_sql
        Ends in an error while illegal NULLs remain; also those that the plan leaves to
        a person.
    preview
        BACKFILL, a row a project in the order of PROJECTS.
    dialect
        ``postgresql``, ``mysql`` or ``sqlite``.
    policies
        The rules that are previewed.
    within_pp
        How far apart the bounds of a percentage may be for its start to be set.
    """

    sql: str
    undo_sql: str
    check_sql: str
    preview: pd.DataFrame
    dialect: str
    policies: tuple[ProgressPolicy, ...]
    within_pp: float

    def __repr__(self) -> str:
        counts = self.preview["action"].value_counts()
        said = ", ".join(f"{counts.get(name, 0)} {name}" for name in ACTIONS)
        return f"BackfillPlan({self.dialect}: {said})"


def plan_backfill(
    audit: StartedAtAudit,
    dialect: str = "postgresql",
    *,
    batch: int = 500,
    within_pp: float = 5.0,
) -> BackfillPlan:
    """Propose values for the NULL starts that must not be, as SQL for review.

    Parameters
    ----------
    audit
        What `audit_started_at` returns.
    dialect
        ``postgresql``, ``mysql`` (MariaDB too) or ``sqlite`` (3.33 or later).
    batch
        How many rows a transaction sets at most.
    within_pp
        A start is set where the percentages that its evidence allows are at most so
        many percentage points apart. Where they are further apart, or where there is no
        evidence, the data cannot decide: the start stays NULL, and the preview and the
        script name it. 0: only where all the evidence shows one percentage. 100:
        wherever there is evidence.

    Returns
    -------
    BackfillPlan
        The scripts and the preview. Values are UTC: in a column without a zone the
        clock's time in UTC, in one with a zone the instant. No other column changes,
        neither by the script nor by its undo.

    Raises
    ------
    SettingError
        If an argument is none of the above.

    Examples
    --------
    >>> from diagkit.analyses.progress import audit_started_at
    >>> from diagkit.frames.progress import PROJECTS, TASKS, Progress
    >>> projects = PROJECTS.build(
    ...     {"project_id": ["a", "b"], "execution_status": ["completed", "pending"]}
    ... )
    >>> tasks = TASKS.build({
    ...     "project_id": ["a", "a"],
    ...     "task_name": ["build", "test"],
    ...     "status": ["completed", "pending"],
    ...     "created_at": ["2025-11-24 10:00Z", "2025-11-24 10:01Z"],
    ... })
    >>> plan = plan_backfill(audit_started_at(Progress(projects, tasks)), "sqlite")
    >>> plan
    BackfillPlan(sqlite: 1 set, 0 undecided, 1 legal, 0 recorded)
    >>> row = plan.preview.loc[0]
    >>> str(row["started_at"])
    '2025-11-24 10:00:00+00:00'
    >>> print(row["before_sql_null"], row["after_sql_null"])
    0.0 50.0
    >>> [line for line in plan.sql.splitlines() if line.startswith("    ('a'")]
    ["    ('a', '2025-11-24 10:00:00');"]
    """
    dialect = check_dialect(dialect)
    if batch < 1:
        msg = f"batch={batch} sets no rows; use 1 or more"
        raise SettingError(msg)
    if not within_pp >= 0:
        msg = f"within_pp={within_pp} is no distance; use 0 to 100 percentage points"
        raise SettingError(msg)
    actions = _decide(audit.projects, within_pp)
    rules = audit.policies
    if INFERRED.name not in {rule.name for rule in rules}:
        rules = (*rules, INFERRED)
    preview = _preview(audit, rules, actions)
    order = preview.sort_values("project_id", kind="stable")
    rows = _rows(order[order["action"] == "set"])
    left = _rows(order[order["action"] == "undecided"])
    writer = ScriptWriter(
        dialect,
        audit.schema,
        audit.null_rule,
        bool(audit.projects["execution_status"].notna().any()),
        audit.source,
        batch,
    )
    return BackfillPlan(
        writer.backfill(rows, left),
        writer.undo(rows),
        writer.check(),
        preview,
        dialect,
        rules,
        float(within_pp),
    )


def _decide(projects: pd.DataFrame, within_pp: float) -> pd.Series:
    apart = projects["percent_high"] - projects["percent_low"]
    decided = projects["inferred_start"].notna() & (apart <= within_pp)
    actions = pd.Series("recorded", index=projects.index, dtype="str")
    actions[projects["null"]] = "legal"
    illegal = projects["null"] & ~projects["legal"].fillna(True).astype(bool)
    actions[illegal] = "undecided"
    actions[illegal & decided] = "set"
    return actions.astype(pd.CategoricalDtype(list(ACTIONS)))


def _preview(
    audit: StartedAtAudit, rules: tuple[ProgressPolicy, ...], actions: pd.Series
) -> pd.DataFrame:
    table = audit.projects
    chosen = (actions == "set").to_numpy()
    data: dict[str, object] = {
        name: table[name]
        for name in ("project_id", "execution_status", "percent_low", "percent_high")
    }
    data["action"] = actions
    data["started_at"] = table["inferred_start"].where(chosen)
    data["evidence"] = table["evidence"]
    told: list[list[str]] = [[] for _ in range(len(table))]
    for rule in rules:
        percent, quality = _after(audit, rule, chosen)
        before = table[f"percent_{rule.name}"].to_numpy()
        data[f"before_{rule.name}"] = before
        data[f"after_{rule.name}"] = percent
        data[f"change_pp_{rule.name}"] = percent - before
        differs = (percent != before) & ~(np.isnan(percent) & np.isnan(before))
        for i in np.flatnonzero(differs):
            told[i].append(f"{rule.name} {_say(before[i])} -> {_say(percent[i])}")
        if rule.quality and f"quality_{rule.name}" in table:
            data[f"quality_before_{rule.name}"] = table[f"quality_{rule.name}"]
            data[f"quality_after_{rule.name}"] = quality
    data["changes"] = ["; ".join(parts) for parts in told]
    shown = [r.name for r in rules if f"quality_after_{r.name}" in data]
    contract = backfill_contract([rule.name for rule in rules], shown)
    return contract.conform(pd.DataFrame(data, index=table.index))


def _after(
    audit: StartedAtAudit, rule: ProgressPolicy, chosen: np.ndarray[tuple[int], Any]
) -> tuple[Floats, Floats]:
    """Return what a rule shows once the chosen starts have their value."""
    before = audit.projects[f"percent_{rule.name}"].to_numpy()
    quality = audit.projects.get(f"quality_{rule.name}")
    was = np.full(len(before), np.nan) if quality is None else quality.to_numpy()
    if rule.population == "all" or rule.null == "inferred" or not chosen.any():
        return before, was
    if audit.apply is None:
        msg = "this audit can apply no policy: make it with audit_started_at"
        raise SettingError(msg)
    # With a start in the column, what NULL means to the rule no longer matters.
    shown = audit.apply(replace(rule, null="inferred"))
    return (
        np.where(chosen, shown.percent, before),
        np.where(chosen, shown.quality, was),
    )


def _rows(table: pd.DataFrame) -> list[Row]:
    starts = table["started_at"].dt.tz_localize(None)
    return [
        Row(
            str(project),
            "" if pd.isna(start) else start.isoformat(sep=" "),
            str(note),
        )
        for project, start, note in zip(
            table["project_id"], starts, table["evidence"], strict=True
        )
    ]


def _say(percent: float) -> str:
    return "none" if np.isnan(percent) else f"{percent:.4g}"
