"""Candidate starts: what the evidence allows, and what each would show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diagkit.analyses.policies import NAT, apply_policy
from diagkit.frames.starts import CANDIDATES, EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.analyses.policies import Floats, Ints, ProgressPolicy, TaskBook

__all__ = ["Candidates", "weigh_candidates"]

LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate starts as arrays of one length, by project and rank.

    Attributes
    ----------
    project
        Row of the project.
    rank
        1 for the best of the project, 2 for the next.
    start
        Microseconds.
    kind
        What it rests on, as an index into `EVIDENCE`.
    percent
        What the policy shows with it, in %.
    low, high
        The same with those tasks without ``created_at`` counted in that make it least,
        and most.
    """

    project: Ints
    rank: Ints
    start: Ints
    kind: Ints
    percent: Floats
    low: Floats
    high: Floats

    def bounds(self, policy: ProgressPolicy, book: TaskBook) -> tuple[Floats, Floats]:
        """Return the least and the most over the candidates of each project.

        A project without a candidate has no task that says when it was: the run may
        hold any of them. 0 where there is no task.
        """
        low = np.full(book.projects, np.inf)
        high = np.full(book.projects, -np.inf)
        np.minimum.at(low, self.project, self.low)
        np.maximum.at(high, self.project, self.high)
        no_tasks = np.bincount(book.project, minlength=book.projects) == 0
        low[no_tasks | np.isinf(low)] = 0.0
        done = book.count(book.has_status(policy.numerator), "row") > 0
        high = np.where(np.isinf(high), np.where(done, 100.0, 0.0), high)
        high[no_tasks] = 0.0
        return low, high

    def to_frame(self, project_ids: pd.Series) -> pd.DataFrame:
        """Return CANDIDATES.

        Parameters
        ----------
        project_ids
            The project ids, in the order of PROJECTS.

        Returns
        -------
        pandas.DataFrame
            CANDIDATES.
        """
        # numpy's NaT is the same number.
        times = pd.Series(self.start.astype("datetime64[us]")).dt.tz_localize("UTC")
        return CANDIDATES.build(
            {
                "project_id": project_ids.to_numpy()[self.project],
                "rank": self.rank,
                "started_at": times,
                "evidence": np.array(EVIDENCE)[self.kind],
                "percent": self.percent,
                "percent_low": self.low,
                "percent_high": self.high,
            }
        )


def weigh_candidates(
    policy: ProgressPolicy,
    book: TaskBook,
    slots: Sequence[tuple[str, Ints]],
    gap: int,
) -> Candidates:
    """Compute what a policy shows with each candidate start.

    Parameters
    ----------
    policy
        The rule.
    book
        The tasks.
    slots
        Best first: what the candidates rest on, one of `EVIDENCE`, and a start for each
        project, `NAT` where it has none. A start that stands twice counts once.
    gap
        How long after the task before it a task of one run may be created, in
        microseconds.

    Returns
    -------
    Candidates
        Those of all slots, by project and rank.
    """
    books = (book, *_undated(policy, book, gap))
    parts: list[tuple[Ints, ...]] = []
    percents: list[Floats] = []
    earlier: list[Ints] = []
    for kind, starts in slots:
        new = (starts != NAT) & ~np.any([starts == e for e in earlier], axis=0)
        earlier.append(starts)
        rows = np.flatnonzero(new)
        if not len(rows):
            continue
        slot = np.where(new, starts, NAT)
        shown = [_show(policy, one, slot) for one in dict.fromkeys(books)]
        if len(shown) == 1:
            shown *= len(books)
        percents.append(np.array([part[rows] for part in shown]))
        which = np.full(len(rows), EVIDENCE.index(kind))
        parts.append((rows, starts[rows], which))
    return _sort(parts, percents)


def _show(policy: ProgressPolicy, book: TaskBook, slot: Ints) -> Floats:
    known = slot != NAT
    # Only the tasks of projects that have this candidate need counting.
    part = book if known.all() else book.take(known[book.project])
    return apply_policy(policy, part, slot, slot).percent


def _undated(
    policy: ProgressPolicy, book: TaskBook, gap: int
) -> tuple[TaskBook, TaskBook]:
    """Return two books: undated tasks that are open count, and those that are done.

    A task without ``created_at`` was created before it started or ended. Unless that
    is long before a start, the task may belong to the run, and may even be its first:
    the least is shown if all open ones do, the most if all done ones do.
    """
    undated = book.created == NAT
    if not undated.any():
        return book, book
    by = np.where(book.started != NAT, book.started, book.ended)
    by = np.where(by == NAT, LATEST, by + gap)
    done = book.has_status(policy.numerator)
    low, high = (
        replace(book, created=np.where(undated & chosen, by, book.created))
        for chosen in (~done, done)
    )
    return low, high


def _sort(parts: list[tuple[Ints, ...]], percents: list[Floats]) -> Candidates:
    if not parts:
        none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
        return Candidates(none, none, none, none, nothing, nothing, nothing)
    project, start, kind = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    percent, low, high = np.concatenate(percents, axis=1)
    # Slots come best first, and a stable sort keeps their order in each project.
    order = np.argsort(project, kind="stable")
    at = project[order]
    first = np.searchsorted(at, at)
    return Candidates(
        at,
        np.arange(len(at)) - first + 1,
        start[order],
        kind[order],
        percent[order],
        low[order],
        high[order],
    )
