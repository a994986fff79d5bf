"""Read a migration that somebody describes in a TOML file."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import SettingError, SourceNotFoundError, suggest
from diagkit.frames.migrations import STEPS, Migration, NullRule
from diagkit.sources.files import file_errors

if TYPE_CHECKING:
    import os

__all__ = ["read_migration"]

# What TOML gives for the type of a field, and what people call it.
KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "str | None": (str, "a text"),
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "tuple[str, ...]": (list, "a list of texts"),
    "dt.date | None": (dt.date, "a date"),
}


def read_migration(path: str | os.PathLike[str]) -> Migration:
    r"""Read a migration from a TOML file.

    Parameters
    ----------
    path
        The file: ``name``, and optionally ``zone`` and ``date``; a table ``[[steps]]``
        for each statement in its order, whose ``kind`` is ``add_column``,
        ``fill_nulls``, ``add_check`` or ``add_index``; tables ``[[null_rules]]``. Their
        entries are the fields of `AddColumn`, `FillNulls`, `AddCheck`, `AddIndex` and
        `NullRule`.

    Returns
    -------
    Migration
        As described.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    SettingError
        Naming the entry that has no meaning, and the nearest that has.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "jobs.toml"
    >>> _ = path.write_text('''
    ... name = "jobs_state"
    ... [[steps]]
    ... kind = "add_column"
    ... table = "jobs"
    ... column = "state"
    ... type = "varchar(10)"
    ... default = "'new'"
    ... ''')
    >>> read_migration(path).steps[0].default
    "'new'"
    """
    path = Path(path)
    with file_errors(path):
        if not path.is_file():
            msg = f"{path}: no such file"
            raise SourceNotFoundError(msg)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            msg = f"{path}: is no TOML ({error})"
            raise SettingError(msg) from None
    steps = _tables(data.pop("steps", []), "steps", path)
    rules = _tables(data.pop("null_rules", []), "null_rules", path)
    known = _entries(Migration, {*_names(Migration), "steps", "null_rules"}, data, path)
    try:
        return Migration(
            **known,
            steps=tuple(_step(s, f"{path}, step {i}") for i, s in enumerate(steps, 1)),
            null_rules=tuple(
                NullRule(**_entries(NullRule, _names(NullRule), rule, where))
                for rule, where in (
                    (r, f"{path}, null rule {i}") for i, r in enumerate(rules, 1)
                )
            ),
        )
    except SettingError as error:
        said = str(error)
        msg = said if said.startswith(str(path)) else f"{path}: {said}"
        raise SettingError(msg) from None


def _step(entries: dict[str, Any], where: str) -> Any:
    kind = entries.pop("kind", None)
    if kind not in STEPS:
        listed = ", ".join(STEPS)
        near = suggest(str(kind), STEPS)
        msg = f"{where}: kind = {kind!r} is none of {listed}{near}"
        raise SettingError(msg)
    made = STEPS[kind]
    return made(**_entries(made, _names(made), entries, where))


def _names(made: type[Any]) -> set[str]:
    return {entry.name for entry in fields(made)}


def _entries(
    made: type[Any], allowed: set[str], entries: dict[str, Any], where: object
) -> dict[str, Any]:
    """Return the entries as a dataclass takes them."""
    for name in entries:
        if name not in allowed:
            listed = ", ".join(sorted(allowed))
            near = suggest(name, allowed)
            msg = f"{where}: no entry {name!r} is known{near}; known are {listed}"
            raise SettingError(msg)
    values = {}
    for entry in fields(made):
        if entry.name in entries:
            values[entry.name] = _value(entry, entries[entry.name], where)
        elif (
            entry.name in allowed
            and entry.default is MISSING
            and (entry.name not in ("steps", "null_rules"))
        ):
            msg = f"{where}: has no entry {entry.name!r}"
            raise SettingError(msg)
    return values


def _value(entry: Field[Any], value: object, where: object) -> object:
    kind, said = KINDS[str(entry.type)]
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if kind is list and isinstance(value, list):
        fits = all(isinstance(part, str) for part in value)
    if not fits:
        msg = f"{where}: {entry.name} = {value!r} must be {said}"
        raise SettingError(msg)
    return tuple(value) if isinstance(value, list) else value


def _tables(value: object, name: str, path: Path) -> list[dict[str, Any]]:
    fits = isinstance(value, list) and all(isinstance(part, dict) for part in value)
    if not isinstance(value, list) or not fits:
        msg = f"{path}: {name} is written as tables [[{name}]]; {value!r} came"
        raise SettingError(msg)
    return [dict(part) for part in value]
