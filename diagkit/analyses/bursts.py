"""Tasks come in bursts: parted by gaps in ``created_at``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.tasks import NAT
from diagkit.errors import SettingError

if TYPE_CHECKING:
    from diagkit.analyses.tasks import Bools, Ints, TaskBook

__all__ = [
    "Bursts",
    "OrderedTasks",
    "after_gap",
    "collect_bursts",
    "find_bursts",
    "gap_us",
    "order_tasks",
]

LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Bursts:
    """Bursts of tasks, in order of project and time; a row a burst in each array.

    Attributes
    ----------
    project
        Row of the project.
    created
        Earliest ``created_at`` in microseconds.
    started
        Earliest ``started_at`` likewise; `NAT` where no task of it has started.
    tasks
        How many tasks it has.
    end
        Latest ``created_at``.
    active
        The latest time of any of its tasks: created, started, completed or failed.
    """

    project: Ints
    created: Ints
    started: Ints
    tasks: Ints
    end: Ints
    active: Ints

    def per_project(self, projects: int) -> Ints:
        """Return how many bursts each project has."""
        return np.bincount(self.project, minlength=projects)

    def last(self, projects: int, values: Ints) -> Ints:
        """Return the value of each project's last burst; `NAT` where it has none."""
        out = np.full(projects, NAT)
        # Bursts are in order of time: of several assignments numpy keeps the last.
        out[self.project] = values
        return out


def find_bursts(book: TaskBook, gap: str | pd.Timedelta = "30min") -> Bursts:
    """Part every project's tasks where ``created_at`` has a gap.

    Parameters
    ----------
    book
        The tasks.
    gap
        A task that was created more than this after the one before starts a burst.
        In the case study every gap from 9 minutes to 2.5 hours tells the same last
        runs.

    Returns
    -------
    Bursts
        The bursts. Tasks without ``created_at`` are in none.

    Raises
    ------
    SettingError
        If the gap is no positive duration.
    """
    ordered = order_tasks(book)
    return collect_bursts(ordered, after_gap(ordered, gap_us(gap)))


def gap_us(gap: str | pd.Timedelta) -> int:
    """Return a gap in microseconds."""
    try:
        width = pd.Timedelta(gap)
    except ValueError:
        msg = f"gap={gap!r} is no duration; write '30min' or '2h'"
        raise SettingError(msg) from None
    if not width > pd.Timedelta(0):
        msg = f"gap={gap!r} is not positive; write '30min' or '2h'"
        raise SettingError(msg)
    return int(width / pd.Timedelta(microseconds=1))


@dataclass(frozen=True, eq=False)
class OrderedTasks:
    """The dated tasks by project and time, as arrays of one length.

    Attributes
    ----------
    project, created, started, ended, group
        As in `TaskBook`.
    failed, cancelled
        Whether it has that status.
    groups
        How many logical tasks the book has.
    """

    project: Ints
    created: Ints
    started: Ints
    ended: Ints
    group: Ints
    failed: Bools
    cancelled: Bools
    groups: int


def order_tasks(book: TaskBook) -> OrderedTasks:
    """Return the tasks that have a ``created_at``, by project and time."""
    dated = np.flatnonzero(book.created != NAT)
    at = dated[np.lexsort((book.created[dated], book.project[dated]))]
    return OrderedTasks(
        book.project[at],
        book.created[at],
        book.started[at],
        book.ended[at],
        book.group[at],
        book.has_status(("failed",))[at],
        book.has_status(("cancelled",))[at],
        len(book.group_project),
    )


def after_gap(tasks: OrderedTasks, gap: int) -> Bools:
    """Tell which tasks are the first of a project, or come after a gap."""
    new = np.zeros(len(tasks.project), dtype=bool)
    new[:1] = True
    new[1:] = (np.diff(tasks.project) != 0) | (np.diff(tasks.created) > gap)
    return new


def collect_bursts(tasks: OrderedTasks, new: Bools) -> Bursts:
    """Return the bursts that begin with the chosen tasks."""
    at = np.flatnonzero(new)
    if not len(at):
        none = np.empty(0, dtype=np.int64)
        return Bursts(none, none, none, none, none, none)
    first = np.minimum.reduceat(
        np.where(tasks.started == NAT, LATEST, tasks.started), at
    )
    size = np.diff(np.append(at, len(new)))
    latest = np.maximum(np.maximum(tasks.created, tasks.started), tasks.ended)
    return Bursts(
        tasks.project[at],
        tasks.created[at],
        np.where(first == LATEST, NAT, first),
        size,
        tasks.created[at + size - 1],
        np.maximum.reduceat(latest, at),
    )
