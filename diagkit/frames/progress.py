"""PROJECTS, TASKS and AUDIT: what a dashboard's percentage is computed from.

The names are those of the case study (two tables of a multi-tenant dashboard). Another
system's tables, columns and statuses are mapped onto them by a `ProgressSchema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from diagkit.errors import SettingError, suggest
from diagkit.frames.contract import UTC_TIME, Column, Contract

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from diagkit.frames.counting import TaskCounter

__all__ = [
    "AUDIT",
    "PROJECTS",
    "PROJECT_STATUSES",
    "REQUIRED_PROJECT_COLUMNS",
    "REQUIRED_TASK_COLUMNS",
    "STATUSES",
    "TASKS",
    "TASK_STATUSES",
    "Progress",
    "ProgressReader",
    "ProgressSchema",
    "audit_contract",
]

PROJECT_STATUSES = ("pending", "running", "completed", "failed", "paused")
TASK_STATUSES = ("pending", "started", "running", "completed", "failed", "cancelled")
STATUSES = tuple(dict.fromkeys((*TASK_STATUSES, *PROJECT_STATUSES)))

PROJECTS = Contract(
    "PROJECTS",
    (
        Column("project_id", "str", False, "", "unique; what the tasks refer to"),
        Column("client_name", "str", True, "", "the name that the page shows"),
        Column("execution_status", "category", True, "", " | ".join(PROJECT_STATUSES)),
        Column("created_at", UTC_TIME, True, "", "when the project was set up"),
        Column("updated_at", UTC_TIME, True, "", "when its row last changed"),
        Column("execution_started_at", UTC_TIME, True, "", "when its run started"),
        Column("execution_completed_at", UTC_TIME, True, "", "when its run ended"),
    ),
)

TASKS = Contract(
    "TASKS",
    (
        Column("task_id", "str", True, "", "unique"),
        Column("project_id", "str", True, "", "a project's"),
        Column("agent_type", "str", True, "", "with the name: one logical task"),
        Column("task_name", "str", True, "", "main and backup agent share it"),
        Column("status", "category", True, "", " | ".join(TASK_STATUSES)),
        Column("created_at", UTC_TIME, True, "", "decides to which run it belongs"),
        Column("started_at", UTC_TIME, True),
        Column("completed_at", UTC_TIME, True),
        Column("failed_at", UTC_TIME, True),
    ),
)

# Without these no percentage can be told; every other column may be absent from a
# table and is then all missing.
REQUIRED_PROJECT_COLUMNS = ("project_id", "execution_started_at")
REQUIRED_TASK_COLUMNS = ("project_id", "status", "created_at")

AUDIT = Contract(
    "AUDIT",
    (
        Column("project_id", "str", False, "", "in the order of PROJECTS"),
        Column("execution_status", "category", True, "", " | ".join(PROJECT_STATUSES)),
        Column("created_at", UTC_TIME, True, "", "when the project was set up"),
        Column("started_at", UTC_TIME, True, "", "execution_started_at as recorded"),
        Column("null", "bool", False, "", "whether the start is NULL"),
        Column("legal", "boolean", True, "", "whether a NULL is; NA where none is"),
        Column("tasks", "int64", False, "rows", "tasks of the project, every run"),
        Column("inferred_start", UTC_TIME, True, "", "recorded, or by best evidence"),
        Column("percent_low", "float64", True, "%", "least that the evidence allows"),
        Column("percent_high", "float64", True, "%", "most that the evidence allows"),
        Column("evidence", "str", False, "", "what the inferred start rests on"),
    ),
)


def audit_contract(policies: Iterable[str], quality: Iterable[str] = ()) -> Contract:
    """Return AUDIT with the columns of the policies that were applied.

    Parameters
    ----------
    policies
        Names of policies, in order.
    quality
        Names of those among them that also show a quality.

    Returns
    -------
    Contract
        AUDIT and, for each policy, ``percent_<policy>`` (%), ``effect_pp_<policy>``
        (percentage points against ``percent_inferred``) and, for those with a quality,
        ``quality_<policy>`` (%). All ``float64``; missing where the policy has no
        percentage for the project.

    Examples
    --------
    >>> audit_contract(["all_runs"]).names[-2:]
    ['percent_all_runs', 'effect_pp_all_runs']
    """
    names = list(policies)
    more = [
        *(Column(f"percent_{n}", "float64", True, "%", "what it shows") for n in names),
        *(
            Column(f"effect_pp_{n}", "float64", True, "pp", "against inferred")
            for n in names
        ),
        *(
            Column(f"quality_{n}", "float64", True, "%", "completed of all tasks")
            for n in quality
        ),
    ]
    return Contract("AUDIT", (*AUDIT.columns, *more))


@dataclass(frozen=True)
class ProgressSchema:
    """Where another system keeps what PROJECTS and TASKS hold.

    ``ProgressSchema()`` is the case study's: every name as in the contracts.

    Attributes
    ----------
    projects_table, tasks_table
        The tables' names; in a database ``schema.table`` is allowed.
    project_columns, task_columns
        The contract's column name to theirs, for those that differ.
    statuses
        Their status (of projects or of tasks) to the contract's, for those that
        differ. A status that is in neither is kept as it is.

    Raises
    ------
    SettingError
        If a mapping names a column, or maps to a status, that the contract does not
        have, or if it is none.

    Examples
    --------
    >>> schema = ProgressSchema(
    ...     projects_table="jobs",
    ...     project_columns={"execution_started_at": "run_begin"},
    ...     statuses={"done": "completed"},
    ... )
    >>> schema.column("projects", "execution_started_at")
    'run_begin'
    """

    projects_table: str = "llm_project_config"
    tasks_table: str = "agent_tasks"
    project_columns: Mapping[str, str] = field(default_factory=dict)
    task_columns: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("projects_table", "tasks_table"):
            name: object = getattr(self, part)
            if not isinstance(name, str) or not name:
                msg = f"ProgressSchema.{part} is a table's name; {name!r} came"
                raise SettingError(msg)
        for part, ours in (
            ("project_columns", PROJECTS.names),
            ("task_columns", TASKS.names),
            ("statuses", None),
        ):
            mapping: object = getattr(self, part)
            if not isinstance(mapping, Mapping):
                msg = f"ProgressSchema.{part} maps names; {type(mapping).__name__} came"
                raise SettingError(msg)
            for name, other in mapping.items():
                if not isinstance(name, str) or not isinstance(other, str):
                    msg = (
                        f"ProgressSchema.{part} maps names to names; "
                        f"{name!r}: {other!r} came"
                    )
                    raise SettingError(msg)
            if ours is not None:
                _refuse_unknown(part, mapping, ours)
        unknown = [s for s in self.statuses.values() if s not in STATUSES]
        if unknown:
            msg = (
                f"ProgressSchema.statuses maps to {unknown[0]!r}, which no rule knows"
                f"{suggest(unknown[0], STATUSES)}; it maps their statuses to "
                f"{', '.join(STATUSES)}"
            )
            raise SettingError(msg)

    def column(self, noun: str, name: str) -> str:
        """Return the table's name of a contract's column.

        Parameters
        ----------
        noun
            ``projects`` or ``tasks``.
        name
            The contract's name.

        Returns
        -------
        str
            Theirs.

        Examples
        --------
        >>> ProgressSchema().column("tasks", "created_at")
        'created_at'
        """
        mapping = self.project_columns if noun == "projects" else self.task_columns
        return mapping.get(name, name)


def _refuse_unknown(part: str, mapping: Mapping[str, str], ours: list[str]) -> None:
    near = {name: suggest(name, ours)[2:] for name in mapping if name not in ours}
    wrong = [f"{n!r} ({text})" if text else repr(n) for n, text in near.items()]
    if wrong:
        noun = "PROJECTS" if part == "project_columns" else "TASKS"
        msg = (
            f"ProgressSchema.{part} maps {', '.join(wrong)}, which {noun} does not "
            f"have; it maps the contract's names ({', '.join(ours)}) to the table's"
        )
        raise SettingError(msg)


class ProgressReader(Protocol):
    """How the parts of a `Progress` are read: filled in by the room that may read."""

    def read_tasks(self) -> pd.DataFrame:
        """Return TASKS."""

    def count_tasks(self) -> int:
        """Return how many tasks there are."""

    def read_notes(self, tasks: pd.DataFrame | None) -> tuple[str, ...]:
        """Return what could not be used; with the tasks where they are read."""

    @property
    def counter(self) -> TaskCounter | None:
        """What counts without reading the tasks; None where nothing does."""


@dataclass(frozen=True, repr=False, eq=False)
class Progress:
    """The projects and tasks of one dashboard.

    Attributes
    ----------
    projects
        PROJECTS, a row a project.
    tasks
        TASKS, a row a task; those of no project in `projects` included. Of a database
        they are read when they are first asked for: an audit has it count them.
    source
        What was read, without user, password or path.
    notes
        What could not be used, and how much of it, a sentence each.
    schema
        The schema it was read with: the names of the tables and columns.
    """

    projects: pd.DataFrame
    tasks: pd.DataFrame
    source: str = ""
    # Without a default of the class: `__getattr__` is asked for what is not set.
    notes: tuple[str, ...] = field(default_factory=tuple)
    schema: ProgressSchema = field(default_factory=ProgressSchema)

    def __post_init__(self) -> None:
        PROJECTS.check(self.projects)
        TASKS.check(self.tasks)

    @classmethod
    def of_reader(
        cls,
        projects: pd.DataFrame,
        reader: ProgressReader,
        source: str,
        schema: ProgressSchema,
    ) -> Progress:
        """Make one whose tasks and notes are read when they are asked for.

        Parameters
        ----------
        projects
            PROJECTS.
        reader
            What reads the rest.
        source, schema
            As the attributes.

        Returns
        -------
        Progress
            The same type; what was read once is kept.
        """
        lazy = object.__new__(cls)
        known = {"projects": PROJECTS.check(projects), "source": source}
        lazy.__dict__.update(known, schema=schema, reader=reader)
        return lazy

    def __getattr__(self, name: str) -> object:
        reader: ProgressReader | None = self.__dict__.get("reader")
        if reader is None or name not in ("tasks", "notes"):
            msg = f"{type(self).__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value: object = (
            TASKS.check(reader.read_tasks())
            if name == "tasks"
            else reader.read_notes(self.__dict__.get("tasks"))
        )
        self.__dict__[name] = value
        return value

    @property
    def task_count(self) -> int:
        """How many tasks there are; they are not read for that."""
        reader: ProgressReader | None = self.__dict__.get("reader")
        if reader is None or "tasks" in self.__dict__:
            return len(self.tasks)
        return reader.count_tasks()

    @property
    def counter(self) -> TaskCounter | None:
        """What counts the tasks in their database; None where they are in memory."""
        reader: ProgressReader | None = self.__dict__.get("reader")
        return None if reader is None or "tasks" in self.__dict__ else reader.counter

    def __repr__(self) -> str:
        read = "tasks" in self.__dict__
        tasks = f"{len(self.tasks)} tasks" if read else "tasks not read yet"
        whence = f", from {self.source}" if self.source else ""
        return f"Progress({len(self.projects)} projects, {tasks}{whence})"
