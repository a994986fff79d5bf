"""The rules by which a dashboard turned tasks into a percentage, as data.

The case study's dashboard changed its rule six times in ten days; `POLICIES` holds each
of them and the audit's own three. One's own rule is one line::

    ProgressPolicy("ours", null="all", numerator=("completed", "cancelled"))

Every rule computes ``done / total * 100`` in this order of operations: the original
function did, and ``done * 100 / total`` differs from it in the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.errors import SettingError, suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = [
    "INFERRED",
    "POLICIES",
    "ProgressPolicy",
    "Shown",
    "TaskBook",
    "apply_policy",
    "round_percent",
]

# What each option of a policy may be.
CHOICES: dict[str, tuple[str | None, ...]] = {
    "population": ("all", "run"),
    "null": ("all", "none", "exclude", "inferred"),
    "unit": ("row", "logical"),
    "rounding": (None, "half_even", "half_up"),
}
NAT = np.iinfo(np.int64).min


@dataclass(frozen=True)
class ProgressPolicy:
    """One rule that turns a project's tasks into a percentage.

    Attributes
    ----------
    name
        Its name; columns of the audit end in it.
    since
        The date from which the dashboard used it, where it did.
    population
        ``all``: every task of the project. ``run``: those with ``created_at`` at or
        after ``execution_started_at``.
    null
        What a NULL start means: ``all`` tasks count, ``none`` do, the project is left
        out (``exclude``: its percentage is missing), or the start is ``inferred``.
    unit
        ``row``: every row counts. ``logical``: rows of one ``task_name`` and
        ``agent_type`` (a main and a backup agent's) count once; a row without a name
        counts by itself.
    numerator
        The statuses that count as done; a logical task does if any of its rows does.
    cap
        Whether the result is cut to 0..100.
    rounding
        None: the raw number. ``half_even``: to a whole number as Python's ``round``.
        ``half_up``: as JavaScript's ``Math.round``.
    quality
        Whether the rule also shows a quality: completed of all, with two decimals.

    Raises
    ------
    SettingError
        If an option is none of the above.

    Examples
    --------
    >>> ProgressPolicy("ours", null="all").rounding
    'half_even'
    >>> ProgressPolicy("ours", null="everything")
    Traceback (most recent call last):
        ...
    diagkit.errors.SettingError: policy 'ours': null='everything' is none of 'all', ...
    """

    name: str
    since: str = ""
    population: str = "run"
    null: str = "none"
    unit: str = "row"
    numerator: tuple[str, ...] = ("completed", "failed")
    cap: bool = True
    rounding: str | None = "half_even"
    quality: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            msg = f"policy {self.name!r}: a name is of letters, digits and _"
            raise SettingError(msg)
        for option, allowed in CHOICES.items():
            value = getattr(self, option)
            if value not in allowed:
                near = suggest(str(value), [a for a in allowed if a])
                msg = (
                    f"policy {self.name!r}: {option}={value!r} is none of "
                    f"{', '.join(map(repr, allowed))}{near}"
                )
                raise SettingError(msg)
        numerator: object = self.numerator
        if not isinstance(numerator, tuple) or not numerator:
            msg = (
                f"policy {self.name!r}: numerator={self.numerator!r} is no tuple of "
                "statuses; write ('completed', 'failed')"
            )
            raise SettingError(msg)


# The baseline of every effect. It is the newest rule with nothing changed but what NULL
# means, so that an effect of `current_run_or_zero` is the effect of NULL alone.
INFERRED = ProgressPolicy("inferred", null="inferred", unit="logical", quality=True)

POLICIES: tuple[ProgressPolicy, ...] = (
    ProgressPolicy(
        "all_runs_uncapped",
        "2025-11-20",
        population="all",
        null="all",
        numerator=("completed",),
        cap=False,
        rounding=None,
    ),
    ProgressPolicy(
        "all_runs",
        "2025-11-21",
        population="all",
        null="all",
        numerator=("completed",),
        rounding=None,
    ),
    ProgressPolicy(
        "current_run_or_all",
        "2025-11-25",
        null="all",
        numerator=("completed",),
        rounding=None,
    ),
    # On 28 November the quality was added, and the percentage stayed.
    ProgressPolicy(
        "current_run_or_all_finished", "2025-11-26", null="all", quality=True
    ),
    ProgressPolicy("current_run_or_zero", "2025-11-29", unit="logical", quality=True),
    # `created_at >= NULL` is true for no row: what a hand-written query shows.
    ProgressPolicy("sql_null"),
    ProgressPolicy("exclude", null="exclude", unit="logical", quality=True),
    INFERRED,
)


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
    """

    projects: int
    project: Ints
    created: Ints
    started: Ints
    status: Ints
    statuses: tuple[str, ...]
    group: Ints
    group_project: Ints

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
        # A task without a name is the twin of none: it gets a negative key of its own.
        width = int(agents.max(initial=0)) + 2
        task = np.where(
            names >= 0, names * width + agents + 1, -1 - np.arange(len(names))
        )
        span = int(task.max(initial=0)) + len(names) + 2
        group, keys = pd.factorize(project * span + task + len(names) + 1)
        return cls(
            len(projects),
            project,
            microseconds(tasks["created_at"]),
            microseconds(tasks["started_at"]),
            status.codes.to_numpy().astype(np.int64),
            tuple(map(str, status.categories)),
            group.astype(np.int64),
            (keys // span).astype(np.int64),
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
        )

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


@dataclass(frozen=True, eq=False)
class Shown:
    """What a policy shows, project by project.

    Attributes
    ----------
    percent
        In %; missing where the policy has none for the project.
    raw
        The same before it was rounded.
    quality
        In %, with two decimals; missing likewise.
    chosen
        For each task of the book, whether it is in the policy's population.
    """

    percent: Floats
    raw: Floats
    quality: Floats
    chosen: Bools


def apply_policy(
    policy: ProgressPolicy, book: TaskBook, starts: Ints, inferred: Ints
) -> Shown:
    """Compute what a policy shows for every project.

    Parameters
    ----------
    policy
        The rule.
    book
        The tasks.
    starts
        ``execution_started_at`` of each project in microseconds; `NAT` where NULL.
    inferred
        The inferred starts likewise; `NAT` where the data hold no evidence.

    Returns
    -------
    Shown
        Percentages, qualities and the tasks that were counted. A project without
        tasks shows 0.0.
    """
    null = starts == NAT
    every = policy.population == "all" or (null & (policy.null == "all"))
    unknown = np.zeros(book.projects, dtype=bool)
    if policy.null == "inferred":
        starts = np.where(null, inferred, starts)
        has_tasks = np.bincount(book.project, minlength=book.projects) > 0
        unknown = null & (inferred == NAT) & has_tasks
    elif policy.null == "exclude":
        unknown = null
    every = np.broadcast_to(every, (book.projects,)) & ~unknown
    known = (starts != NAT) & ~unknown
    at = book.project
    chosen = every[at] | (known[at] & (book.created >= starts[at]))
    total = book.count(chosen, policy.unit)
    done = book.count(chosen & book.has_status(policy.numerator), policy.unit)
    percent = _divide(done, total)
    if policy.cap:
        percent = np.clip(percent, 0.0, 100.0)
    percent[unknown] = np.nan
    completed = book.count(chosen & book.has_status(("completed",)), policy.unit)
    # numpy rounds to decimals by multiplying, Python by the exact decimal expansion:
    # the two differ in the last digit, and the dashboard is written in Python.
    quality = np.array([round(q, 2) for q in _divide(completed, total).tolist()])
    quality = quality.astype(np.float64)
    quality[unknown] = np.nan
    return Shown(round_percent(percent, policy.rounding), percent, quality, chosen)


def round_percent(percent: Floats, rounding: str | None) -> Floats:
    """Round percentages to whole numbers, as Python or as JavaScript does.

    Parameters
    ----------
    percent
        Any numbers.
    rounding
        None, ``half_even`` or ``half_up``.

    Returns
    -------
    numpy.ndarray
        The rounded numbers.

    Examples
    --------
    >>> import numpy as np
    >>> round_percent(np.array([12.5, 37.5]), "half_even").tolist()
    [12.0, 38.0]
    >>> round_percent(np.array([12.5, 37.5]), "half_up").tolist()
    [13.0, 38.0]
    """
    if rounding is None:
        return percent.copy()
    if rounding == "half_even":
        return np.rint(percent)
    below = np.floor(percent)
    return below + (percent - below >= 0.5)


def microseconds(times: pd.Series) -> Ints:
    """Return UTC times as microseconds since 1970; `NAT` where missing."""
    values: Any = times.astype("datetime64[us, UTC]").dt.tz_localize(None)
    counts: Ints = values.to_numpy().astype("datetime64[us]").astype(np.int64)
    return counts


def _divide(part: Ints, total: Ints) -> Floats:
    safe = np.where(total > 0, total, 1)
    return np.where(total > 0, part / safe * 100, 0.0)
