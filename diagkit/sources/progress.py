"""Read the tables that a dashboard's percentage comes from: PROJECTS and TASKS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import sqlalchemy as sa

from diagkit.errors import SourceFormatError, SourceNotFoundError, suggest
from diagkit.frames.contract import UTC_TIME
from diagkit.frames.progress import Progress, ProgressSchema
from diagkit.sources.cells import read_rows, to_text, to_times
from diagkit.sources.counting import DatabaseCounter
from diagkit.sources.databases import describe_url, is_database_url, open_readonly
from diagkit.sources.expressions import EXPRESSIONS
from diagkit.sources.files import file_errors
from diagkit.sources.mapping import choose_columns, find_mapped, table_specs
from diagkit.sources.settings import read_schema_file
from diagkit.sources.tables import choose_table, find_tables, read_table, table_columns
from diagkit.sources.times import find_zone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from diagkit.sources.mapping import TableSpec

__all__ = ["read_progress"]


def read_progress(
    where: str | os.PathLike[str],
    schema: ProgressSchema | str | os.PathLike[str] | None = None,
    *,
    tz: str | None = None,
) -> Progress:
    """Read projects and tasks from a database or from exported tables.

    Parameters
    ----------
    where
        ``sqlite:///file``, the path of a SQLite file, ``postgresql://…``,
        ``mysql://…`` (MariaDB too), or a folder that holds a ``.csv``, ``.csv.gz`` or
        ``.parquet`` file for each table, named as the table. A database is opened
        read-only and closed before this returns. Of a database only the projects are
        read here, and the tasks when somebody asks for them: an audit has them counted
        where they are, and reads those that it must see.
    schema
        The names of tables, columns and statuses; None for the case study's. A path:
        a TOML file with the entries of `ProgressSchema`.
    tz
        The zone of times that are written without one, for example ``Europe/Berlin``.
        None: UTC. Of an hour that the zone has twice, the first is taken.

    Returns
    -------
    Progress
        PROJECTS and TASKS. A status outside the known ones is kept, and so is a task
        of no project; `Progress.notes` counts what cannot be used.

    Raises
    ------
    SourceNotFoundError
        If the file, folder, host, table or column is not there.
    SourceFormatError
        If it is there and not what it should be, a time cannot be read, or a
        project has two rows.
    SourceAccessError
        If it may not be read, or is locked.
    SettingError
        If the URL, the schema or the zone has no meaning.
    MissingExtraError
        If the database's driver is not installed.

    Examples
    --------
    >>> read_progress("nowhere/at/all")
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: nowhere/at/all: no such file or folder
    """
    if not isinstance(schema, ProgressSchema):
        schema = ProgressSchema() if schema is None else read_schema_file(Path(schema))
    zone = find_zone(tz) if tz else None
    target = where if isinstance(where, str) else Path(os.fspath(where))
    if isinstance(target, str) and is_database_url(target):
        return _from_database(target, schema, zone)
    path = Path(target)
    with file_errors(path):
        path.stat()  # where it is not there, or may not be looked at
        is_folder = path.is_dir()
    return (_from_folder if is_folder else _from_database)(path, schema, zone)


@dataclass(frozen=True)
class _Shaper:
    """Makes contracted frames of what was read, and says what cannot be used."""

    source: str
    schema: ProgressSchema
    zone: ZoneInfo | None

    def projects(self, raw: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
        spec = table_specs(self.schema)[0]
        raw = _identify(raw, f"{self.source}, table {spec.table}", notes)
        return self.shape(spec, raw).reset_index(drop=True)

    def tasks(self, raw: pd.DataFrame) -> pd.DataFrame:
        return self.shape(table_specs(self.schema)[1], raw)

    def shape(self, spec: TableSpec, raw: pd.DataFrame) -> pd.DataFrame:
        """Cast what was read to the contract."""
        data: dict[str, pd.Series] = {}
        for column in spec.contract.columns:
            if column.name not in raw:
                continue
            values = raw[column.name]
            if column.dtype == UTC_TIME:
                theirs = spec.columns[column.name]
                where = f"{self.source}, table {spec.table}, column {theirs}"
                data[column.name] = to_times(values, self.zone, where)
                continue
            text = to_text(values)
            if column.dtype == "category" and self.schema.statuses:
                text = text.replace(dict(self.schema.statuses))
            data[column.name] = text
        return spec.contract.conform(pd.DataFrame(data, index=raw.index))

    def unmapped(self, statuses: Iterable[object]) -> list[str]:
        """Say which statuses are mapped and not there, given those that are."""
        seen = sorted(status for status in statuses if isinstance(status, str))
        return [
            f"the schema maps the status {theirs!r}, which is in neither table"
            f"{suggest(theirs, [s for s in seen if s not in self.schema.statuses])}"
            for theirs in self.schema.statuses
            if theirs not in seen
        ]


@dataclass(frozen=True, eq=False)
class _DatabaseReader:
    """Reads tasks and notes of a database when they are asked for."""

    counting: DatabaseCounter
    shaper: _Shaper
    notes: list[str]
    seen: set[object]

    @property
    def counter(self) -> DatabaseCounter | None:
        # What another zone makes of an hour that it has twice is not left to a server.
        naive = str(self.shaper.zone or "UTC") == "UTC"
        return self.counting if self.counting.compares(naive=naive) else None

    def read_tasks(self) -> pd.DataFrame:
        return self.counting.read_tasks()

    def count_tasks(self) -> int:
        return self.counting.count_tasks()

    def read_notes(self, tasks: pd.DataFrame | None) -> tuple[str, ...]:
        tally = None
        if tasks is None and self.counter is not None:
            tally = self.counter.count_rows()
        if tally is None:
            tasks = self.read_tasks() if tasks is None else tasks
            counts = _count_unusable(tasks, self.counting.ids)
        else:
            self.seen.update(tally["status"].unique())
            orphan = ~tally["project_id"].isin(self.counting.ids)
            counts = int(tally["tasks"][orphan].sum()), int(tally["undated"].sum())
        said = _say_unusable(*counts)
        return (*self.notes, *said, *self.shaper.unmapped(self.seen))


def _from_database(
    where: str | Path, schema: ProgressSchema, zone: ZoneInfo | None
) -> Progress:
    name = describe_url(where)
    shaper = _Shaper(name, schema, zone)
    with open_readonly(where) as connection:
        say = EXPRESSIONS[connection.dialect.name]
        say.prepare(connection)
        found, tasks = find_mapped(connection, schema, name)
        query = sa.select(*(say.shown(found[column]) for column in found.columns))
        raw = read_rows(connection, query, list(found.columns))
    notes: list[str] = []
    projects = shaper.projects(raw, notes)
    seen = _statuses(raw, "execution_status")

    def shape(texts: pd.DataFrame) -> pd.DataFrame:
        seen.update(_statuses(texts, "status"))
        return shaper.tasks(texts)

    counting = DatabaseCounter(
        where, say, found, tasks, projects["project_id"], schema.statuses, shape
    )
    reader = _DatabaseReader(counting, shaper, notes, seen)
    return Progress.of_reader(projects, reader, name, schema)


def _from_folder(
    folder: Path, schema: ProgressSchema, zone: ZoneInfo | None
) -> Progress:
    specs, notes = table_specs(schema), list[str]()
    paths = _choose_files(folder, specs)
    for spec, path in zip(specs, paths, strict=True):
        others = [p.name for p in find_tables(folder, spec.table) if p != path]
        if others:
            notes.append(f"{path.name} is read; {', '.join(others)} beside it is not")
    wanted = [
        (spec, table_columns(path), str(path))
        for spec, path in zip(specs, paths, strict=True)
    ]
    raw = []
    for path, columns in zip(paths, choose_columns(wanted), strict=True):
        data = read_table(path, list(dict.fromkeys(columns.values())))
        raw.append(pd.DataFrame({o: data[theirs] for o, theirs in columns.items()}))
    source = folder.name or folder.absolute().name
    shaper = _Shaper(source, schema, zone)
    projects, tasks = shaper.projects(raw[0], notes), shaper.tasks(raw[1])
    notes += _say_unusable(*_count_unusable(tasks, projects["project_id"]))
    seen = _statuses(raw[0], "execution_status") | _statuses(raw[1], "status")
    notes += shaper.unmapped(seen)
    return Progress(projects, tasks, source, tuple(notes), schema)


def _choose_files(folder: Path, specs: Iterable[TableSpec]) -> list[Path]:
    paths, wrong = [], []
    for spec in specs:
        try:
            paths.append(choose_table(folder, spec.table))
        except SourceNotFoundError as error:
            wrong.append(str(error))
    if wrong:
        raise SourceNotFoundError("; ".join(wrong))
    return paths


def _identify(raw: pd.DataFrame, where: str, notes: list[str]) -> pd.DataFrame:
    """Set project rows without an id aside, and refuse an id that is there twice."""
    ids = to_text(raw["project_id"])
    unnamed = int(ids.isna().sum())
    if unnamed:
        notes.append(f"project rows left out for want of a project_id: {unnamed}")
    known = ids[ids.notna()]
    twice = known[known.duplicated()]
    if len(twice):
        msg = (
            f"{where}: {twice.nunique()} project_id are there more than once, first "
            f"{str(twice.iloc[0])[:60]!r}; a project has one row: export it again, or "
            "remove the copies"
        )
        raise SourceFormatError(msg)
    # The index still counts the rows as they stand, for the errors that name one.
    return raw.loc[known.index]


def _statuses(raw: pd.DataFrame, column: str) -> set[object]:
    return set(raw[column].unique()) if column in raw else set()


def _count_unusable(tasks: pd.DataFrame, ids: pd.Series) -> tuple[int, int]:
    orphan = ~tasks["project_id"].isin(ids)
    return int(orphan.sum()), int(tasks["created_at"].isna().sum())


def _say_unusable(orphans: int, undated: int) -> list[str]:
    said = []
    if orphans:
        said.append(f"tasks of no project that is there: {orphans}")
    if undated:
        said.append(f"tasks of no run, for want of a created_at: {undated}")
    return said
