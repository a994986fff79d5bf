"""Infer when a project's run started, where ``execution_started_at`` is NULL.

The last run of tasks (see `diagkit.analyses.runs`) is the one that the page shows. The
evidence, best first:

=================  ====================================================================
``task_started``   a task of the last run has a ``started_at``: the run did start
``task_created``   tasks of the last run are queued; none has started
``logged``         a log record says that the run started
``updated_at``     the project's own row changed
=================  ====================================================================

With tasks as evidence, the inferred start is the earliest ``created_at`` of the run.
The earliest ``started_at`` proves the run, and would be the wrong threshold: a task
belongs to the run when it was *created* at or after the start, and the first tasks of a
run are queued before the first of them starts. Put in place of the starts that the case
study did record, the run's ``created_at`` gives the recorded percentage for 40 of 44
projects, its ``started_at`` for 9 of 44 (3.5 percentage points off in the mean). It is
among the candidates, so that the bounds hold it. The present moment never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.candidates import Candidates, weigh_candidates
from diagkit.analyses.nulls import null_rule
from diagkit.analyses.policies import NAT, microseconds
from diagkit.analyses.runs import (
    Bursts as Bursts,
    Runs,
    find_bursts as find_bursts,
    find_runs,
    gap_us,
)
from diagkit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diagkit.analyses.policies import Bools, Floats, Ints, ProgressPolicy, TaskBook

__all__ = ["Bursts", "Starts", "find_bursts", "infer_starts"]

# How many moments back the bounds look. For a run that began earlier still, the rules
# would have to be wrong that many times in a row.
MOMENTS_BACK = 24
LATEST = np.iinfo(np.int64).max
# A task may be created before its run's start by the clocks of two machines.
JITTER_US = 60_000_000
# Statuses of a run that is over or held: a later change of its row is no start.
OVER = ("completed", "failed", "paused")


@dataclass(frozen=True, eq=False)
class Starts:
    """What the data say about every project's start; a row a project in each array.

    Attributes
    ----------
    recorded
        ``execution_started_at`` in microseconds; `NAT` where NULL.
    inferred
        The same, with NULL replaced by the best evidence; `NAT` where there is none.
    low, high
        Least and most that the policy of the bounds shows over all candidates.
    evidence
        What the inferred start rests on, in words.
    bursts
        The runs that were told apart.
    candidates
        Every moment that the evidence allows as a start.
    """

    recorded: Ints
    inferred: Ints
    low: Floats
    high: Floats
    evidence: tuple[str, ...]
    bursts: Bursts
    candidates: Candidates


def infer_starts(
    projects: pd.DataFrame,
    book: TaskBook,
    policy: ProgressPolicy,
    *,
    now: int,
    gap: str | pd.Timedelta = "30min",
    logged: pd.DataFrame | None = None,
    never_started: Sequence[str] | Mapping[str | None, str] = ("pending",),
) -> Starts:
    """Infer every NULL start, and the bounds that the evidence allows.

    Parameters
    ----------
    projects
        PROJECTS.
    book
        Its tasks.
    policy
        The rule that the bounds are computed with.
    now
        Microseconds; a recorded start after it is not plausible.
    gap
        As for `find_runs`.
    logged
        Starts that log records tell: columns ``project_id`` and ``started_at``; of
        several for a project the latest counts.
    never_started
        Statuses of a project that has not started, or whose restart has set the start
        to NULL and has not begun; as for `judge_nulls`.

    Returns
    -------
    Starts
        A recorded start stands as it is in ``inferred``, plausible or not. It is the
        only candidate of the bounds while it is plausible; one in the future, later
        than every task, inside a run, before more than one run, or longer than a gap
        before the last is a candidate among those of the evidence. A task without
        ``created_at`` may belong to the run or not: the bounds allow both. So
        ``low <= percent <= high`` always.
    """
    count = len(projects)
    told = find_runs(book, gap)
    runs, bursts = told.runs, told.bursts
    recorded = microseconds(projects["execution_started_at"])
    status = projects["execution_status"].astype("object")
    idle = status.isin([s for s in null_rule(never_started) if s is not None])
    created = runs.last(count, runs.created)
    facts = _Evidence(
        recorded,
        microseconds(projects["updated_at"]),
        _align(logged, projects),
        created,
        np.where(created == NAT, _first_sign(book), runs.last(count, runs.started)),
        runs.last(count, runs.end),
        runs.last(count, runs.active),
        runs.per_project(count),
        np.bincount(
            bursts.project[bursts.created >= created[bursts.project]], minlength=count
        ),
        _spanned(runs, recorded),
        np.bincount(book.project, minlength=count),
        idle.to_numpy(dtype=bool),
        ~status.isin(OVER).to_numpy(dtype=bool),
        now,
        gap_us(gap),
    )
    candidates = weigh_candidates(policy, book, facts.slots(told), gap_us(gap))
    low, high = candidates.bounds(policy, book)
    words = facts.describe(runs.last(count, runs.tasks), low, high)
    return Starts(recorded, facts.infer(), low, high, words, runs, candidates)


@dataclass(frozen=True, eq=False)
class _Evidence:
    recorded: Ints
    updated: Ints
    logged: Ints
    created: Ints
    started: Ints
    end: Ints
    active: Ints
    runs: Ints
    bursts: Ints
    spanned: Ints
    tasks: Ints
    idle: Bools
    unfinished: Bools
    now: int
    gap: int

    @cached_property
    def null(self) -> Bools:
        null: Bools = self.recorded == NAT
        return null

    @cached_property
    def future(self) -> Bools:
        future: Bools = ~self.null & (self.recorded > self.now)
        return future

    @cached_property
    def after_tasks(self) -> Bools:
        late: Bools = ~self.null & (self.runs > 0) & (self.recorded > self.end)
        return late

    @cached_property
    def inside(self) -> Bools:
        known = ~self.null & (self.runs > 0)
        cut: Bools = known & (self.recorded - JITTER_US > self.created)
        return cut & (self.recorded <= self.end)

    @cached_property
    def early(self) -> Bools:
        known = ~self.null & (self.runs > 0)
        early: Bools = known & (self.recorded < self.created - self.gap)
        return early

    @cached_property
    def cleared(self) -> Bools:
        """Tell where a restart may have cleared the start, and made no task yet."""
        # The row of a project that is under way changes with its tasks. Long after the
        # last sign of them something else has changed it.
        silent = self.unfinished & (self.updated - self.gap > self.active)
        late = (self.runs > 0) & (self.updated != NAT) & (self.updated > self.end)
        cleared: Bools = late & (self.idle | silent)
        return cleared

    def infer(self) -> Ints:
        best = self.recorded.copy()
        # A project that has not started has no start to infer.
        begun = (self.tasks > 0) | ~self.idle
        for candidate in (self.created, self.started, self.logged, self.updated):
            best = np.where((best == NAT) & begun, candidate, best)
        return best

    def slots(self, told: Runs) -> list[tuple[str, Ints]]:
        """Return candidates, best first: what each rests on, and a start a project."""
        odd = self.future | self.after_tasks | self.inside | self.early
        odd |= self.spanned > 1
        open_ = self.null | odd
        begun = (self.tasks > 0) | ~self.idle
        before = (self.runs == 0) | (self.updated <= self.end)
        changed = np.where(open_ & begun & (before | self.cleared), self.updated, NAT)
        floor = told.proven_since(len(open_))
        slots = [
            ("recorded", self.recorded),
            ("task_created", np.where(open_, self.created, NAT)),
            ("task_started", np.where(open_, self.started, NAT)),
            ("logged", np.where(open_ & begun, self.logged, NAT)),
            ("updated_at", changed),
            *(
                ("other_burst", np.where(open_, slot, NAT))
                for slot in _step_back(told, len(open_))
            ),
        ]
        # What came before a last run that is proven is no part of it.
        least = np.where(floor == NAT, NAT, floor - self.gap)
        recorded, *rest = slots
        return [recorded, *((k, np.where(s >= least, s, NAT)) for k, s in rest)]

    def describe(self, size: Ints, low: Floats, high: Floats) -> tuple[str, ...]:
        return tuple(
            self._words(i, int(size[i]), low[i], high[i]) for i in range(len(low))
        )

    def _words(self, i: int, size: int, low: float, high: float) -> str:
        text = self._recorded(i) if not self.null[i] else self._inferred(i)
        if self.runs[i] and text.endswith(": "):
            text += self._run(i, size)
        if self.null[i] and self.cleared[i]:
            text += f"; a restart at {_clock(self.updated[i])} may have cleared it"
        if high > low:
            text += f"; the data cannot decide between {low:g} and {high:g} %"
        return text

    def _recorded(self, i: int) -> str:
        if self.future[i]:
            why = "in the future"
        elif self.after_tasks[i]:
            why = "later than every task"
        elif self.spanned[i] > 1:
            why = f"before {self.spanned[i]} bursts of tasks"
        elif self.inside[i]:
            why = "inside a burst of tasks"
        elif self.early[i]:
            why = "long before the first task"
        else:
            return "recorded"
        text = f"recorded {_clock(self.recorded[i])}, {why}"
        return f"{text}: " if self.runs[i] else text

    def _inferred(self, i: int) -> str:
        if not self.tasks[i]:
            return "no task: 0 % whatever the start"
        if self.runs[i]:
            return "task_started: " if self.started[i] != NAT else "task_created: "
        for kind, times in (
            ("task_started", self.started),
            ("logged", self.logged),
            ("updated_at", self.updated),
        ):
            if times[i] != NAT:
                return f"{kind}: {_clock(times[i])}, no task has a created_at"
        return "none: no task has a created_at"

    def _run(self, i: int, size: int) -> str:
        which = "last" if self.runs[i] > 1 else "only"
        tasks = "task" if size == 1 else "tasks"
        text = f"{which} burst of {size} {tasks} from {_clock(self.created[i])}"
        if self.bursts[i] > 1:
            text = text.replace("burst", f"run, {self.bursts[i]} bursts", 1)
        elif not self.bursts[i]:
            text = text.replace("burst", "run, its plan begun again,", 1)
        if self.started[i] != NAT:
            text += f", first started {_clock(self.started[i])}"
        return text


def _step_back(told: Runs, projects: int) -> list[Ints]:
    """Return when runs may have begun: the latest of each project, then others."""
    project, moment = told.project, told.moment
    ends = np.cumsum(np.bincount(project, minlength=projects)) - 1
    back = ends[project] - np.arange(len(project))
    slots = []
    for k in range(min(MOMENTS_BACK, int(back.max(initial=-1)) + 1)):
        slot = np.full(projects, NAT)
        slot[project[back == k]] = moment[back == k]
        slots.append(slot)
    return slots


def _first_sign(book: TaskBook) -> Ints:
    """Return the earliest start, or else end, of each project's tasks."""
    sign = np.where(book.started != NAT, book.started, book.ended)
    first = np.full(book.projects, LATEST)
    np.minimum.at(first, book.project, np.where(sign == NAT, LATEST, sign))
    return np.where(first == LATEST, NAT, first)


def _spanned(bursts: Bursts, recorded: Ints) -> Ints:
    """Return how many bursts of each project have a task at or after its start."""
    at = recorded[bursts.project]
    within = (at != NAT) & (bursts.end >= at)
    return np.bincount(bursts.project[within], minlength=len(recorded))


def _align(logged: pd.DataFrame | None, projects: pd.DataFrame) -> Ints:
    if logged is None:
        return np.full(len(projects), NAT)
    missing = [n for n in ("project_id", "started_at") if n not in logged.columns]
    if missing:
        msg = (
            f"logged has no column {missing[0]!r}: it is a row a start, with "
            "project_id and started_at (UTC)"
        )
        raise ContractError(msg)
    times = pd.to_datetime(logged["started_at"], utc=True)
    latest = times.groupby(logged["project_id"].astype("str")).max()
    return microseconds(latest.reindex(projects["project_id"]))


def _clock(us: int) -> str:
    return (
        str(np.datetime64(int(us), "us").astype("datetime64[s]")).replace("T", " ")
        + "Z"
    )
