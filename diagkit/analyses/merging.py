"""Projects whose tasks are counted and projects whose tasks are seen, as one book."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from diagkit.analyses.candidates import Candidates
from diagkit.analyses.policies import apply_policy
from diagkit.analyses.starts import Starts
from diagkit.analyses.tasks import NAT, TaskBook
from diagkit.frames.starts import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from diagkit.analyses.counting import Counts
    from diagkit.analyses.policies import ProgressPolicy
    from diagkit.analyses.runs import Bursts
    from diagkit.analyses.task_facts import TaskFacts
    from diagkit.analyses.tasks import Bools, Floats, Ints, Population

    Rows = TypeVar("Rows", Bursts, Candidates)

__all__ = ["MergedBook", "see_rest"]

RECORDED = "recorded"


def see_rest(
    counts: Counts,
    projects: pd.DataFrame,
    told: TaskFacts,
    policy: ProgressPolicy,
    infer: Callable[[pd.DataFrame, TaskBook], Starts],
    now: int,
) -> tuple[MergedBook, Starts, TaskFacts]:
    """Read the tasks of the projects that are not settled, and infer their starts.

    Parameters
    ----------
    counts
        What was counted.
    projects
        PROJECTS.
    told
        What the counts tell of all tasks.
    policy
        The rule that the bounds are computed with.
    infer
        Infers starts of projects and their tasks.
    now
        As for `infer_starts`.

    Returns
    -------
    tuple
        What policies count from, the starts, and what is told of all tasks.
    """
    settled = counts.settle(now)
    rest = projects[~settled]
    ids = rest["project_id"][counts.rows[~settled] > 0].tolist()
    seen = counts.counter.read_seen(ids)
    book = MergedBook(counts, settled, TaskBook.from_seen(rest, seen))
    part = infer(rest, book.seen)
    shown = apply_policy(policy, book, counts.recorded, counts.recorded).percent
    if counts.counted.tally["undated"].any():
        told = told.see(counts.counter.read_undated())
    return book, _merge_starts(book, part, shown), told


@dataclass(frozen=True, eq=False)
class MergedBook:
    """A `Book` of settled projects, by counts, and of the others, by their tasks.

    Attributes
    ----------
    counts
        The counts.
    settled
        For each project, whether they stand for its tasks.
    seen
        The tasks of the others, in their order.
    """

    counts: Counts
    settled: Bools
    seen: TaskBook

    @property
    def projects(self) -> int:
        """How many projects there are."""
        return len(self.settled)

    @property
    def rows(self) -> Ints:
        """How many tasks each project has."""
        return self.merge(self.counts.rows, self.seen.rows)

    def choose(self, every: Bools, since: Ints) -> Population:
        """Choose tasks; see `Book`.

        Parameters
        ----------
        every
            For each project, whether all of its tasks are chosen.
        since
            Else those from then on: of a settled project its recorded start, or `NAT`.

        Returns
        -------
        Population
            The tasks.
        """
        others = ~self.settled
        seen = self.seen.choose(every[others], since[others])
        return _MergedTasks(self, every, since != NAT, seen)

    def merge(self, counted: Ints, seen: Ints) -> Ints:
        """Return the counts of all projects."""
        merged = counted.copy()
        merged[~self.settled] = seen
        return merged


def _merge_starts(book: MergedBook, part: Starts, percent: Floats) -> Starts:
    """Add the settled projects, whose recorded start is the only candidate."""
    settled, recorded = book.settled, book.counts.recorded
    others, own = np.flatnonzero(~settled), np.flatnonzero(settled)
    inferred, low, high = recorded.copy(), percent.copy(), percent.copy()
    inferred[others], low[others], high[others] = part.inferred, part.low, part.high
    evidence = np.full(len(settled), RECORDED, dtype=object)
    evidence[others] = part.evidence
    value, one = percent[own], np.ones(len(own), dtype=np.int64)
    kind = one * EVIDENCE.index(RECORDED)
    mine = Candidates(own, one, recorded[own], kind, value, value, value)
    return Starts(
        recorded,
        inferred,
        low,
        high,
        tuple(evidence),
        _join(book.counts.bursts(settled), part.bursts, others),
        _join(mine, part.candidates, others),
    )


def _join(mine: Rows, theirs: Rows, others: Ints) -> Rows:
    """Put rows of settled projects and of others in the order of projects."""
    names = [entry.name for entry in fields(mine)]
    theirs = replace(theirs, project=others[theirs.project])
    arrays = [np.append(getattr(mine, n), getattr(theirs, n)) for n in names]
    order = np.argsort(arrays[names.index("project")], kind="stable")
    return type(mine)(*(array[order] for array in arrays))


@dataclass(frozen=True, eq=False)
class _MergedTasks:
    book: MergedBook
    every: Bools
    begun: Bools
    seen: Population

    def count(self, unit: str, statuses: Sequence[str] | None = None) -> Ints:
        counts = self.book.counts
        counted = np.where(self.begun, counts.count(unit, statuses, run=True), 0)
        if (self.every & self.book.settled).any():
            every = counts.count(unit, statuses, run=False)
            counted = np.where(self.every, every, counted)
        return self.book.merge(counted, self.seen.count(unit, statuses))
