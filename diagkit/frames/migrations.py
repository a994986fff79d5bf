"""What a migration was meant to do, as data: its statements in their order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TypeVar

from diagkit.errors import SettingError

__all__ = [
    "MIGRATION_008",
    "STEPS",
    "AddCheck",
    "AddColumn",
    "AddIndex",
    "FillNulls",
    "Migration",
    "NullRule",
    "Step",
]


@dataclass(frozen=True)
class AddColumn:
    """A column that the migration adds.

    Attributes
    ----------
    table
        ``table`` or ``schema.table``.
    column
        Its name.
    type
        Its type in PostgreSQL's words: ``varchar(20)``, ``timestamp``, ``timestamptz``
        ... For MySQL and SQLite it is read as their type of that kind.
    nullable
        Whether it may hold NULL.
    default
        Its default as it stands in SQL: ``'pending'`` with its quotes, ``0``,
        ``now()``; None for none.
    model
        The type that the application takes it to be, where that is another.
    """

    table: str
    column: str
    type: str
    nullable: bool = True
    default: str | None = None
    model: str | None = None

    @property
    def said(self) -> str:
        """What it does, in words."""
        return f"add column {self.column}"


@dataclass(frozen=True)
class FillNulls:
    """An update after which a column holds no NULL.

    Attributes
    ----------
    table, column
        Which column.
    value
        What NULL becomes, as it stands in SQL.
    """

    table: str
    column: str
    value: str

    @property
    def said(self) -> str:
        """What it does, in words."""
        return f"set {self.column} to {self.value} where it is NULL"


@dataclass(frozen=True)
class AddCheck:
    """A check constraint that lists the values that a column may have.

    Attributes
    ----------
    table, column
        Which column.
    name
        The constraint's name.
    values
        The values. NULL passes a check constraint.
    """

    table: str
    name: str
    column: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            msg = f"AddCheck {self.name!r} allows no value: list them in values"
            raise SettingError(msg)

    @property
    def said(self) -> str:
        """What it does, in words."""
        return f"add constraint {self.name}"


@dataclass(frozen=True)
class AddIndex:
    """An index that the migration creates.

    Attributes
    ----------
    table
        Which table.
    name
        The index's name.
    columns
        Its columns, in order.
    unique
        Whether it is.
    """

    table: str
    name: str
    columns: tuple[str, ...]
    unique: bool = False

    def __post_init__(self) -> None:
        if not self.columns:
            msg = f"AddIndex {self.name!r} has no column: list them in columns"
            raise SettingError(msg)

    @property
    def said(self) -> str:
        """What it does, in words."""
        return f"create index {self.name}"


Step = AddColumn | FillNulls | AddCheck | AddIndex
OneStep = TypeVar("OneStep", AddColumn, FillNulls, AddCheck, AddIndex)
# The word for each in a TOML file.
STEPS: dict[str, type[Step]] = {
    "add_column": AddColumn,
    "fill_nulls": FillNulls,
    "add_check": AddCheck,
    "add_index": AddIndex,
}


@dataclass(frozen=True)
class NullRule:
    """When a NULL is right in a column, and what tells the value where it is not.

    A NULL is right while `state` is one of `legal`, or NULL itself, and while there is
    no run. It is to be replaced by the first time of the last run, else by `otherwise`.

    Attributes
    ----------
    table, column
        The column whose NULLs are judged.
    state
        The column that tells the row's state.
    legal
        The states in which NULL is right.
    runs_table, runs_time
        A table with a row for each thing that a run does, and when it was made; empty
        where there is none.
    runs_key, key
        The columns by which its rows belong to this table's.
    gap_min
        Minutes without such a row that part two runs.
    otherwise
        A column of this table that tells the value where there is no run.
    """

    table: str
    column: str
    state: str
    legal: tuple[str, ...]
    runs_table: str = ""
    runs_time: str = ""
    runs_key: str = ""
    key: str = ""
    gap_min: int = 30
    otherwise: str = ""

    def __post_init__(self) -> None:
        if not self.legal:
            msg = f"NullRule for {self.column!r}: legal lists at least one state"
            raise SettingError(msg)
        parts = (self.runs_table, self.runs_time, self.runs_key, self.key)
        if any(parts) and not all(parts):
            msg = (
                f"NullRule for {self.column!r}: runs_table, runs_time, runs_key and "
                "key are given together, or none of them"
            )
            raise SettingError(msg)


@dataclass(frozen=True)
class Migration:
    """A migration as data.

    Attributes
    ----------
    name
        What people call it.
    steps
        Its statements, in their order.
    null_rules
        When a NULL is right in a column that it leaves NULL.
    zone
        The zone of the times that were written into columns without one: what a change
        to a column with a zone takes them for.
    date
        When it was made; None where nobody knows.

    Raises
    ------
    SettingError
        If it has no name or no step, or does one thing twice.

    Examples
    --------
    >>> column = AddColumn("jobs", "state", "varchar(10)", default="'new'")
    >>> check = AddCheck("jobs", "jobs_state", "state", ("new", "done"))
    >>> Migration("jobs_state", (column, check)).tables
    ('jobs',)
    """

    name: str
    steps: tuple[Step, ...]
    null_rules: tuple[NullRule, ...] = ()
    zone: str = "UTC"
    date: dt.date | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.steps:
            msg = "a Migration has a name and at least one step"
            raise SettingError(msg)
        seen = [(step.table, step.said) for step in self.steps]
        for which in seen:
            if seen.count(which) > 1:
                msg = f"migration {self.name!r}: {which[1]!r} of {which[0]!r} is twice"
                raise SettingError(msg)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it changes, in their order."""
        return tuple(dict.fromkeys(step.table for step in self.steps))

    def of(self, kind: type[OneStep], table: str) -> list[OneStep]:
        """Return the steps of one kind on one table.

        Parameters
        ----------
        kind
            For example `AddColumn`.
        table
            The table.

        Returns
        -------
        list
            In order.
        """
        return [s for s in self.steps if isinstance(s, kind) and s.table == table]


PROJECTS_TABLE = "llm_project_config"

MIGRATION_008 = Migration(
    "008_execution_tracking",
    (
        AddColumn(PROJECTS_TABLE, "execution_status", "varchar(20)", True, "'pending'"),
        AddColumn(
            PROJECTS_TABLE, "execution_started_at", "timestamp", model="timestamptz"
        ),
        AddColumn(
            PROJECTS_TABLE, "execution_completed_at", "timestamp", model="timestamptz"
        ),
        AddColumn(PROJECTS_TABLE, "execution_error", "text"),
        AddColumn(PROJECTS_TABLE, "output_folder_path", "varchar(500)"),
        FillNulls(PROJECTS_TABLE, "execution_status", "'pending'"),
        AddCheck(
            PROJECTS_TABLE,
            "chk_execution_status",
            "execution_status",
            ("pending", "running", "completed", "failed", "paused"),
        ),
        AddIndex(
            PROJECTS_TABLE, "ix_llm_projects_execution_status", ("execution_status",)
        ),
        AddIndex(
            PROJECTS_TABLE, "ix_llm_projects_activation_code", ("activation_code_id",)
        ),
        AddIndex(
            PROJECTS_TABLE,
            "ix_llm_projects_execution_started",
            ("execution_started_at",),
        ),
    ),
    (
        NullRule(
            PROJECTS_TABLE,
            "execution_started_at",
            "execution_status",
            ("pending",),
            "agent_tasks",
            "created_at",
            "project_id",
            "project_id",
            30,
            "updated_at",
        ),
    ),
    date=dt.date(2025, 11, 19),
)
