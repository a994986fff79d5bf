"""Which projects can be judged by counts alone, and the counts as a policy takes them.

Where a database counts its tasks, most of them need not be seen. The start of a project
is *settled* where the counts prove what `diagkit.analyses.starts` would find in the
tasks: it is recorded and plausible, and everything from it on is one run. Then the
recorded start is its only candidate, and a percentage needs no more than counts. Of all
other projects the tasks are read. What is not proven is not settled, so that both ways
have one result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.analyses.runs import AGAIN, LEAST, REPAIRS, SOON_US, Bursts, gap_us
from diagkit.analyses.tasks import NAT, microseconds
from diagkit.errors import SettingError
from diagkit.frames.counting import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from diagkit.analyses.policies import ProgressPolicy
    from diagkit.analyses.tasks import Bools, Ints
    from diagkit.frames.counting import CountedTasks, TaskCounter

__all__ = ["Counts", "count_tasks"]

LATEST = np.iinfo(np.int64).max
# Servers count in whole seconds: of a shorter gap they cannot tell enough.
LEAST_GAP_US = 60_000_000
SLOTS = 64
COMPLETED = ("completed",)


def count_tasks(
    counter: TaskCounter | None,
    projects: pd.DataFrame,
    rules: Iterable[ProgressPolicy],
    gap: str | pd.Timedelta,
) -> Counts | None:
    """Have the tasks counted for some policies.

    Parameters
    ----------
    counter
        What counts; None where the tasks are at hand.
    projects
        PROJECTS.
    rules
        The policies.
    gap
        As for `find_runs`.

    Returns
    -------
    Counts or None
        None where the tasks have to be seen.
    """
    width = gap_us(gap)
    if counter is None or width < LEAST_GAP_US:
        return None
    known = tuple(rules)
    logical = [rule for rule in known if rule.unit == "logical"]
    question = Question(
        tuple(dict.fromkeys((*(rule.numerator for rule in logical), COMPLETED))),
        # Two tasks in slots side by side are less than two slots apart, and a second.
        (width - 2_000_000) / 2e6,
        SOON_US / 1e6,
        any(rule.population == "all" for rule in logical),
    )
    counted = counter.count(question)
    if counted is None:
        return None
    recorded = microseconds(projects["execution_started_at"])
    return Counts(counter, question, counted, projects["project_id"], recorded, width)


@dataclass(eq=False)
class Counts:
    """Counts of tasks by project; each array has a value a project.

    Attributes
    ----------
    counter
        What counted.
    question
        What it was asked.
    counted
        What it said.
    ids
        The projects.
    recorded
        Their ``execution_started_at`` in microseconds; `NAT` where NULL.
    gap
        Longest time between two tasks of a run, in microseconds.
    """

    counter: TaskCounter
    question: Question
    counted: CountedTasks
    ids: pd.Series
    recorded: Ints
    gap: int
    _tally: pd.DataFrame = field(init=False)
    _row: Ints = field(init=False)

    def __post_init__(self) -> None:
        tally = self.counted.tally
        row = pd.Index(self.ids).get_indexer(tally["project_id"])
        self._tally, self._row = tally[row >= 0], row[row >= 0]

    @property
    def rows(self) -> Ints:
        """How many tasks each project has."""
        return self.count("row", None, run=False)

    def settle(self, now: int) -> Bools:
        """Tell whose recorded start is proven to begin the last run, and one run only.

        Parameters
        ----------
        now
            Microseconds; a start after it is not plausible.

        Returns
        -------
        numpy.ndarray
            For each project, whether its tasks need not be seen.
        """
        start, none = self.recorded, self.rows == 0
        then = microseconds(self.counted.starts.reindex(self.ids))
        known = (start != NAT) & (start <= now) & (then == start)
        first, last = self._first(), self._last("created", run=True)
        before = self._last("created", run=False)
        # `known` and `first` keep NAT out of these differences.
        begins = (first != NAT) & (start >= first - self.gap)
        begins &= (before == NAT) | (first - self.gap > before)
        proven = begins & self._unbroken(first, last) & ~self._may_go_on(first)
        proven &= (self._sum("undated") == 0) & ~self._may_begin_again()
        settled: Bools = known & (none | proven)
        return settled

    def count(self, unit: str, statuses: Sequence[str] | None, *, run: bool) -> Ints:
        """Count the tasks of settled projects.

        Parameters
        ----------
        unit
            ``row`` or ``logical``.
        statuses
            Those with one of these; None for all.
        run
            Whether those before the recorded start are left out.

        Returns
        -------
        numpy.ndarray
            The counts.
        """
        chosen = self._tally["in_run"].fillna(False).to_numpy(dtype=bool) | (not run)
        if statuses is not None:
            chosen &= self._tally["status"].isin(list(statuses)).to_numpy()
        if unit == "row":
            return self._sum("tasks", chosen)
        # A task without a name counts by itself.
        chosen &= ~self._tally["named"].to_numpy()
        return self._sum("tasks", chosen) + self._named(statuses, run=run)

    def bursts(self, chosen: Bools) -> Bursts:
        """Return the last runs of settled projects, as far as counts tell of them."""
        first, last = self._first(), self._last("created", run=True)
        at = np.flatnonzero(chosen & (first != NAT))
        names = ("created", "started", "completed", "failed")
        active = np.max([self._last(name, run=True) for name in names], axis=0)
        tasks = self.count("row", None, run=True)
        unknown = np.full(len(at), NAT)
        return Bursts(at, first[at], unknown, tasks[at], last[at], active[at])

    def _unbroken(self, first: Ints, last: Ints) -> Bools:
        """Tell where a task is in every slot between the first and the last."""
        width = self.question.slot_s * 1e6
        low, high = np.floor(first / width), np.floor(last / width)
        slots = self._spread(self.counted.run, "slots")
        unbroken = high - low < SLOTS
        for step in range(1, SLOTS):
            bit = ((low + step) % SLOTS).astype(np.uint64)
            has = (slots >> bit) & np.uint64(1) == 1
            unbroken &= has | (low + step >= high)
        return unbroken

    def _may_go_on(self, first: Ints) -> Bools:
        """Tell where the run may go on with the one before; see `find_runs`."""
        took_up = self._last("started", run=False) >= first - SOON_US
        size = self.count("logical", None, run=True)
        past = self.count("row", None, run=False) - self.count("row", None, run=True)
        failed = self.count("row", ("failed",), run=False)
        failed = failed - self.count("row", ("failed",), run=True)
        repairs = (failed >= size) & (size <= REPAIRS * past)
        return (past > 0) & (took_up | repairs)

    def _may_begin_again(self) -> Bools:
        """Tell where enough is made again for a plan that begins again."""
        again: Ints = self._spread(self.counted.run, "again")
        return again >= AGAIN * LEAST

    def _named(self, statuses: Sequence[str] | None, *, run: bool) -> Ints:
        wanted = None if statuses is None else tuple(statuses)
        asked = self.question.numerators
        if not (run or self.question.everything) or wanted not in (None, *asked):
            self._ask_more(wanted)
        counted = self.counted.run if run else self.counted.everything
        numerators = self.question.numerators
        name = "groups" if wanted is None else f"done_{numerators.index(wanted)}"
        return self._spread(counted, name)

    def _ask_more(self, wanted: tuple[str, ...] | None) -> None:
        """Ask again, with what nobody knew that it would be wanted."""
        more = () if wanted is None else (wanted,)
        asked = tuple(dict.fromkeys((*self.question.numerators, *more)))
        self.question = replace(self.question, numerators=asked, everything=True)
        again = self.counter.count(self.question)
        if again is None:
            msg = "the tables have changed since they were counted; audit them again"
            raise SettingError(msg)
        self.counted = replace(self.counted, run=again.run, everything=again.everything)

    def _sum(self, name: str, chosen: Bools | None = None) -> Ints:
        values = self._tally[name].to_numpy()
        if chosen is not None:
            values = np.where(chosen, values, 0)
        out = np.zeros(len(self.ids), dtype=np.int64)
        np.add.at(out, self._row, values)
        return out

    def _times(self, name: str, *, run: bool) -> tuple[Ints, Ints]:
        """Return times, and whose they are: of the run, or of what was before it."""
        at = self._tally["in_run"].eq(run).fillna(False).to_numpy(dtype=bool)
        return microseconds(self._tally[name][at]), self._row[at]

    def _first(self) -> Ints:
        times, row = self._times("first_created", run=True)
        out = np.full(len(self.ids), LATEST)
        np.minimum.at(out, row, times)
        return np.where(out == LATEST, NAT, out)

    def _last(self, name: str, *, run: bool) -> Ints:
        times, row = self._times(f"last_{name}", run=run)
        out = np.full(len(self.ids), NAT)
        np.maximum.at(out, row, times)
        return out

    def _spread(self, frame: pd.DataFrame, name: str) -> NDArray[Any]:
        """Return a column of LOGICAL with a value a project; 0 where it has none."""
        values = frame.set_index("project_id")[name]
        spread: NDArray[Any] = values.reindex(self.ids, fill_value=0).to_numpy()
        return spread
