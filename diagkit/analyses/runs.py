"""Tell the runs of a project apart.

Tasks are created in bursts, one a run: inside a run a task follows the last within
seconds or minutes, between two runs lie the better part of an hour or days. A gap in
``created_at`` is the main evidence (`find_bursts`). Three things overrule it
(`find_runs`):

- **The run went on.** Tasks that waited when the gap began were started after it, and
  no more of them were cancelled: a run was paused, for a restart cancels what waits.
  Not so where nearly all tasks after the gap make again some of those before.
- **Only repairs.** Every task after the gap is a logical task that had failed before
  it, and they are few: late retries, no new run.
- **The plan begins again.** Inside a burst, tasks that had not failed are made a second
  time, in their order and nearly all of them: a restart without a gap.

In the case study, of 306 tasks that waited when a gap began none was started after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.bursts import (
    Bursts as Bursts,
    after_gap,
    collect_bursts,
    find_bursts as find_bursts,
    gap_us as gap_us,
    order_tasks,
)
from diagkit.analyses.tasks import NAT

if TYPE_CHECKING:
    from diagkit.analyses.bursts import OrderedTasks
    from diagkit.analyses.tasks import Bools, Floats, Ints, TaskBook

__all__ = ["Bursts", "Runs", "find_bursts", "find_runs", "gap_us"]

LATEST = np.iinfo(np.int64).max
# Repairs are at most this share of the logical tasks of the run that they repair.
REPAIRS = 0.5
# This share of a plan's tasks is made again when it begins again; or perhaps.
AGAIN = 0.8
PERHAPS = 0.6
# Fewer tasks than this prove no plan.
LEAST = 5
# What happens within this is one event: a main and a backup agent's row, for example.
SOON_US = 60_000_000
# Where rows are deleted, the moment at which a plan begins again is told to so many.
NEAR = 3
# A silence of this part of a gap may part two runs.
SILENCES = 3
# A burst of a few minutes holds no more restarts than two to the power of this.
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of every project, and when they may have begun instead.

    Attributes
    ----------
    runs
        The runs, as bursts of tasks.
    bursts
        What a gap alone parts.
    proven
        For each run whether it makes again what a run before it had made, so that
        whatever came before the gap is no part of it.
    project, moment
        Each moment at which a run may have begun, by project and time: the first task
        of each run and of each burst; after a third of the gap; and the tasks next to
        one where a plan begins again, or may do so.
    """

    runs: Bursts
    bursts: Bursts
    proven: Bools
    project: Ints
    moment: Ints

    def proven_since(self, projects: int) -> Ints:
        """Return when the last run of each project began; `NAT` if not proven."""
        begun = np.where(self.proven, self.runs.created, NAT)
        return self.runs.last(projects, begun)


def find_runs(book: TaskBook, gap: str | pd.Timedelta = "30min") -> Runs:
    """Tell the runs of every project apart, by gaps and by what overrules them.

    Parameters
    ----------
    book
        The tasks.
    gap
        As for `find_bursts`.

    Returns
    -------
    Runs
        The runs.

    Raises
    ------
    SettingError
        If the gap is no positive duration.
    """
    tasks = order_tasks(book)
    width = gap_us(gap)
    gaps = after_gap(tasks, width)
    new, near, proven = gaps, gaps, gaps
    if gaps.any():
        goes_on, proven = _compare(tasks, gaps)
        new = gaps & ~goes_on
        new, doubtful = _begin_again(tasks, new)
        near = after_gap(tasks, width // SILENCES) | new
        near = near | _widen((new & ~gaps) | doubtful, np.cumsum(gaps))
    moments = np.unique(np.stack([tasks.project[near], tasks.created[near]]), axis=1)
    runs, bursts = collect_bursts(tasks, new), collect_bursts(tasks, gaps)
    return Runs(runs, bursts, proven[new], *moments)


def _compare(tasks: OrderedTasks, new: Bools) -> tuple[Bools, Bools]:
    """Tell which tasks begin a burst that goes on with one before, or surely not."""
    burst, first = np.cumsum(new) - 1, np.flatnonzero(new)
    repaired, remade, size = _count_repeats(tasks, burst)
    before = np.append(0, size[:-1])
    repairs = (repaired == size) & (size <= REPAIRS * before)
    fewer = np.minimum(size, before)
    again = remade >= AGAIN * fewer
    went_on = _went_on(tasks, burst, first) & ~again
    goes_on, proven = np.zeros((2, len(new)), dtype=bool)
    goes_on[first[repairs | went_on]] = True
    proven[first[again & (fewer >= LEAST)]] = True
    # The first burst of a project goes on with nothing.
    inner = np.append(False, np.diff(tasks.project) == 0)
    return goes_on & inner, proven & inner


def _went_on(tasks: OrderedTasks, burst: Ints, first: Ints) -> Bools:
    """Tell for each burst whether what waited before it was started after it began."""
    # What waited may be taken up a little before the next task is made.
    begun = np.append(tasks.created[first[1:]], LATEST)[burst] - SOON_US
    later = tasks.started >= begun
    dropped = tasks.cancelled & (tasks.started == NAT)
    # A burst's count says of the next one whether it went on.
    started, cancelled = (
        np.append(0, np.bincount(burst[rows], minlength=len(first))[:-1])
        for rows in (later, dropped)
    )
    went_on: Bools = (started > 0) & (started >= cancelled)
    return went_on


def _count_repeats(tasks: OrderedTasks, burst: Ints) -> tuple[Ints, Ints, Ints]:
    """Count for each burst the logical tasks that it repairs, makes again, and has."""
    key = burst * tasks.groups + tasks.group
    kind, keys = pd.factorize(key)
    # The last row of a logical task in a burst says how the burst left it. Rows are in
    # order of time, and of several assignments numpy keeps the last.
    left_failed = np.zeros(len(keys), dtype=bool)
    left_failed[kind] = tasks.failed
    at = pd.Index(keys).get_indexer(keys - tasks.groups)
    known = at >= 0
    of = keys // tasks.groups
    count = int(burst[-1]) + 1
    repaired = np.bincount(of[known & left_failed[at]], minlength=count)
    remade = np.bincount(of[known & ~left_failed[at]], minlength=count)
    return repaired, remade, np.bincount(of, minlength=count)


def _begin_again(tasks: OrderedTasks, new: Bools) -> tuple[Bools, Bools]:
    """Part bursts where their plan begins again.

    Returns
    -------
    tuple
        Which tasks begin a run; and which may, though that is not sure.
    """
    doubtful = np.zeros(len(new), dtype=bool)
    for _ in range(ROUNDS):
        plan = _look_again(tasks, new)
        sure = plan.best(plan.share >= AGAIN)
        doubtful |= plan.best(plan.share >= PERHAPS) | plan.brief
        if not sure.any():
            break
        new = new | sure
    return new, doubtful & ~new


def _widen(found: Bools, burst: Ints) -> Bools:
    """Add the tasks next to those found, in their burst."""
    wide = found.copy()
    for step in range(1, NEAR + 1):
        same = burst[step:] == burst[:-step]
        wide[step:] |= found[:-step] & same
        wide[:-step] |= found[step:] & same
    return wide


@dataclass(frozen=True, eq=False)
class _Plan:
    """For each task, whether the plan of its burst begins again with it.

    As many tasks are looked at from it on (`window`) as the burst has before it, for
    what repeats a plan does so in its order; `again` of them, a `share`, repeat a
    logical task of the burst that had not failed. `head` tells how far from the head
    of the plan the one is that this one repeats. A run may also be too `brief` for
    that: the few tasks before are all made again; or the few tasks left all are, and
    this one is among the first of the plan.
    """

    burst: Ints
    window: Ints
    again: Ints
    share: Floats
    head: Ints
    brief: Bools

    def best(self, allowed: Bools) -> Bools:
        """Choose the task of each burst from which most is made again, head first."""
        score = self.again - 2 * self.head
        chosen = np.zeros(len(self.burst), dtype=bool)
        rows = np.flatnonzero(allowed & (self.window >= LEAST))
        order = np.lexsort((self.share[rows], score[rows], self.burst[rows]))
        rows = rows[order]
        chosen[rows[np.diff(self.burst[rows], append=-1) != 0]] = True
        return chosen


def _look_again(tasks: OrderedTasks, new: Bools) -> _Plan:
    burst, begin = np.cumsum(new) - 1, np.flatnonzero(new)
    at = np.arange(len(new))
    before = at - begin[burst]
    left = np.append(begin[1:], len(new))[burst] - at
    first, sound, last = _occurrences(burst * tasks.groups + tasks.group, tasks.failed)
    made = tasks.created - tasks.created[np.minimum(sound, at)] > SOON_US
    repeats = tasks.created - tasks.created[first] > SOON_US
    repeated = tasks.created[last] - tasks.created > SOON_US
    window = np.minimum(before, left)
    again = _between(made, at, window)
    few_before = (before > 0) & (_between(repeated, begin[burst], before) == before)
    few_left = _between(repeats, at, left) == left
    head = np.where(made, sound - begin[burst], window)
    few_left &= made & (head < 2 * LEAST)
    brief: Bools = (few_before & (before < LEAST)) | (few_left & (left < LEAST))
    return _Plan(burst, window, again, again / np.maximum(window, 1), head, brief)


def _occurrences(key: Ints, failed: Bools) -> tuple[Ints, Ints, Ints]:
    """Return for each task the first row of its key, its first sound one, its last."""
    kind, keys = pd.factorize(key)
    at = np.arange(len(key))
    first, sound, last = (np.full(len(keys), len(key)) for _ in range(3))
    # Of several assignments numpy keeps the last.
    first[kind[::-1]] = at[::-1]
    last[kind] = at
    fine = np.flatnonzero(~failed)[::-1]
    sound[kind[fine]] = fine
    return first[kind], sound[kind], last[kind]


def _between(chosen: Bools, begin: Ints, length: Ints) -> Ints:
    """Count the chosen rows of spans."""
    so_far = np.append(0, np.cumsum(chosen))
    counted: Ints = so_far[begin + length] - so_far[begin]
    return counted
