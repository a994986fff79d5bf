"""What the checks ask of all tasks together, told by the tasks or by counts of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TaskFacts"]

TIMES = ("created_at", "started_at", "completed_at", "failed_at")


@dataclass(frozen=True, eq=False)
class TaskFacts:
    """What is known of tasks, those of no project included.

    Attributes
    ----------
    latest
        The latest time of any; None where there is none.
    orphans
        How many are of a project that is not there, by ``project_id``.
    backwards
        How many ended before they started, likewise.
    statuses
        How many have each status.
    undated
        The ids of those without ``created_at``, sorted.
    """

    latest: pd.Timestamp | None
    orphans: pd.Series
    backwards: pd.Series
    statuses: pd.Series
    undated: tuple[str, ...]

    @classmethod
    def of_frames(cls, projects: pd.DataFrame, tasks: pd.DataFrame) -> TaskFacts:
        """Tell them of the tasks.

        Parameters
        ----------
        projects
            PROJECTS.
        tasks
            TASKS.

        Returns
        -------
        TaskFacts
            The facts.
        """
        owner, started = tasks["project_id"], tasks["started_at"]
        wrong = (tasks["completed_at"] < started) | (tasks["failed_at"] < started)
        orphan = ~owner.isin(projects["project_id"])
        return cls(
            _latest(tasks[name].max() for name in TIMES),
            owner[orphan].value_counts(dropna=False),
            owner[wrong].value_counts(dropna=False),
            tasks["status"].value_counts(),
            tuple(sorted(map(str, tasks.loc[tasks["created_at"].isna(), "task_id"]))),
        )

    @classmethod
    def of_tally(cls, projects: pd.DataFrame, tally: pd.DataFrame) -> TaskFacts:
        """Tell them of counts, but for the tasks without ``created_at``.

        Parameters
        ----------
        projects
            PROJECTS.
        tally
            TALLY.

        Returns
        -------
        TaskFacts
            The facts.
        """
        owner = tally["project_id"]
        orphan = ~owner.isin(projects["project_id"])
        times = [f"last_{name.removesuffix('_at')}" for name in TIMES]
        by_owner = tally.groupby("project_id", dropna=False, sort=False)
        backwards = by_owner["backwards"].sum()
        lost = tally[orphan].groupby("project_id", dropna=False, sort=False)
        return cls(
            _latest(tally[name].max() for name in times),
            lost["tasks"].sum(),
            backwards[backwards > 0],
            tally.groupby("status", observed=True)["tasks"].sum(),
            (),
        )

    def see(self, undated: Iterable[str]) -> TaskFacts:
        """Add what counts do not tell.

        Parameters
        ----------
        undated
            The ids of the tasks without ``created_at``.

        Returns
        -------
        TaskFacts
            The facts.
        """
        return replace(self, undated=tuple(sorted(undated)))


def _latest(times: Iterable[Any]) -> pd.Timestamp | None:
    known = [time for time in times if not pd.isna(time)]
    return max(known) if known else None
