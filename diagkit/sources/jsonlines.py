"""JSON lines: under which keys each formatter writes what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagkit.sources import tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Several zones share some of them.
ABBREVIATION = re.compile(r"(?<=\d) (?!UTC|GMT)[A-Z]{3,5}$")


@dataclass(frozen=True)
class JsonFormat:
    """How one kind of formatter writes its records as JSON objects.

    Attributes
    ----------
    name
        What it is called.
    has
        Keys that tell such a record from others; all of them are there.
    keys
        For each field the keys under which it may stand; the first present wins. A dot
        goes one object down.
    levels
        What its levels mean, where they mean something else than usual.
    append
        Keys whose values are lines of the message.
    told
        Keys whose text ends with the traceback that ``exception`` only names.
    """

    name: str
    has: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    levels: dict[str, str] = field(default_factory=dict)
    append: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def read_json_line(
    line: str, formats: Iterable[JsonFormat]
) -> tuple[JsonFormat, dict[str, object]] | None:
    """Read the fields of a JSON line.

    Parameters
    ----------
    line
        A line that may be one JSON object.
    formats
        The formats, in the order in which they are tried.

    Returns
    -------
    tuple of JsonFormat and dict, or None
        The fields found (``message`` always, the others where they are), as JSON has
        them. None where the line is no JSON object with a message.

    Examples
    --------
    >>> plain = JsonFormat("json", (), {"message": ("message", "msg")})
    >>> read_json_line('{"msg": "up"}', [plain])[1]
    {'message': 'up'}
    """
    try:
        data = json.loads(line)
        if "\\ud" in line or "\\uD" in line:
            data = _spell(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    for how in formats:
        if all(_dig(data, key) is not None for key in how.has):
            found = _fields(data, how)
            if "message" in found:
                return how, found
    return None


def is_record(line: str, formats: Sequence[JsonFormat]) -> bool:
    """Say whether a line is a JSON record.

    Parameters
    ----------
    line
        A line that may be one JSON object.
    formats
        The formats, in the order in which they are tried; the last takes any object.

    Returns
    -------
    bool
        Whether `read_json_line` finds something.

    Examples
    --------
    >>> is_record('{"msg": "up"}', [JsonFormat("json", (), {"message": ("msg",)})])
    True
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if isinstance(data, dict):
        # With a message it is a record, of whatever format.
        for key in formats[-1].keys["message"]:
            if data.get(key) is not None:
                return True
    return read_json_line(line, formats) is not None


def _spell(value: Any) -> Any:
    """Spell out what is half a character: it is text nowhere but in JSON's escapes."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list):
        return [_spell(item) for item in value]
    if isinstance(value, dict):
        return {_spell(key): _spell(item) for key, item in value.items()}
    return value


def _fields(data: dict[str, object], how: JsonFormat) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, keys in how.keys.items():
        for key in keys:
            value = data.get(key)
            if value is None and "." in key:
                value = _dig(data, key)
            if value is not None:
                found[name] = value
                break
    when = found.get("timestamp")
    if isinstance(when, dict):
        found["timestamp"] = _from_object(when)
    elif isinstance(when, str) and when[-1:].isalpha():
        found["timestamp"] = ABBREVIATION.sub("", when)
    if "level" in found:
        found["level"] = how.levels.get(str(found["level"]), found["level"])
    if how.told and "exception" in found:
        _take_told(data, how, found)
    if how.append or isinstance(found.get("message"), list):
        _finish_message(data, how, found)
    return found


def _take_told(
    data: dict[str, object], how: JsonFormat, found: dict[str, object]
) -> None:
    """Take the traceback from the text that tells it."""
    text = next(
        (said for key in how.told if isinstance(said := data.get(key), str)), ""
    )
    message = str(found.get("message"))
    # A message may hold a traceback of its own.
    behind = text[text.index(message) + len(message) :] if message in text else text
    if (own := tracebacks.split_traceback(behind)[1]) is not None:
        found["exception"] = tracebacks.leave_out_values(own)


def _finish_message(
    data: dict[str, object], how: JsonFormat, found: dict[str, object]
) -> None:
    """Put together a message that is more than one text."""
    message = found.get("message")
    if isinstance(message, list):
        found["message"] = from_bytes(message)
    for key in how.append:
        if value := data.get(key):
            found["message"] = f"{found.get('message', '')}\n{key.upper()}:  {value}"


def from_bytes(values: list[object]) -> object:
    r"""Read a text that is written as the numbers of its bytes, as journald does.

    Parameters
    ----------
    values
        What may be such a text.

    Returns
    -------
    object
        The text; bytes that are none are spelled out (``\xff``). What is no list of
        bytes comes back as it is.

    Examples
    --------
    >>> from_bytes([117, 112])
    'up'
    """
    if not values or not all(type(v) is int and 0 <= v < 256 for v in values):
        return values
    return bytes(v for v in values if isinstance(v, int)).decode(
        errors="backslashreplace"
    )


def _from_object(when: dict[str, object]) -> object:
    """Read a time that is an object: of Google's logging, or of MongoDB's JSON."""
    seconds, nanos = when.get("seconds"), when.get("nanos", 0)
    if type(seconds) is int and type(nanos) is int:
        return f"{seconds}.{nanos:09}"
    return when.get("$date")


def _dig(data: dict[str, object], key: str) -> object:
    value = data.get(key)
    if value is not None or "." not in key:
        return value
    first, *rest = key.split(".")
    value = data.get(first)
    for part in rest:
        value = value.get(part) if isinstance(value, dict) else None
    return value
