"""What the checks of starts look at: an audit's frames, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.analyses.policies import NAT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diagkit.analyses.policies import ProgressPolicy, Shown
    from diagkit.analyses.starts import Starts
    from diagkit.analyses.task_facts import TaskFacts

NAMED = 5


@dataclass(frozen=True, eq=False)
class StartFacts:
    """What the checks look at; the frames' rows are in the order of PROJECTS."""

    projects: pd.DataFrame
    tasks: TaskFacts
    table: pd.DataFrame
    starts: Starts
    shown: Mapping[str, Shown]
    policies: tuple[ProgressPolicy, ...]
    limit: pd.Timestamp | None
    limit_from_data: bool
    latest: pd.Timestamp | None

    @cached_property
    def started(self) -> pd.Series:
        """Return the recorded starts."""
        return self.table["started_at"]

    @cached_property
    def late(self) -> pd.Series:
        """Tell which starts are later than every task of their project."""
        bursts = self.starts.bursts
        end = bursts.last(len(self.table), bursts.end)
        late = (end != NAT) & (self.starts.recorded != NAT)
        return pd.Series(late & (self.starts.recorded > end))

    @cached_property
    def future(self) -> pd.Series:
        """Tell which starts are in the future."""
        if self.limit is None:
            return pd.Series(False, index=self.table.index)
        return self.started > self.limit

    @cached_property
    def first(self) -> pd.Series:
        """Return when the first task of the last run was created."""
        bursts = self.starts.bursts
        first = bursts.last(len(self.table), bursts.created)
        return pd.Series(first.astype("datetime64[us]")).dt.tz_localize("UTC")

    @cached_property
    def lag(self) -> pd.Series:
        """Return how long after the start the last run of tasks begins."""
        return self.first - self.started

    def name(self, chosen: pd.Series) -> str:
        """Name the first few projects that are chosen, and how many more there are."""
        ids = self.table.loc[chosen.to_numpy(), "project_id"]
        return name_some([str(i) for i in ids])


def name_some(names: list[str]) -> str:
    """List the first few names, and say how many more there are.

    Examples
    --------
    >>> name_some(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    # An id is data: one of a thousand characters must not bury the others.
    return ", ".join(name[:60] for name in names[:NAMED]) + more
