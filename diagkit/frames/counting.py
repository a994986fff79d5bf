"""TALLY, LOGICAL and SEEN: tasks that are counted where they are, or seen in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from diagkit.frames.contract import UTC_TIME, Column, Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = [
    "LOGICAL",
    "SEEN",
    "TALLY",
    "CountedTasks",
    "Question",
    "TaskCounter",
    "logical_contract",
]

TALLY = Contract(
    "TALLY",
    (
        Column("project_id", "str", True, "", "as in TASKS, also of no known project"),
        Column("status", "category", True, "", "as in TASKS"),
        Column("in_run", "boolean", True, "", "created_at >= execution_started_at"),
        Column("named", "bool", False, "", "whether they have a task_name"),
        Column("tasks", "int64", False, "rows"),
        Column("undated", "int64", False, "rows", "of them without created_at"),
        Column(
            "backwards", "int64", False, "rows", "of them ended before they started"
        ),
        Column("first_created", UTC_TIME, True),
        Column("last_created", UTC_TIME, True),
        Column("last_started", UTC_TIME, True),
        Column("last_completed", UTC_TIME, True),
        Column("last_failed", UTC_TIME, True),
    ),
)

LOGICAL = Contract(
    "LOGICAL",
    (
        Column("project_id", "str", False, "", "those that have such tasks"),
        Column("groups", "int64", False, "logical tasks", "with a name"),
        Column("again", "int64", False, "rows", "may make one again; see Question"),
        Column("slots", "uint64", False, "", "a bit for each slot that has a task"),
    ),
)


SEEN = Contract(
    "SEEN",
    (
        Column("project_id", "category", False, "", "whose they are"),
        Column("task", "int64", False, "", "one number: one task_name and agent_type"),
        Column("named", "bool", False, "", "without a name it is the twin of none"),
        Column("status", "category", True, "", "as in TASKS"),
        Column("created_at", UTC_TIME, True),
        Column("started_at", UTC_TIME, True),
        Column("ended_at", UTC_TIME, True, "", "the later of completed_at, failed_at"),
    ),
)


def logical_contract(numerators: int) -> Contract:
    """Return LOGICAL with a column for each set of statuses that counts as done.

    Parameters
    ----------
    numerators
        How many sets there are.

    Returns
    -------
    Contract
        LOGICAL and ``done_0``, ``done_1`` ...: logical tasks with any row of such a
        status.

    Examples
    --------
    >>> logical_contract(2).names[-2:]
    ['done_0', 'done_1']
    """
    more = [
        Column(f"done_{i}", "int64", False, "logical tasks") for i in range(numerators)
    ]
    return Contract("LOGICAL", (*LOGICAL.columns, *more))


@dataclass(frozen=True)
class Question:
    """What is asked of a `TaskCounter`.

    Attributes
    ----------
    numerators
        Sets of statuses, in the contract's words.
    slot_s
        Width of a slot in seconds. Slots start at 1970; a bit of ``slots`` stands for
        every 64th.
    again_s
        A row makes a logical task again that was created so many seconds, or a second
        less, after another of it that has not failed. Where the last one did, all but
        one are taken for such rows.
    everything
        Whether logical tasks are counted over all runs as well.
    """

    numerators: tuple[tuple[str, ...], ...]
    slot_s: float
    again_s: float
    everything: bool = False


@dataclass(frozen=True, eq=False)
class CountedTasks:
    """What a `TaskCounter` found, as of one moment.

    Attributes
    ----------
    tally
        TALLY, a row for each combination of its first four columns that occurs.
    starts
        ``execution_started_at`` by ``project_id``, as it was at that moment.
    run
        LOGICAL of the tasks that were created at or after their project's start.
    everything
        LOGICAL of all tasks, where that was asked for.
    """

    tally: pd.DataFrame
    starts: pd.Series
    run: pd.DataFrame
    everything: pd.DataFrame


class TaskCounter(Protocol):
    """Counts tasks where they are."""

    def count(self, question: Question) -> CountedTasks | None:
        """Count; None where the tasks have to be read to be understood.

        Parameters
        ----------
        question
            What is counted.

        Returns
        -------
        CountedTasks or None
            The counts.
        """

    def read_seen(self, project_ids: Sequence[str]) -> pd.DataFrame:
        """Read of the tasks of some projects what tells their runs.

        Parameters
        ----------
        project_ids
            Which projects.

        Returns
        -------
        pandas.DataFrame
            SEEN, a row a task.
        """

    def read_undated(self) -> list[str]:
        """Read the ids of the tasks without ``created_at``.

        Returns
        -------
        list of str
            The ids, ``nan`` where a task has none.
        """
