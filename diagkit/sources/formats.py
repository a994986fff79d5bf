"""The registry of line formats: data in `formats.toml`, one mechanism here."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from diagkit.sources.jsonlines import JsonFormat, read_json_line
from diagkit.sources.layouts import (
    compile_layout,
    compile_pattern,
    find_gate,
    read_layout,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from diagkit.sources.timestyles import TimeStyle

__all__ = [
    "ANSI",
    "NEVER_FIRST",
    "Follows",
    "LineFormat",
    "Registry",
    "compile_layout",
    "load_registry",
    "make_format",
    "parse_json_line",
]

Follows = Literal["any", "block", "traceback", "indented", "none"]

ANSI = re.compile(r"\x1b\[[\d;]*m")
# No format begins a line with one of these.
NEVER_FIRST = frozenset(" \t{}()>|^~+*#\"'`,;!?&=")
# Files with further formats, and the group of entry points that name such files.
ENVIRONMENT = "DIAGKIT_FORMATS"
ENTRY_POINTS = "diagkit.formats"


@dataclass(frozen=True)
class LineFormat:
    """How one kind of line begins a record.

    Attributes
    ----------
    name
        What it is called.
    pattern
        Its regular expression, matched from the line's first character.
    follows
        Which lines without a format of their own belong to such a record.
    logger, level
        What the record has where the line does not say.
    joins
        Levels that are none: such a line goes on with the record before it, where
        that is of this format too.
    needs
        Text without which no line is of this format.
    starts
        The characters that a line may begin with, as in brackets of a regular
        expression; empty where any may.
    gate
        What every line begins with that this format explains.
    style
        How the time is written, where the layout says it itself.
    written
        Its layout or pattern as it stands in the file.
    examples
        Lines with the fields that must be found in them.
    """

    name: str
    pattern: re.Pattern[str]
    follows: Follows
    logger: str | None = None
    level: str | None = None
    joins: frozenset[str] = frozenset()
    needs: str = ""
    starts: str = ""
    gate: str = ""
    style: TimeStyle | None = field(default=None, repr=False)
    written: str = field(default="", repr=False)
    examples: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def may_begin(self, first: str) -> bool:
        """Say whether such a line may begin with a character.

        Parameters
        ----------
        first
            The character.

        Returns
        -------
        bool
            False where none of its lines does.
        """
        if self.starts:
            return re.match(f"[{self.starts}]", first) is not None
        return first not in NEVER_FIRST


# Formats that share what their lines begin with.
Group = tuple[re.Pattern[str] | None, tuple[LineFormat, ...]]


@dataclass(frozen=True)
class Registry:
    """All formats: of text lines, of JSON lines, and the names of levels.

    Attributes
    ----------
    formats
        Text formats in the order in which they are tried.
    json_formats
        Formats of JSON lines in the order in which they are tried.
    levels
        Spellings of the five levels of LOGS.
    """

    formats: tuple[LineFormat, ...]
    json_formats: tuple[JsonFormat, ...]
    levels: dict[str, str]

    def recognise(self, line: str) -> tuple[LineFormat, re.Match[str]] | None:
        """Find the first format that explains how a line begins a record.

        Parameters
        ----------
        line
            A line without its end; colours must be gone.

        Returns
        -------
        tuple of LineFormat and re.Match, or None
            None where the line begins no record that is known.
        """
        for gate, formats in self._candidates(line[:1]):
            for position, candidate in enumerate(formats):
                # The gate saves the others; the first is as quick as the gate.
                if position == 1 and gate is not None and not gate.match(line):
                    break
                if candidate.needs and candidate.needs not in line:
                    continue
                match = candidate.pattern.fullmatch(line)
                if match:
                    return candidate, match
        return None

    def level_name(self, level: str | None) -> str | None:
        """Return the usual name of a level.

        Parameters
        ----------
        level
            As it was written.

        Returns
        -------
        str or None
            Upper case, DEBUG, INFO, WARNING, ERROR or CRITICAL where it is one.
        """
        if level is None:
            return None
        upper = level.strip().upper()
        return self.levels.get(upper, upper) or None

    @cached_property
    def _by_start(self) -> dict[str, tuple[Group, ...]]:
        # The first character of a line leaves few formats to try: most lines of a
        # traceback begin with a blank, and none is tried for them.
        return {chr(i): self._groups(chr(i)) for i in range(128)} | {
            "": (),
            "other": self._groups("\x80"),
        }

    def _groups(self, first: str) -> tuple[Group, ...]:
        groups: list[tuple[str, list[LineFormat]]] = []
        for candidate in self.formats:
            if not candidate.may_begin(first):
                continue
            # No line begins with times of two styles, so formats of one style may be
            # drawn together; not past a format that could begin with any.
            last = max((i for i, g in enumerate(groups) if not g[0]), default=-1)
            same = [g for g in groups[last + 1 :] if g[0] == candidate.gate != ""]
            if same:
                same[0][1].append(candidate)
            else:
                groups.append((candidate.gate, [candidate]))
        return tuple(
            (re.compile(gate) if gate else None, tuple(formats))
            for gate, formats in groups
        )

    def _candidates(self, first: str) -> tuple[Group, ...]:
        groups = self._by_start.get(first)
        return self._by_start["other"] if groups is None else groups


def load_registry(extra_paths: Sequence[str | Path] = ()) -> Registry:
    """Read the formats that come with diagkit, and those of its user.

    Parameters
    ----------
    extra_paths
        TOML files with further formats, in the order in which they are tried. They go
        before those that the environment variable ``DIAGKIT_FORMATS`` names (between
        them what separates the entries of ``PATH``), those before the ones of entry
        points in the group ``diagkit.formats``, and the built-in ones come last.

    Returns
    -------
    Registry
        All of them. Each file is read once in the life of a process.

    Raises
    ------
    SettingError
        If a file cannot be read or an entry is wrong; it names both.

    Examples
    --------
    >>> load_registry().recognise("2025-11-24 18:17:11 - root - INFO - up")[0].name
    'python.dashes'
    """
    return _load(tuple(map(str, extra_paths)), os.environ.get(ENVIRONMENT, ""))


@lru_cache(maxsize=16)
def _load(extra_paths: tuple[str, ...], named: str) -> Registry:
    registry = _load_own()
    paths = [*extra_paths, *filter(None, named.split(os.pathsep))]
    points = find_entry_points()
    if not paths and not points:
        return registry
    from diagkit.sources.formatfiles import extend_registry

    return extend_registry(registry, paths, points)


@lru_cache(maxsize=1)
def find_entry_points() -> tuple[Any, ...]:
    """Find the entry points by which installed packages bring formats.

    Returns
    -------
    tuple of importlib.metadata.EntryPoint
        By name, so that their order is always the same.

    Examples
    --------
    >>> find_entry_points()
    ()
    """
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINTS)
    return tuple(sorted(found, key=lambda point: (point.name, point.value)))


@lru_cache(maxsize=1)
def _load_own() -> Registry:
    text = files("diagkit.sources").joinpath("formats.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Registry(
        formats=tuple(map(make_format, data["format"])),
        json_formats=tuple(map(_make_json_format, data["json"])),
        levels=data["levels"],
    )


def make_format(row: dict[str, Any]) -> LineFormat:
    """Make a format of an entry of `formats.toml`.

    Parameters
    ----------
    row
        The entry.

    Returns
    -------
    LineFormat
        The format.

    Raises
    ------
    SettingError
        If its layout cannot be read.
    """
    fields: dict[str, Any] = {
        key: row[key] for key in ("logger", "level", "needs", "starts") if key in row
    }
    if "layout" in row:
        layout = read_layout(row["layout"])
        pattern = layout.pattern
        fields = {
            "starts": layout.starts,
            "gate": layout.gate,
            "style": layout.style,
            **fields,
        }
    else:
        pattern = compile_pattern(row["pattern"])
        fields["gate"] = find_gate(row["pattern"])
    return LineFormat(
        name=row["name"],
        pattern=pattern,
        follows=row.get("follows", "any"),
        joins=frozenset(row.get("joins", ())),
        written=row.get("layout") or row["pattern"],
        examples=tuple(row["examples"]),
        **fields,
    )


def _make_json_format(row: dict[str, Any]) -> JsonFormat:
    names = ("message", "timestamp", "level", "logger", "exception")
    return JsonFormat(
        name=row["name"],
        has=tuple(row.get("has", ())),
        keys={name: tuple(row[name]) for name in names if name in row},
        levels=row.get("levels", {}),
        append=tuple(row.get("append", ())),
        told=tuple(row.get("told", ())),
    )


def parse_json_line(line: str, registry: Registry) -> dict[str, object] | None:
    """Read the fields of a JSON line.

    Parameters
    ----------
    line
        A line that may be one JSON object.
    registry
        Says under which keys the fields stand.

    Returns
    -------
    dict or None
        The fields found (``message`` always, the others where they are), as JSON has
        them. None where the line is no JSON object with a message.

    Examples
    --------
    >>> parse_json_line('{"msg": "up", "x": 3}', load_registry())
    {'message': 'up'}
    """
    found = read_json_line(line, registry.json_formats)
    return found[1] if found is not None else None
