"""`incident.toml`: what no file of an incident can say by itself."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from diagkit.errors import SettingError, suggest
from diagkit.frames.http import OBSERVERS
from diagkit.frames.probes import Target
from diagkit.frames.progress import ProgressSchema
from diagkit.sources.files import file_errors
from diagkit.sources.times import find_zone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Mark", "Settings", "read_schema_file", "read_settings"]


@dataclass(frozen=True)
class Mark:
    """Something that happened at a known time.

    Attributes
    ----------
    at
        When, with its zone.
    label
        What.
    """

    at: dt.datetime
    label: str


@dataclass(frozen=True)
class Settings:
    """The entries of `incident.toml`; without the file, these defaults.

    Attributes
    ----------
    title
        What people call the incident; empty: the folder's name.
    zone
        Zone of times that were written without one.
    display_zone
        Zone in which people want to read times, besides UTC.
    since, until
        Bounds of the incident (``from`` and ``to`` in the file); None: no bound.
    marks
        What happened, and when: deploys, migrations, restarts.
    ignore
        Files and folders, relative to the incident's, that are not part of it.
    database_url_env
        Name of the environment variable that holds the URL of the progress tables'
        database. The URL itself belongs into no file.
    targets
        What clients use, and what `probe` may be given.
    observers
        Who wrote a file's requests, where it does not say: by its name, as in HTTP.
    schema
        The names that the progress tables have.
    """

    title: str = ""
    zone: str = "UTC"
    display_zone: str = "UTC"
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    marks: tuple[Mark, ...] = ()
    ignore: tuple[str, ...] = ()
    database_url_env: str = ""
    targets: tuple[Target, ...] = ()
    observers: Mapping[str, str] = field(default_factory=dict)
    schema: ProgressSchema = field(default_factory=ProgressSchema)


# Entry -> field of Settings and the type that TOML must give it.
ENTRIES: dict[str, tuple[str, type]] = {
    "title": ("title", str),
    "zone": ("zone", str),
    "display_zone": ("display_zone", str),
    "from": ("since", dt.datetime),
    "to": ("until", dt.datetime),
    "marks": ("marks", list),
    "ignore": ("ignore", list),
    "database_url_env": ("database_url_env", str),
    "targets": ("targets", list),
    "observers": ("observers", dict),
    "schema": ("schema", dict),
}
SAID = {str: "a text", dt.datetime: "a time", list: "a list", dict: "a table"}


def read_settings(path: Path) -> Settings:
    """Read `incident.toml`.

    Parameters
    ----------
    path
        The file. Where there is none, the defaults are returned.

    Returns
    -------
    Settings
        Its entries.

    Raises
    ------
    SettingError
        Naming the file and the entry that has no meaning, and the nearest that has.
    """
    with file_errors(path):
        if not path.exists():
            return Settings()
    data = _read_toml(path)
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in ENTRIES:
            msg = f"{path}: no entry {key!r} is known{suggest(key, ENTRIES)}"
            raise SettingError(msg)
        name, kind = ENTRIES[key]
        if not isinstance(value, kind):
            msg = f"{path}: {key} = {value!r} must be {SAID[kind]}"
            raise SettingError(msg)
        values[name] = value
    zone = values.get("zone", "UTC")
    for name in ("zone", "display_zone"):
        find_zone(values.get(name, "UTC"))
    for name in ("since", "until"):
        if name in values:
            values[name] = _with_zone(values[name], zone)
    values["marks"] = tuple(
        _read_mark(mark, zone, path) for mark in values.get("marks", ())
    )
    _check_observers(values.get("observers", {}), path)
    if "schema" in values:
        values["schema"] = _read_schema(values["schema"], path)
    values["targets"] = tuple(
        _read_target(entry, path) for entry in values.get("targets", ())
    )
    values["ignore"] = tuple(map(str, values.get("ignore", ())))
    return Settings(**values)


def read_schema_file(path: Path) -> ProgressSchema:
    r"""Read a schema from a TOML file.

    Parameters
    ----------
    path
        The file, with the entries of `ProgressSchema`; or an `incident.toml`, of which
        the table ``[schema]`` is taken.

    Returns
    -------
    ProgressSchema
        Its entries.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    SettingError
        Naming the file and the entry that has no meaning, and the nearest that has.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "schema.toml"
    >>> _ = path.write_text(
    ...     'projects_table = "jobs"\n[project_columns]\nproject_id = "key"'
    ... )
    >>> read_schema_file(path).column("projects", "project_id")
    'key'
    """
    data = _read_toml(path)
    entries = data.get("schema", data)
    if not isinstance(entries, dict):
        msg = f"{path}: schema = {entries!r} must be {SAID[dict]}"
        raise SettingError(msg)
    return _read_schema(entries, path)


def _check_observers(observers: dict[str, object], path: Path) -> None:
    for name, observer in observers.items():
        if observer not in OBSERVERS:
            known = ", ".join(OBSERVERS)
            msg = f"{path}: observers: {name} = {observer!r} must be one of {known}"
            raise SettingError(msg)


def _read_mark(mark: object, zone: str, path: Path) -> Mark:
    at = mark.get("at") if isinstance(mark, dict) else None
    label = mark.get("label") if isinstance(mark, dict) else None
    if not isinstance(at, dt.datetime) or not isinstance(label, str):
        msg = (
            f"{path}: a mark is written [[marks]] with at = 2025-11-24T10:00:00Z and "
            f"label = 'deploy'; {mark!r} came"
        )
        raise SettingError(msg)
    return Mark(_with_zone(at, zone), label)


def _read_target(entry: object, path: Path) -> Target:
    said = {"where": entry} if isinstance(entry, str) else entry
    if not isinstance(said, dict) or not isinstance(said.get("where"), str):
        msg = (
            f"{path}: a target is written 'tcp://host:port', or as a table with where "
            "and expect"
        )
        raise SettingError(msg)
    for key in said:
        if key not in ("where", "expect"):
            near = suggest(key, ("where", "expect"))
            msg = f"{path}: no entry {key!r} is known in a target{near}"
            raise SettingError(msg)
    expect = said.get("expect")
    if expect is not None and not isinstance(expect, int):
        msg = f"{path}: expect is a number, such as 200"
        raise SettingError(msg)
    if re.search(r"://[^/]*:[^/]*@", said["where"]):
        msg = (
            f"{path}: a target holds a password, which belongs into no file: leave it "
            "out, and set PGPASSWORD or ~/.pgpass"
        )
        raise SettingError(msg)
    try:
        return Target(said["where"], expect)
    except SettingError as error:
        msg = f"{path}: {error}"
        raise SettingError(msg) from None


def _read_schema(entries: dict[str, Any], path: Path) -> ProgressSchema:
    known = [entry.name for entry in fields(ProgressSchema)]
    for key in entries:
        if key not in known:
            msg = (
                f"{path}: no entry {key!r} is known in a schema{suggest(key, known)}; "
                f"it has {', '.join(known)}"
            )
            raise SettingError(msg)
    try:
        return ProgressSchema(**entries)
    except SettingError as error:
        msg = f"{path}: {error}"
        raise SettingError(msg) from None


def _read_toml(path: Path) -> dict[str, Any]:
    with file_errors(path):
        data = path.read_bytes()
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        msg = f"{path}: is not written in UTF-8"
        raise SettingError(msg) from None
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: is no TOML ({error})"
        raise SettingError(msg) from None


def _with_zone(at: dt.datetime, zone: str) -> dt.datetime:
    return at if at.tzinfo else at.replace(tzinfo=find_zone(zone))
