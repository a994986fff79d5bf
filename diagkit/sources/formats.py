"""The registry of line formats: data in `formats.toml`, one mechanism here."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal

Follows = Literal["any", "traceback", "indented", "none"]

# What stands for a field of a layout. A level without brackets must be a known word;
# in brackets any word is one.
BLOCKS = {
    "timestamp": (
        r"(?P<timestamp>\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
        r"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)(?![\w:]))?)"
    ),
    "level": (
        r"(?P<level>TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|"
        r"FATAL|trace|debug|info|notice|success|warn(?:ing)?|err(?:or)?|critical|fatal)"
    ),
    "logger": r"(?P<logger>[\w.$<>/-]+(?::[\w.$<>/-]+)*)",
    "message": r"(?P<message>.*)",
    "skip": r"[^\s\[\]]+",
}
BRACKETED_LEVEL = r"\[(?P<level>[A-Za-z]{2,12}) *\]"
ANSI = re.compile(r"\x1b\[[\d;]*m")
# No format begins a line with one of these.
NEVER_FIRST = frozenset(" \t{}()>|^~+*#\"'`,;!?-&=")


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
    examples
        Lines with the fields that must be found in them.
    """

    name: str
    pattern: re.Pattern[str]
    follows: Follows
    logger: str | None = None
    level: str | None = None
    examples: tuple[dict[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Registry:
    """All formats: of text lines, of JSON lines, and the names of levels.

    Attributes
    ----------
    formats
        Text formats in the order in which they are tried.
    json_keys
        For each field the keys of JSON lines under which it may stand.
    levels
        Spellings of the five levels of LOGS.
    """

    formats: tuple[LineFormat, ...]
    json_keys: dict[str, tuple[str, ...]]
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
        for candidate in self._candidates(line[:1]):
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
    def _by_start(self) -> tuple[tuple[LineFormat, ...], ...]:
        shapes = [(f, f.pattern.pattern) for f in self.formats]
        digit = tuple(f for f, shape in shapes if shape.startswith("(?P<timestamp>"))
        bracket = tuple(f for f, shape in shapes if shape.startswith(r"\["))
        rest = tuple(f for f in self.formats if f not in (*digit, *bracket))
        return digit + rest, bracket, rest

    def _candidates(self, first: str) -> tuple[LineFormat, ...]:
        # Most lines of a traceback begin with a blank: no format is tried for them.
        if first in NEVER_FIRST:
            return ()
        digit, bracket, rest = self._by_start
        if first.isdigit():
            return digit
        return bracket if first == "[" else rest


def compile_layout(layout: str) -> re.Pattern[str]:
    """Turn a layout into the regular expression that it stands for.

    Parameters
    ----------
    layout
        A line with fields in braces, as `formats.toml` explains.

    Returns
    -------
    re.Pattern
        Matches a whole line.

    Examples
    --------
    >>> pattern = compile_layout("{timestamp} {level} {message}")
    >>> pattern.fullmatch("2025-11-24 23:20:56 ERROR lost it")["message"]
    'lost it'
    """
    out = ""
    for token in re.split(r"( ?\{message\}|\[\{level\}\]|\{\w+\}| )", layout):
        if token in (" {message}", "{message}"):
            # An empty message loses its blank where a file was trimmed.
            out += (
                rf"(?: {BLOCKS['message']}|)" if token[0] == " " else BLOCKS["message"]
            )
        elif token == "[{level}]":
            out += BRACKETED_LEVEL
        elif token.startswith("{") and token.endswith("}"):
            out += BLOCKS[token[1:-1]]
        else:
            out += " +" if token == " " else re.escape(token)
    return re.compile(out, re.DOTALL)


@lru_cache(maxsize=1)
def load_registry() -> Registry:
    """Read the formats that come with diagkit.

    Returns
    -------
    Registry
        All of them.

    Examples
    --------
    >>> load_registry().recognise("2025-11-24 18:17:11 - root - INFO - up")[0].name
    'python.dashes'
    """
    text = files("diagkit.sources").joinpath("formats.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    formats = tuple(
        LineFormat(
            name=row["name"],
            pattern=compile_layout(row["layout"])
            if "layout" in row
            else re.compile(row["pattern"], re.DOTALL),
            follows=row["follows"],
            logger=row.get("logger"),
            level=row.get("level"),
            examples=tuple(row["examples"]),
        )
        for row in data["format"]
    )
    keys = {name: tuple(keys) for name, keys in data["json"].items()}
    return Registry(formats, keys, data["levels"])


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
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    found: dict[str, object] = {}
    for name, keys in registry.json_keys.items():
        for key in keys:
            value = _dig(data, key)
            if value is not None:
                found[name] = value
                break
    return found if "message" in found else None


def _dig(data: dict[str, object], key: str) -> object:
    if key in data:
        return data[key]
    value: object = data
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
