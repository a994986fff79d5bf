"""Read the tables that a dashboard's percentage comes from: PROJECTS and TASKS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import SourceFormatError, SourceNotFoundError, suggest
from diagkit.frames.contract import UTC_TIME, Contract
from diagkit.frames.progress import (
    PROJECTS,
    REQUIRED_PROJECT_COLUMNS,
    REQUIRED_TASK_COLUMNS,
    TASKS,
    Progress,
    ProgressSchema,
)
from diagkit.sources.databases import (
    describe_url,
    is_database_url,
    list_columns,
    open_readonly,
    read_columns,
)
from diagkit.sources.files import file_errors
from diagkit.sources.tables import (
    choose_table,
    find_tables,
    read_table,
    table_columns,
)
from diagkit.sources.times import find_zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["read_progress"]

# An offset counts only after a time of day: the end of 2025-11-26 is none.
OFFSET = r":\d\d(?:[.,]\d+)?\s*(?:Z|z|[+-]\d\d(?::?\d\d)?)$"
# How programs write NULL into a CSV. In a column of times they can mean nothing else.
NULL_WORDS = frozenset({"", "null", "\\n", "none", "nan", "nat", "na"})


@dataclass(frozen=True)
class _Table:
    """What has to be read of one table."""

    noun: str
    table: str
    contract: Contract
    required: tuple[str, ...]


def read_progress(
    where: str | os.PathLike[str],
    schema: ProgressSchema | None = None,
    *,
    tz: str | None = None,
) -> Progress:
    """Read projects and tasks from a database or from exported tables.

    Parameters
    ----------
    where
        ``sqlite:///file``, the path of a SQLite file, ``postgresql+psycopg://…``, or a
        folder that holds a ``.csv``, ``.csv.gz`` or ``.parquet`` file for each table,
        named as the table. A database is opened read-only and closed before this
        returns; only the columns that are needed are read.
    schema
        The names of tables, columns and statuses; None for the case study's.
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
        If the URL or the zone has no meaning.
    MissingExtraError
        If the database's driver is not installed.

    Examples
    --------
    >>> read_progress("nowhere/at/all")
    Traceback (most recent call last):
        ...
    diagkit.errors.SourceNotFoundError: nowhere/at/all: no such file or folder
    """
    schema = schema or ProgressSchema()
    zone = find_zone(tz) if tz else None
    target = where if isinstance(where, str) else Path(os.fspath(where))
    wanted = (
        _Table("projects", schema.projects_table, PROJECTS, REQUIRED_PROJECT_COLUMNS),
        _Table("tasks", schema.tasks_table, TASKS, REQUIRED_TASK_COLUMNS),
    )
    notes: list[str] = []
    if isinstance(target, str) and is_database_url(target):
        raw = _from_database(target, schema, wanted)
        source = describe_url(target)
    else:
        path = Path(target)
        source = path.name or path.absolute().name
        with file_errors(path):
            path.stat()  # where it is not there, or may not be looked at
            if path.is_dir():
                raw = _from_folder(path, schema, wanted, notes)
            else:
                raw = _from_database(path, schema, wanted)
    raw[0] = _identify(raw[0], f"{source}, table {schema.projects_table}", notes)
    projects, tasks = (
        _shape(frame, spec, schema, zone, source)
        for frame, spec in zip(raw, wanted, strict=True)
    )
    projects = projects.reset_index(drop=True)
    _count_unusable(projects, tasks, notes)
    return Progress(projects, tasks, source, tuple(notes), schema)


def _from_database(
    where: str | Path, schema: ProgressSchema, wanted: tuple[_Table, ...]
) -> list[pd.DataFrame]:
    name = describe_url(where)
    frames = []
    with open_readonly(where) as connection:
        for spec in wanted:
            present = list_columns(connection, spec.table, name)
            columns = _choose(spec, schema, present, f"{name}, table {spec.table}")
            data = read_columns(connection, spec.table, list(columns.values()))
            frames.append(
                pd.DataFrame(
                    {ours: data[theirs] for ours, theirs in columns.items()},
                    dtype="str",
                )
            )
    return frames


def _from_folder(
    folder: Path,
    schema: ProgressSchema,
    wanted: tuple[_Table, ...],
    notes: list[str],
) -> list[pd.DataFrame]:
    frames = []
    for spec, path in [(s, choose_table(folder, s.table)) for s in wanted]:
        others = [p.name for p in find_tables(folder, spec.table) if p != path]
        if others:
            notes.append(f"{path.name} is read; {', '.join(others)} beside it is not")
        present = table_columns(path)
        columns = _choose(spec, schema, present, str(path))
        data = read_table(path, list(dict.fromkeys(columns.values())))
        frames.append(
            pd.DataFrame({ours: data[theirs] for ours, theirs in columns.items()})
        )
    return frames


def _choose(
    spec: _Table, schema: ProgressSchema, present: list[str], where: str
) -> dict[str, str]:
    """Return ours -> theirs for the contract's columns that the table has."""
    columns = {name: schema.column(spec.noun, name) for name in spec.contract.names}
    # A column that somebody mapped is meant to be there, needed or not.
    mapped = schema.project_columns if spec.noun == "projects" else schema.task_columns
    for name in (n for n in columns if n in spec.required or n in mapped):
        if columns[name] in present:
            continue
        why = ""
        if name == "execution_started_at" and name not in mapped:
            why = " (the migration that adds it has not run here)"
        near = suggest(columns[name], present) or f"; it has {', '.join(present[:6])}"
        msg = (
            f"{where}: no column {columns[name]!r}{why}{near}; map another name with "
            f"ProgressSchema({spec.noun.removesuffix('s')}_columns="
            f"{{{name!r}: …}})"
        )
        raise SourceNotFoundError(msg)
    return {ours: theirs for ours, theirs in columns.items() if theirs in present}


def _shape(
    raw: pd.DataFrame,
    spec: _Table,
    schema: ProgressSchema,
    zone: ZoneInfo | None,
    source: str,
) -> pd.DataFrame:
    """Cast what was read to the contract."""
    data: dict[str, pd.Series] = {}
    for column in spec.contract.columns:
        if column.name not in raw:
            continue
        values = raw[column.name]
        if column.dtype == UTC_TIME:
            theirs = schema.column(spec.noun, column.name)
            where = f"{source}, table {spec.table}, column {theirs}"
            data[column.name] = _to_times(values, zone, where)
            continue
        text = _to_text(values)
        if column.dtype == "category" and schema.statuses:
            text = text.replace(dict(schema.statuses))
        data[column.name] = text
    return spec.contract.conform(pd.DataFrame(data, index=raw.index))


def _identify(raw: pd.DataFrame, where: str, notes: list[str]) -> pd.DataFrame:
    """Set project rows without an id aside, and refuse an id that is there twice."""
    ids = _to_text(raw["project_id"])
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


def _count_unusable(
    projects: pd.DataFrame, tasks: pd.DataFrame, notes: list[str]
) -> None:
    orphans = int((~tasks["project_id"].isin(projects["project_id"])).sum())
    if orphans:
        notes.append(f"tasks of no project that is there: {orphans}")
    undated = int(tasks["created_at"].isna().sum())
    if undated:
        notes.append(f"tasks of no run, for want of a created_at: {undated}")


def _to_text(values: pd.Series) -> pd.Series:
    if values.dtype == "str":
        return values
    if values.dtype.kind == "f" and bool((values.dropna() % 1 == 0).all()):
        # Ids of a column with gaps: 7.0 is the 7 of the other table.
        values = values.astype("Int64")
    known = values.notna()
    text = pd.Series([None] * len(values), index=values.index, dtype="str")
    text[known] = values[known].astype("object").map(str).astype("str")
    return text


def _to_times(values: pd.Series, zone: ZoneInfo | None, where: str) -> pd.Series:
    """Turn a column into UTC times; a time without an offset is in `zone`."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _as_utc(values)
    if values.dtype.kind == "M":
        return _localise(values, zone)
    text = _to_text(values).str.strip()
    known = text.notna() & ~text.str.lower().isin(NULL_WORDS)
    out = pd.Series(pd.NaT, index=values.index, dtype=UTC_TIME)
    if not known.any():
        return out
    clean = text[known].str.replace(",", ".", regex=False)
    # pandas reads no blank before an offset. To replace by groups is slow: ask first.
    if clean.str.contains(r"\s[+-]\d\d", regex=True).any():
        clean = clean.str.replace(r"\s+([+-]\d\d)", r"\1", regex=True)
    times = pd.to_datetime(clean, format="ISO8601", utc=True, errors="coerce")
    times = _as_utc(times)
    if times.isna().any():
        row = times.index[times.isna()][0]
        msg = (
            f"{where}: row {int(row) + 1} holds {str(text[row])[:40]!r}, which is no "
            "time; write ISO 8601, such as 2025-11-24 23:20:56+00:00"
        )
        raise SourceFormatError(msg)
    if zone is not None:
        naive = ~clean.str.contains(OFFSET, regex=True)
        local = times[naive].dt.tz_localize(None)
        times[naive] = _localise(local, zone)
    out[known] = times
    return out


def _localise(naive: pd.Series, zone: ZoneInfo | None) -> pd.Series:
    # A table's rows are in no order that could tell the two apart that a clock shows
    # twice: the first is taken.
    local = naive.dt.tz_localize(
        zone or "UTC", ambiguous=[True] * len(naive), nonexistent="shift_forward"
    )
    return _as_utc(local)


def _as_utc(times: pd.Series) -> pd.Series:
    utc: pd.Series = times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return utc
