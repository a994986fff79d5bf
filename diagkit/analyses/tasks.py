"""Tasks as arrays: what every policy counts from, and runs are told apart by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["NAT", "Book", "Population", "TaskBook", "microseconds"]

NAT = np.iinfo(np.int64).min


class Population(Protocol):
    """The tasks that a policy looks at."""

    def count(self, unit: str, statuses: Sequence[str] | None = None) -> Ints:
        """Count them for each project; only those with one of some statuses.

        Parameters
        ----------
        unit
            ``row`` or ``logical``: a logical task is there, or has a status, if any of
            its rows is, or has.
        statuses
            None for all.

        Returns
        -------
        numpy.ndarray
            The counts.
        """


class Book(Protocol):
    """What every policy counts from: tasks, or counts of them."""

    @property
    def projects(self) -> int:
        """How many projects there are."""

    @property
    def rows(self) -> Ints:
        """How many tasks each project has."""

    def choose(self, every: Bools, since: Ints) -> Population:
        """Choose tasks.

        Parameters
        ----------
        every
            For each project, whether all of its tasks are chosen.
        since
            Else those that were created at or after this; none where it is `NAT`.

        Returns
        -------
        Population
            The tasks.
        """


@dataclass(frozen=True, eq=False)
class TaskBook:
    """Tasks as arrays: what every policy counts from, made once.

    Attributes
    ----------
    projects
        How many projects there are.
    project
        For each task of a known project, the row of that project.
    created
        Its ``created_at`` in microseconds since 1970 UTC; `NAT` where missing.
    started
        Its ``started_at`` likewise.
    status
        Its status as a code into `statuses`; -1 where missing.
    statuses
        The statuses that occur.
    group
        The logical task it belongs to, as a row of `group_project`.
    group_project
        For each logical task the row of its project.
    ended
        For each task the later of ``completed_at`` and ``failed_at``; `NAT` where both
        are missing.
    """

    projects: int
    project: Ints
    created: Ints
    started: Ints
    status: Ints
    statuses: tuple[str, ...]
    group: Ints
    group_project: Ints
    ended: Ints

    @classmethod
    def from_frames(cls, projects: pd.DataFrame, tasks: pd.DataFrame) -> TaskBook:
        """Make one from PROJECTS and TASKS; tasks of no project are left out."""
        row = pd.Index(projects["project_id"]).get_indexer(tasks["project_id"])
        if (row < 0).any():
            tasks, row = tasks[row >= 0], row[row >= 0]
        project = row.astype(np.int64)
        status = tasks["status"].astype("category").cat
        names, _ = pd.factorize(tasks["task_name"])
        agents, _ = pd.factorize(tasks["agent_type"])
        width = int(agents.max(initial=0)) + 2
        group, group_project = _group(project, names * width + agents + 1, names >= 0)
        return cls(
            len(projects),
            project,
            microseconds(tasks["created_at"]),
            microseconds(tasks["started_at"]),
            status.codes.to_numpy().astype(np.int64),
            tuple(map(str, status.categories)),
            group,
            group_project,
            # NAT is the least of integers, so that any time is later.
            np.maximum(
                microseconds(tasks["completed_at"]), microseconds(tasks["failed_at"])
            ),
        )

    @classmethod
    def from_seen(cls, projects: pd.DataFrame, seen: pd.DataFrame) -> TaskBook:
        """Make one from PROJECTS and SEEN, of projects that are all known."""
        owners = seen["project_id"].cat
        row = pd.Index(projects["project_id"]).get_indexer(owners.categories)
        project = row[owners.codes.to_numpy()].astype(np.int64)
        task, _ = pd.factorize(seen["task"])
        group, group_project = _group(project, task, seen["named"].to_numpy())
        status = seen["status"].cat
        return cls(
            len(projects),
            project,
            microseconds(seen["created_at"]),
            microseconds(seen["started_at"]),
            status.codes.to_numpy().astype(np.int64),
            tuple(map(str, status.categories)),
            group,
            group_project,
            microseconds(seen["ended_at"]),
        )

    def take(self, chosen: Bools) -> TaskBook:
        """Return the book of some of the tasks only."""
        return TaskBook(
            self.projects,
            self.project[chosen],
            self.created[chosen],
            self.started[chosen],
            self.status[chosen],
            self.statuses,
            self.group[chosen],
            self.group_project,
            self.ended[chosen],
        )

    @property
    def rows(self) -> Ints:
        """How many tasks each project has."""
        return np.bincount(self.project, minlength=self.projects)

    def choose(self, every: Bools, since: Ints) -> Population:
        """Choose tasks; see `Book`.

        Parameters
        ----------
        every
            For each project, whether all of its tasks are chosen.
        since
            Else those that were created at or after this; none where it is `NAT`.

        Returns
        -------
        Population
            The tasks.
        """
        at = self.project
        late = (since != NAT)[at] & (self.created >= since[at])
        return _ChosenTasks(self, every[at] | late)

    def has_status(self, wanted: Sequence[str]) -> Bools:
        """Tell for each task whether its status is one of those wanted."""
        # The code of a missing status is -1, which takes the last entry.
        table = np.array([*(name in wanted for name in self.statuses), False])
        return table[self.status]

    def count(self, chosen: Bools, unit: str) -> Ints:
        """Count the chosen tasks of each project, in rows or in logical tasks."""
        if unit == "row":
            return np.bincount(self.project[chosen], minlength=self.projects)
        seen = np.zeros(len(self.group_project), dtype=bool)
        seen[self.group[chosen]] = True
        return np.bincount(self.group_project[seen], minlength=self.projects)


def _group(project: Ints, task: Ints, named: Bools) -> tuple[Ints, Ints]:
    """Give each logical task a number, and say which project has it."""
    # A task without a name is the twin of none: it gets a negative key of its own.
    key = np.where(named, task, -1 - np.arange(len(task)))
    span = int(key.max(initial=0)) + len(key) + 2
    group, keys = pd.factorize(project * span + key + len(key) + 1)
    return group.astype(np.int64), (keys // span).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _ChosenTasks:
    book: TaskBook
    chosen: Bools

    def count(self, unit: str, statuses: Sequence[str] | None = None) -> Ints:
        if statuses is None:
            return self.book.count(self.chosen, unit)
        return self.book.count(self.chosen & self.book.has_status(statuses), unit)


def microseconds(times: pd.Series) -> Ints:
    """Return UTC times as microseconds since 1970; `NAT` where missing."""
    values: Any = times.astype("datetime64[us, UTC]").dt.tz_localize(None)
    counts: Ints = values.to_numpy().astype("datetime64[us]").astype(np.int64)
    return counts
