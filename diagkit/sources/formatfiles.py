"""Formats of a user: TOML files, named by a path, the environment or an entry point."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from diagkit.errors import SettingError, suggest
from diagkit.sources.formats import (
    NEVER_FIRST,
    Follows,
    LineFormat,
    Registry,
    make_format,
)
from diagkit.sources.prefixes import read_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TABLES = ("format", "json", "levels", "postgresql")
KEYS = ("name", "layout", "follows", "logger", "level", "joins", "examples")
JSON_KEYS = ("message", "timestamp", "level", "logger", "exception")
FIELDS = ("timestamp", "level", "logger", "message")


def extend_registry(
    registry: Registry, paths: Sequence[str], points: Iterable[Any] = ()
) -> Registry:
    """Put the formats of files before those of a registry.

    Parameters
    ----------
    registry
        What is there.
    paths
        TOML files.
    points
        Entry points that lead to such files, to their text, or to a function that
        returns either.

    Returns
    -------
    Registry
        A new one.

    Raises
    ------
    SettingError
        If a file cannot be read or an entry is wrong.
    """
    tables = [(path, _read(Path(path), path)) for path in paths]
    tables += [(f"entry point {point.name!r}", _read_point(point)) for point in points]
    known = {how.name for how in registry.formats}
    added: list[tuple[LineFormat, str]] = []
    for where, data in tables:
        _refuse_unknown(data, TABLES, where)
        for how in [
            *(_make(row, where) for row in data.get("format", [])),
            *_make_prefix(data, where),
        ]:
            if how.name in known:
                msg = f"{where}: there is already a format {how.name!r}"
                raise SettingError(msg)
            known.add(how.name)
            added.append((how, where))
        registry = _extend_json(registry, data, where)
    extended = replace(
        registry, formats=(*(how for how, _ in added), *registry.formats)
    )
    for how, where in added:
        _hold_examples(how, extended, f"{where}: format {how.name!r}")
    return extended


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        msg = f"{where}: the file of log formats cannot be read ({why})"
        raise SettingError(msg) from None
    return _parse(text, where)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{where}: is no TOML ({error})"
        raise SettingError(msg) from None


def _read_point(point: Any) -> dict[str, Any]:
    where = f"entry point {point.name!r}"
    try:
        value = point.load()
        value = value() if callable(value) else value
    except Exception as error:  # noqa: BLE001 - somebody else's code, it may raise any
        msg = f"{where}: cannot be loaded ({type(error).__name__}: {error})"
        raise SettingError(msg) from None
    if isinstance(value, Path) or (isinstance(value, str) and "\n" not in value):
        return _read(Path(value), f"{where}: {value}")
    if isinstance(value, str):
        return _parse(value, where)
    msg = f"{where}: gives a {type(value).__name__}, not a path or the text of TOML"
    raise SettingError(msg)


def _make_prefix(data: dict[str, Any], where: str) -> list[LineFormat]:
    """Make the format of PostgreSQL's log with a prefix that the user gives."""
    table = data.get("postgresql", {})
    _refuse_unknown(table, ("log_line_prefix",), f"{where}: postgresql")
    prefix = table.get("log_line_prefix") if isinstance(table, dict) else table
    if prefix is None:
        return []
    if not isinstance(prefix, str):
        msg = f'{where}: write [postgresql] log_line_prefix = "%m [%p] "'
        raise SettingError(msg)
    try:
        return [make_format(read_prefix(prefix))]
    except SettingError as error:
        msg = f"{where}: {error}"
        raise SettingError(msg) from None


def _make(row: object, where: str) -> LineFormat:
    if not isinstance(row, dict):
        msg = f"{where}: formats are tables: write [[format]]"
        raise SettingError(msg)
    name = row.get("name")
    if not isinstance(name, str) or not name:
        msg = f'{where}: a format has no name: write name = "..."'
        raise SettingError(msg)
    where = f"{where}: format {name!r}"
    if "pattern" in row:
        msg = (
            f"{where}: a pattern is not taken from a file, for it can take for ever on "
            "a hostile line; write a layout with fields in braces"
        )
        raise SettingError(msg)
    _refuse_unknown(row, KEYS, where)
    _check(row, where)
    try:
        return make_format(row)
    except SettingError as error:
        msg = f"{where}: {error}"
        raise SettingError(msg) from None


def _check(row: dict[str, Any], where: str) -> None:
    """Refuse what a layout may not be, and entries of the wrong type."""
    why = ""
    layout = row.get("layout")
    if not isinstance(layout, str):
        why = "it has no layout, for example '{timestamp} {level} {message}'"
    elif not re.search(r"\{message\}$", layout) or layout.count("{message}") > 1:
        why = "its layout does not end with {message}"
    elif layout[0] in NEVER_FIRST and not layout.startswith("{"):
        why = (
            f"its layout begins with {layout[0]!r}; lines that do so belong to the "
            "record before them"
        )
    elif "{timestamp" not in layout and "{level" not in layout:
        why = "its layout has neither {timestamp} nor {level}: every line would fit"
    elif row.get("follows", "any") not in get_args(Follows):
        near = suggest(str(row["follows"]), get_args(Follows))
        why = f"follows = {row['follows']!r} is none of {get_args(Follows)}{near}"
    elif not all(isinstance(row.get(key, ""), str) for key in ("logger", "level")):
        why = "its logger and its level are text"
    elif not _are_texts(row.get("joins", [])):
        why = "joins is a list of levels"
    elif not row.get("examples") or not isinstance(row["examples"], list):
        why = 'it has no example: write examples = [{ line = "...", message = "..." }]'
    if why:
        msg = f"{where}: {why}"
        raise SettingError(msg)


def _hold_examples(how: LineFormat, registry: Registry, where: str) -> None:
    """Refuse a format that does not read its own examples."""
    examples: tuple[object, ...] = how.examples
    for example in examples:
        line = example.get("line") if isinstance(example, dict) else None
        if not isinstance(example, dict) or not isinstance(line, str):
            msg = f"{where}: an example has no line"
            raise SettingError(msg)
        _refuse_unknown(example, ("line", *FIELDS), f"{where}: an example")
        match = how.pattern.fullmatch(line)
        if match is None:
            msg = f"{where}: its layout does not fit its example {line!r}"
            raise SettingError(msg)
        got: dict[str, str | None] = {
            "logger": how.logger,
            "level": how.level,
            **match.groupdict(),
        }
        got["level"] = registry.level_name(got["level"])
        for field in FIELDS:
            if field in example and got.get(field) != example[field]:
                msg = (
                    f"{where}: {field} of its example {line!r} is read as "
                    f"{got.get(field)!r}, not {example[field]!r}"
                )
                raise SettingError(msg)


def _extend_json(registry: Registry, data: dict[str, Any], where: str) -> Registry:
    """Add keys of JSON lines, and names of levels."""
    keys, levels = data.get("json", {}), data.get("levels", {})
    if not isinstance(keys, dict) or not all(map(_are_texts, keys.values())):
        msg = f'{where}: json is a table of lists: [json] message = ["text"]'
        raise SettingError(msg)
    _refuse_unknown(keys, JSON_KEYS, f"{where}: json")
    if not isinstance(levels, dict) or not _are_texts(list(levels.values())):
        msg = f'{where}: levels is a table of texts: [levels] SEVERE = "ERROR"'
        raise SettingError(msg)
    *others, plain = registry.json_formats
    merged = {
        name: (*keys.get(name, ()), *plain.keys.get(name, ())) for name in JSON_KEYS
    }
    return replace(
        registry,
        json_formats=(*others, replace(plain, keys=merged)),
        levels=registry.levels | {k.upper(): v.upper() for k, v in levels.items()},
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _refuse_unknown(data: object, known: tuple[str, ...], where: str) -> None:
    for key in data if isinstance(data, dict) else ():
        if key not in known:
            msg = f"{where}: {key!r} is not known{suggest(key, known)}"
            raise SettingError(msg)
