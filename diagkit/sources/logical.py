"""Logical tasks: rows of one name and kind of agent, counted by project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from diagkit.frames.counting import logical_contract
from diagkit.sources.cells import plain
from diagkit.sources.packing import count_packed, pack_logical, place_project
from diagkit.sources.seen import MOST_TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diagkit.frames.counting import Question
    from diagkit.sources.expressions import Expression, Expressions
    from diagkit.sources.mapping import MappedTable

__all__ = ["LogicalCounter", "join_projects"]

START = "execution_started_at"


def join_projects(
    say: Expressions,
    projects: MappedTable,
    tasks: MappedTable,
    *,
    outer: bool,
    hashes: Sequence[int] = (),
) -> tuple[sa.FromClause, Any]:
    """Put tasks beside their projects.

    Parameters
    ----------
    say
        The database's expressions.
    projects, tasks
        The tables.
    outer
        Whether tasks of no project stay.
    hashes
        As for `place_project`, where places are wanted.

    Returns
    -------
    tuple
        The tasks beside their projects, and columns of these: ``start``, ``place``.
    """
    key = say.text(projects["project_id"])
    start = say.instant(projects[START])
    # Put aside first: a start is converted once, not for each task, and what has a
    # key is not joined row by row with every row.
    query = sa.select(key.label("owner"), sa.func.max(start).label("start"))
    if hashes:
        query = query.add_columns(place_project(key, hashes).label("place"))
    project = query.group_by(key).subquery("p")
    known = project.c.owner == say.text(tasks["project_id"])
    return tasks.table.join(project, known, isouter=outer), project.c


@dataclass(frozen=True, eq=False)
class LogicalCounter:
    """Counts logical tasks, packed where the server can pack them.

    Attributes
    ----------
    say
        The database's expressions.
    projects, tasks
        The tables.
    ids
        ``project_id`` of PROJECTS.
    statuses
        Their status to the contract's, for those that differ.
    """

    say: Expressions
    projects: MappedTable
    tasks: MappedTable
    ids: pd.Series
    statuses: Mapping[str, str]

    def count(
        self, connection: sa.Connection, question: Question, tally: pd.DataFrame
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Count them.

        Parameters
        ----------
        connection
            From `open_readonly`.
        question
            What is counted.
        tally
            TALLY.

        Returns
        -------
        tuple of pandas.DataFrame
            LOGICAL of the run, and of all tasks where that is asked for.
        """
        empty = logical_contract(len(question.numerators)).empty()
        if "task_name" not in self.tasks.columns:
            return empty, empty
        places = self._places(connection, question, tally)
        if places is not None:
            return self._count_packed(connection, question, places)
        run = self._count_there(connection, question, run=True)
        if not question.everything:
            return run, empty
        return run, self._count_there(connection, question, run=False)

    def _places(
        self, connection: sa.Connection, question: Question, tally: pd.DataFrame
    ) -> pd.Series | None:
        """Return the projects by their hash, where their tasks can be packed.

        What is packed is held in memory, by the server and here: 16 bytes a task. Of
        more tasks the server counts by itself, and slower.
        """
        in_run = tally["in_run"].fillna(False) | question.everything
        packed = tally["tasks"][tally["named"] & in_run].sum()
        if not self.say.packs or packed > MOST_TASKS:
            return None
        key = self.say.text(self.projects["project_id"])
        query = sa.select(sa.func.hashtextextended(key, 0), key).where(key.is_not(None))
        known = [
            (int(hashed), str(owner)) for hashed, owner in connection.execute(query)
        ]
        places = pd.Series(dict(sorted(known)), dtype="object")
        return places if 0 < len(places) == len(known) else None

    def _count_packed(
        self, connection: sa.Connection, question: Question, places: pd.Series
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        hashes, owners = places.index.tolist(), places.tolist()
        joined, project = join_projects(
            self.say, self.projects, self.tasks, outer=False, hashes=hashes
        )
        in_run = self.say.instant(self.tasks["created_at"]) >= project.start
        every = question.everything
        query = pack_logical(
            self.say, self.tasks, joined, project.place, in_run, everything=every
        )
        rows = connection.execute(query).all()
        run, whole = (
            count_packed(chosen, question, self.statuses, owners)
            for chosen in ([row for row in rows if row[2]], rows if every else [])
        )
        return run, whole

    def _count_there(
        self, connection: sa.Connection, question: Question, *, run: bool
    ) -> pd.DataFrame:
        contract = logical_contract(len(question.numerators))
        self.say.prepare_parts(connection)
        parts = [self._select_logical(question, run, part) for part in self._parts()]
        query = sa.select(sa.union_all(*parts).subquery())
        rows = [
            (plain(owner), *(int(value or 0) for value in values))
            for owner, *values in connection.execute(query)
        ]
        frame = pd.DataFrame(rows, columns=contract.names, dtype="object")
        frame["slots"] = [np.uint64(bits & (2**64 - 1)) for bits in frame["slots"]]
        return contract.conform(frame)

    def _parts(self) -> list[Expression]:
        """Return conditions that part the projects, where that is of use.

        A hash table of logical tasks cannot be shared between workers: each counts
        a part of the projects.
        """
        if not self.say.workers or not len(self.ids):
            return [sa.true()]
        owner, middle = (
            self.say.text(self.tasks["project_id"]),
            sorted(self.ids)[len(self.ids) // 2],
        )
        return [owner < middle, owner >= middle]

    def _select_logical(
        self, question: Question, run: bool, part: Expression
    ) -> sa.Select[Any]:
        joined, project = join_projects(
            self.say, self.projects, self.tasks, outer=False
        )
        created = self.say.instant(self.tasks["created_at"])
        known = [n for n in ("agent_type", "task_name") if n in self.tasks.columns]
        keys = [self.say.text(self.tasks[name]) for name in ("project_id", *known)]
        failed = self._has_status(("failed",))
        done = [self._has_status(statuses) for statuses in question.numerators]
        group = (
            sa.select(
                keys[0].label("owner"),
                sa.func.count().label("tasks"),
                sa.func.max(created).label("latest"),
                sa.func.min(sa.case((failed, None), else_=created)).label("sound"),
                *(
                    sa.func.max(sa.case((has, 1), else_=0)).label(f"done_{i}")
                    for i, has in enumerate(done)
                ),
            )
            .select_from(joined)
            .where(part, self.tasks["task_name"].is_not(None))
            .group_by(*keys)
        )
        if run:
            group = group.where(created >= project.start)
        g = group.subquery("g").c
        apart = self.say.seconds(g.latest) - self.say.seconds(g.sound)
        # The row that it is made again after is none of those that do so.
        again = sa.case((apart >= question.again_s - 1, g.tasks - 1), else_=0)
        return sa.select(
            g.owner,
            sa.func.count(),
            sa.func.sum(again),
            self.say.slots(g.latest, question.slot_s),
            *(sa.func.sum(g[f"done_{i}"]) for i in range(len(done))),
        ).group_by(g.owner)

    def _has_status(self, statuses: Sequence[str]) -> Expression:
        """Tell whether a task's status, as it is written, means one of these."""
        theirs = [t for t, ours in self.statuses.items() if ours in statuses]
        theirs += [ours for ours in statuses if ours not in self.statuses]
        return self.say.among(self.say.text(self.tasks["status"]), theirs)
