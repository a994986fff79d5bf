"""What launchers put around each line of a log, and how it is peeled off.

The envelopes are data, in `envelopes.toml`; one mechanism here. A file has one envelope
or none, and the first lines tell: nearly all of them fit it, and formats find more in
what is inside than in the lines as they are.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from diagkit.sources import tracebacks
from diagkit.sources.records import RecordBuilder
from diagkit.sources.spellings import Spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "HEAD_LINES",
    "Envelope",
    "Inside",
    "count_known",
    "find_envelope",
    "load_envelopes",
]

HEAD_LINES = 200
# Of the head's lines that are not empty, so many may be in no envelope: launchers say a
# few words of their own.
STRAY, STRAY_SHARE = 3, 0.2
# To find out what a line is, its beginning is enough; of JSON the whole is needed.
ENOUGH = {True: 2**16, False: 2**12}
# A prefix that is another one in every line is no launcher's.
FEW = 8
BLOCKS = {
    "service": (
        r"(?P<service>(?!(?i:trace|debug|info|notice|success|warn|warning|err|error|"
        r"critical|crit|fatal)\b)(?:[A-Za-z_][\w.@/-]{0,127}|\d{1,6}(?![\w.@/-])))"
    ),
    "time": (
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
    ),
    "cell": r'(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+)',
    # What a log_line_prefix may write: no blank at first, nowhere what ends a level.
    "prefix": (
        r"(?!\s)(?:(?:(?!:  ).){0,200}?\b(?P<timestamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        r"(?:\.\d{3})?(?: (?:UTC|GMT|[+-]\d\d(?::?\d\d)?)\b)?|\d{10}\.\d{3}\b))?"
        r"(?:(?:(?!:  ).){0,300}?[^A-Za-z])?"
    ),
    "colour": r"(?P<colour>(?:\x1b\[[\d;]*m)+)?",
    "reset": r"(?(colour)(?:\x1b\[0?m)?)",
}


class Inside(NamedTuple):
    """A line, taken out of its envelope.

    Attributes
    ----------
    payload
        What was written.
    service
        Who wrote it, where the envelope says.
    time
        When, where it says; RFC 3339.
    stream
        ``stdout`` or ``stderr``, where it says.
    partial
        Whether the line goes on in the next of the same service and stream.
    rest
        Whether it goes on with a record that was spelled up to here.
    """

    payload: str
    service: str | None = None
    time: str | None = None
    stream: str | None = None
    partial: bool = False
    rest: bool = False


@dataclass(frozen=True)
class Envelope:
    """What one launcher puts around a line.

    Attributes
    ----------
    name, sure, split_at, examples
        As `envelopes.toml` explains.
    pattern
        Fits a whole line; None where lines are JSON.
    keys
        Of JSON lines: for each part the keys under which it may stand.
    spelling
        How records are spelled that no line format could read.
    """

    name: str
    pattern: re.Pattern[str] | None
    keys: Mapping[str, Sequence[str]]
    spelling: Spelling | None = None
    sure: bool = False
    split_at: int | None = None
    examples: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def opener(self) -> Callable[[str], Inside | None]:
        """Return what takes the lines of one log out of the envelope, in order.

        Returns
        -------
        callable
            As `open`; it may remember the lines before.
        """
        if self.spelling is None:
            return self.open
        tell = self.spelling.follow()

        def open_line(line: str) -> Inside | None:
            begins = tell(line)
            if begins is None:
                return None
            return Inside(line, partial=True, rest=not begins)

        return open_line

    def open(self, line: str) -> Inside | None:
        """Take a line out of the envelope.

        Parameters
        ----------
        line
            The line, without its end.

        Returns
        -------
        Inside or None
            None where the line is in no such envelope, or would be only for the lines
        before it.
        """
        if self.spelling is not None:
            return self.opener()(line)
        if self.pattern is None:
            return self._open_json(line)
        match = self.pattern.fullmatch(line)
        if match is None:
            return None
        found = match.groupdict()
        return Inside(
            found.get("payload") or "",
            found.get("service"),
            found.get("time"),
            found.get("stream"),
            found.get("partial") is not None,
        )

    def _open_json(self, line: str) -> Inside | None:
        if line[:1] != "{":
            return None
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        parts = {name: _find(data, keys) for name, keys in self.keys.items()}
        payload = parts["payload"]
        if payload is None or not (parts["time"] or parts["stream"]):
            return None
        return Inside(
            payload.removesuffix("\n"),
            parts["service"],
            parts["time"],
            parts["stream"],
            not payload.endswith("\n"),
        )


def _find(data: dict[str, Any], keys: Sequence[str]) -> str | None:
    for key in keys:
        first, _, rest = key.partition(".")
        value = data.get(first)
        if rest and isinstance(value, dict):
            value = value.get(rest)
        if isinstance(value, str):
            return value
    return None


@lru_cache(maxsize=1)
def load_envelopes() -> tuple[Envelope, ...]:
    """Read the envelopes that come with diagkit.

    Returns
    -------
    tuple of Envelope
        In the order in which they are tried.

    Examples
    --------
    >>> load_envelopes()[0].name
    'docker.json-file'
    """
    source = files("diagkit.sources").joinpath("envelopes.toml")
    rows = tomllib.loads(source.read_text(encoding="utf-8"))["envelope"]
    return tuple(
        Envelope(
            name=row["name"],
            pattern=_compile(row["pattern"]) if "pattern" in row else None,
            keys=row.get("keys", {}),
            spelling=_make_spelling(row) if "begins" in row else None,
            sure=row.get("sure", False),
            split_at=row.get("split_at"),
            examples=tuple(row["examples"]),
        )
        for row in rows
    )


def _make_spelling(row: dict[str, Any]) -> Spelling:
    patterns = {
        name: _compile(row[name]) for name in ("goes_on", "signs") if name in row
    }
    return Spelling(
        begins=_compile(row["begins"]),
        columns=tuple(row.get("columns", ())),
        fields=row.get("fields", {}),
        **patterns,
    )


def _compile(pattern: str) -> re.Pattern[str]:
    full = re.sub(r"<<(\w+)>>", lambda match: BLOCKS[match[1]], pattern)
    return re.compile(full, re.DOTALL)


def find_envelope(head: Sequence[str]) -> Envelope | None:
    """Tell the envelope of a file by its first lines.

    Parameters
    ----------
    head
        The first lines, `HEAD_LINES` or so, without their ends.

    Returns
    -------
    Envelope or None
        None where the lines are understood as they are, or not better without it.

    Examples
    --------
    >>> line = "2025-11-24 18:17:11 - root - INFO - up"
    >>> find_envelope([f"api-1  | {line}"]).name
    'compose'
    >>> find_envelope([line])
    """
    lines = [line for line in head if line]
    bare: list[int] = []
    best, most, fitting = None, 0, 0
    for envelope in load_envelopes():
        inside = list(map(envelope.opener(), lines))
        found = [one for one in inside if one is not None]
        if not _fits_most(len(found), len(lines)) or _varies(found):
            continue
        if not bare:
            bare = [count_known(line) for line in lines]
            most = sum(bare)
        score = sum(map(partial(_judge, envelope), inside, bare))
        better = (score, len(found)) > (most, fitting) if best else score > most
        if better or (envelope.sure and best is None and score == most):
            best, most, fitting = envelope, score, len(found)
    return best


def _judge(envelope: Envelope, inside: Inside | None, bare: int) -> int:
    """Count what is known of a line when it is peeled; `bare` is known as it is."""
    if inside is None:
        return bare
    if (spelling := envelope.spelling) is not None:
        if not spelling.is_sign(inside.payload):
            return bare
        if inside.rest:
            return max(bare, 1)
        return count_known(spelling.spell(inside.payload))
    known = count_known(inside.payload, inside.time)
    # The rest of a record says nothing by itself. As a line of its own it would, with
    # the envelope's time, and that is no reason to leave it so.
    if known < bare and tracebacks.continues(inside.payload, after_frame=True):
        return bare
    return known


def _fits_most(found: int, count: int) -> bool:
    return found > count / 2 and count - found <= max(STRAY, STRAY_SHARE * count)


def _varies(inside: Sequence[Inside]) -> bool:
    services = {found.service for found in inside}
    return len(services) > max(FEW, len(inside) / 4)


def count_known(line: str, time: str | None = None) -> int:
    """Count what is known of a line: its time, level and logger.

    Parameters
    ----------
    line
        The line, out of its envelope.
    time
        What the envelope says of it.

    Returns
    -------
    int
        Up to three.

    Examples
    --------
    >>> count_known("WARNING:root:lost it"), count_known("lost it")
    (2, 0)
    """
    builder = RecordBuilder()
    builder.feed(1, line[: ENOUGH[line[:1] == "{"]])
    record = builder.close()
    if record is None:
        return 0
    known = (record.timestamp or time, record.level, record.logger)
    return sum(value is not None for value in known)
