"""Have a database count its tasks, and read only those that have to be seen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

from diagkit.errors import SourceFormatError
from diagkit.frames.counting import SEEN, TALLY, CountedTasks
from diagkit.sources.cells import read_rows, to_times
from diagkit.sources.copying import copy_rows
from diagkit.sources.databases import open_readonly
from diagkit.sources.logical import LogicalCounter, join_projects
from diagkit.sources.seen import MOST_TASKS, pack_tasks, seen_tasks, unpack_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from diagkit.frames.counting import Question
    from diagkit.sources.expressions import Expression, Expressions
    from diagkit.sources.mapping import MappedTable

__all__ = ["DatabaseCounter"]

START = "execution_started_at"
TASK_TIMES = ("created_at", "started_at", "completed_at", "failed_at")
# How the servers write what is true.
TRUTH = {"t": True, "1": True, "f": False, "0": False}


@dataclass(eq=False)
class DatabaseCounter:
    """A `TaskCounter` over the tables of a database.

    Each call opens the database read-only, and closes it.

    Attributes
    ----------
    where
        A URL or a file.
    say
        How this kind of database writes what others write otherwise.
    projects, tasks
        The tables.
    ids
        ``project_id`` of PROJECTS.
    statuses
        Their status to the contract's, for those that differ.
    shape
        Turns tasks as texts into TASKS.
    tally
        TALLY as it was counted last, with statuses as they are written; None before.
    """

    where: str | Path
    say: Expressions
    projects: MappedTable
    tasks: MappedTable
    ids: pd.Series
    statuses: Mapping[str, str]
    shape: Callable[[pd.DataFrame], pd.DataFrame] = field(repr=False)
    tally: pd.DataFrame | None = None

    def compares(self, *, naive: bool) -> bool:
        """Tell whether this database can compare the times of both tables.

        Parameters
        ----------
        naive
            Whether times without a zone are understood, as UTC.

        Returns
        -------
        bool
            Whether it can.
        """
        return all(
            self.say.counts(column) and (naive or not self.say.is_naive(column))
            for column in (*self._times.values(), self.projects[START])
        )

    def count(self, question: Question) -> CountedTasks | None:
        """Count the tasks by project; see `TaskCounter`.

        Parameters
        ----------
        question
            What is counted.

        Returns
        -------
        CountedTasks or None
            The counts; None where a time is written as this cannot compare.
        """
        with self._opened() as connection:
            starts = self._read_starts(connection)
            self.tally = self._count_rows(connection)
            if self.tally is None or starts is None:
                return None
            logical = LogicalCounter(
                self.say, self.projects, self.tasks, self.ids, self.statuses
            )
            run, whole = logical.count(connection, question, self.tally)
        status = self.tally["status"].astype("str").replace(dict(self.statuses))
        tally = TALLY.conform(self.tally.assign(status=status))
        return CountedTasks(tally, starts, run, whole)

    def count_rows(self) -> pd.DataFrame | None:
        """Count rows alone, unless they have been counted.

        Returns
        -------
        pandas.DataFrame or None
            TALLY with statuses as they are written; None as for `count`.
        """
        if self.tally is None:
            with self._opened() as connection:
                self.tally = self._count_rows(connection)
        return self.tally

    def count_tasks(self) -> int:
        """Count all tasks, unless they have been counted.

        Returns
        -------
        int
            How many there are.
        """
        if self.tally is not None:
            return int(self.tally["tasks"].sum())
        query = sa.select(sa.func.count()).select_from(self.tasks.table)
        with self._opened() as connection:
            return int(connection.execute(query).scalar_one())

    def read_tasks(self) -> pd.DataFrame:
        """Read all tasks.

        Returns
        -------
        pandas.DataFrame
            TASKS.
        """
        with self._opened() as connection:
            return self._read(connection, sa.true())

    def read_seen(self, project_ids: Sequence[str]) -> pd.DataFrame:
        """Read of some tasks what tells their runs; see `TaskCounter`.

        Parameters
        ----------
        project_ids
            Of which projects.

        Returns
        -------
        pandas.DataFrame
            SEEN.
        """
        if not project_ids:
            return SEEN.empty()
        with self._opened() as connection:
            if self.say.packs:
                packed = self._read_packed(connection, project_ids)
                if packed is not None:
                    return packed
            owner, most = self._text("project_id"), self.say.most_ids
            parts = [
                self._read(connection, self.say.among(owner, project_ids[i : i + most]))
                for i in range(0, len(project_ids), most)
            ]
        return seen_tasks(pd.concat(parts, ignore_index=True))

    def read_undated(self) -> list[str]:
        """Read the ids of tasks without ``created_at``; see `TaskCounter`.

        Returns
        -------
        list of str
            The ids.
        """
        with self._opened() as connection:
            undated = self._read(connection, self.tasks["created_at"].is_(None))
        return list(map(str, undated["task_id"]))

    @contextmanager
    def _opened(self) -> Iterator[sa.Connection]:
        with open_readonly(self.where) as connection:
            self.say.prepare(connection)
            yield connection

    def _read_packed(
        self, connection: sa.Connection, project_ids: Sequence[str]
    ) -> pd.DataFrame | None:
        tally = self.count_rows()
        if tally is None:
            return None
        if tally.groupby("project_id")["tasks"].sum().max() > MOST_TASKS:
            return None
        known = sorted(tally["status"].dropna().unique())
        query = pack_tasks(self.say, self.tasks, project_ids, known)
        rows = [(str(owner), blob) for owner, blob in connection.execute(query)]
        return unpack_tasks(rows, known, self.statuses)

    def _read(self, connection: sa.Connection, chosen: Expression) -> pd.DataFrame:
        zones = {
            name: None if self.say.is_naive(column) else "UTC"
            for name, column in self._times.items()
            if self.say.packs and self.say.counts(column)
        }
        columns = [
            self.tasks[name] if name in zones else self.say.shown(self.tasks[name])
            for name in self.tasks.columns
        ]
        query, names = sa.select(*columns).where(chosen), list(self.tasks.columns)
        if self.say.packs:
            return self.shape(copy_rows(connection, query, names, zones))
        return self.shape(read_rows(connection, query, names, stream=True))

    @property
    def _times(self) -> dict[str, sa.Column[Any]]:
        present = [name for name in TASK_TIMES if name in self.tasks.columns]
        return {name: self.tasks[name] for name in present}

    def _text(self, name: str) -> Expression:
        return self.say.text(self.tasks[name])

    def _read_starts(self, connection: sa.Connection) -> pd.Series | None:
        key = self.say.text(self.projects["project_id"])
        columns = (key, self.say.shown(self.say.instant(self.projects[START])))
        odd = self.say.odd(self.projects[START])
        if _any(connection, self.projects, odd):
            return None
        frame = read_rows(connection, sa.select(*columns), ["project_id", "start"])
        times = to_times(frame["start"], None, self.projects.spec.table)
        return times.set_axis(frame["project_id"])

    def _count_rows(self, connection: sa.Connection) -> pd.DataFrame | None:
        odd = [self.say.odd(column) for column in self._times.values()]
        if _any(connection, self.tasks, *odd):
            return None
        joined, project = join_projects(self.say, self.projects, self.tasks, outer=True)
        instants = {n: self.say.instant(c) for n, c in self._times.items()}
        created, count = instants["created_at"], sa.func.count()
        keys = [
            self._text("project_id"),
            self._text("status"),
            created >= project.start,
        ]
        named, told = self._named()
        started = instants.get("started_at")
        ends = [instants[n] for n in ("completed_at", "failed_at") if n in instants]
        early = [end < started for end in ends if started is not None]
        backwards = sa.case((sa.or_(sa.false(), *early), 1), else_=0)
        latest = [sa.func.max(instant) for instant in instants.values()]
        query = (
            sa.select(
                *keys,
                named,
                count,
                count - sa.func.count(created),
                sa.func.sum(backwards),
                *(map(self._moment, (sa.func.min(created), *latest))),
            )
            .select_from(joined)
            .group_by(*keys, *([named] if told else []))
        )
        names = ["project_id", "status", "in_run", "named", "tasks", "undated"]
        times = [f"last_{name.removesuffix('_at')}" for name in instants]
        times.insert(0, "first_created")
        frame = self._read_tally(connection, query, [*names, "backwards"], times)
        for name in ("in_run", "named"):
            frame[name] = frame[name].map(TRUTH).astype("boolean")
        try:
            for name in times:
                frame[name] = to_times(frame[name], None, self.tasks.spec.table)
        except SourceFormatError:
            # Who reads the tasks is told the row.
            return None
        numbers = ["tasks", "undated", "backwards"]
        frame[numbers] = frame[numbers].astype("int64")
        return TALLY.conform(frame)

    def _moment(self, instant: Expression) -> Expression:
        return instant if self.say.packs else self.say.shown(instant)

    def _read_tally(
        self,
        connection: sa.Connection,
        query: sa.Select[Any],
        names: Sequence[str],
        times: Sequence[str],
    ) -> pd.DataFrame:
        every = [*names, *times]
        if self.say.packs:
            return copy_rows(connection, query, every, dict.fromkeys(times, "UTC"))
        return read_rows(connection, query, every)

    def _named(self) -> tuple[Expression, bool]:
        """Tell whether a task has a name, and whether that differs between tasks."""
        if "task_name" not in self.tasks.columns:
            return sa.literal_column("0"), False
        name = self.tasks["task_name"]
        if name.nullable:
            return name.is_not(None), True
        return sa.literal_column("1"), False


def _any(
    connection: sa.Connection, table: MappedTable, *conditions: Expression | None
) -> bool:
    known = [condition for condition in conditions if condition is not None]
    if not known:
        return False
    query = sa.select(1).select_from(table.table).where(sa.or_(*known)).limit(1)
    return connection.execute(query).first() is not None
