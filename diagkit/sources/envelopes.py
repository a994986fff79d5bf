"""What launchers put around each line of a log, and how it is peeled off.

The envelopes are data, in `envelopes.toml`; one mechanism here. A file has one envelope
or none, and the first lines tell: nearly all of them fit it, and formats find more in
what is inside than in the lines as they are.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from diagkit.sources import tracebacks
from diagkit.sources.records import Record, RecordBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "HEAD_LINES",
    "Envelope",
    "Inside",
    "find_envelope",
    "load_envelopes",
    "peel",
]

HEAD_LINES = 200
# Of the head's lines that are not empty, so many may be in no envelope: launchers say a
# few words of their own.
STRAY, STRAY_SHARE = 3, 0.2
# To find out what a line is, its beginning is enough; of JSON the whole is needed.
ENOUGH = {True: 2**16, False: 2**12}
# So many services write at once, at most; past that, the one that is silent for longest
# is taken to be done.
MAX_FLOWS = 256
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
    """

    payload: str
    service: str | None = None
    time: str | None = None
    stream: str | None = None
    partial: bool = False


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
    """

    name: str
    pattern: re.Pattern[str] | None
    keys: Mapping[str, Sequence[str]]
    sure: bool = False
    split_at: int | None = None
    examples: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def open(self, line: str) -> Inside | None:
        """Take a line out of the envelope.

        Parameters
        ----------
        line
            The line, without its end.

        Returns
        -------
        Inside or None
            None where the line is in no such envelope.
        """
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
            sure=row.get("sure", False),
            split_at=row.get("split_at"),
            examples=tuple(row["examples"]),
        )
        for row in rows
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
    best, most = None, 0
    for envelope in load_envelopes():
        inside = [envelope.open(line) for line in lines]
        found = [one for one in inside if one is not None]
        if not _fits_most(len(found), len(lines)) or _varies(found):
            continue
        if not bare:
            bare = [_explain(line) for line in lines]
            most = sum(bare)
        score = sum(map(_judge, inside, bare))
        if score > most or (envelope.sure and best is None and score == most):
            best, most = envelope, score
    return best


def _judge(inside: Inside | None, bare: int) -> int:
    """Count what is known of a line when it is peeled; `bare` is known as it is."""
    if inside is None:
        return bare
    known = _explain(inside.payload, inside.time)
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


def _explain(line: str, time: str | None = None) -> int:
    """Count what is known of a line: its time, level and logger."""
    builder = RecordBuilder()
    builder.feed(1, line[: ENOUGH[line[:1] == "{"]])
    record = builder.close()
    if record is None:
        return 0
    known = (record.timestamp or time, record.level, record.logger)
    return sum(value is not None for value in known)


def peel(
    lines: Iterable[str], envelope: Envelope
) -> Iterator[tuple[str | None, Record]]:
    r"""Put the lines inside of an envelope together to records.

    Each service and stream is put together by itself, so that what several write at the
    same time comes apart. A record without a time of its own gets the envelope's. A
    line that is in no envelope goes where the line before it went.

    Parameters
    ----------
    lines
        All lines of a file, without their ends.
    envelope
        What is around them.

    Yields
    ------
    str or None, and Record
        The service, and a record when it is complete; those of different services may
        come in another order than that of their first lines. Their ``lines`` add up to
        the number of lines.

    Examples
    --------
    >>> head = "2025-11-24 18:17:11 - root - INFO - "
    >>> log = [f"a | {head}up", f"b | {head}on", "a | and running"]
    >>> for service, record in peel(log, find_envelope(log)):
    ...     print(service, record.line, record.lines, repr(record.message))
    a 1 2 'up\nand running'
    b 2 1 'on'
    """
    flows: dict[tuple[str | None, str | None], _Flow] = {}
    key: tuple[str | None, str | None] = (None, None)
    for number, line in enumerate(lines, start=1):
        inside = envelope.open(line)
        if inside is not None:
            key = (inside.service, inside.stream)
        flow = flows.get(key)
        if flow is None:
            flow = flows[key] = _Flow(envelope.split_at)
            if len(flows) > MAX_FLOWS:
                silent = min(flows, key=lambda one: flows[one].last)
                for record in flows.pop(silent).close():
                    yield silent[0], record
        for record in flow.take(number, inside or Inside(line), bare=inside is None):
            yield key[0], record
    for (service, _), flow in flows.items():
        for record in flow.close():
            yield service, record


class _Flow:
    """What one service writes to one stream."""

    def __init__(self, split_at: int | None) -> None:
        self.last = sys.maxsize  # number of its last line
        self._split_at = split_at
        self._builder = RecordBuilder()
        # Of the lines that the builder holds: how many lines of the file, and the time.
        self._held: list[tuple[int, str | None]] = []
        # A line that is not complete yet, the number of its first part, its time, and
        # whether it is known to go on.
        self._parts: list[str] = []
        self._first: tuple[int, str | None] = (0, None)
        self._goes_on = False

    def take(self, number: int, inside: Inside, *, bare: bool) -> Iterable[Record]:
        """Take the next line, and return the records that it shows to be complete."""
        self.last = number
        text = inside.payload
        split = inside.partial or len(text) == self._split_at or "\n" in text
        if self._parts or split:
            return self._take_part(number, inside, bare=bare)
        self._held.append((1, inside.time))
        record = self._builder.feed(number, text.removesuffix("\r"))
        return () if record is None else (self._settle(record),)

    def _take_part(
        self, number: int, inside: Inside, *, bare: bool
    ) -> Iterator[Record]:
        if self._parts and not self._is_rest(inside, bare=bare):
            yield from self._flush()
        if not self._parts:
            self._first = (number, inside.time)
        self._parts.append(inside.payload)
        cut = len(inside.payload) == self._split_at and not bare
        self._goes_on = inside.partial
        if not (cut or inside.partial):
            yield from self._flush()

    def close(self) -> Iterator[Record]:
        """Say that no line follows."""
        yield from self._flush()
        record = self._builder.close()
        if record is not None:
            yield self._settle(record)

    def _is_rest(self, inside: Inside, *, bare: bool) -> bool:
        # A line of just the length at which lines are cut may also end there.
        return not bare and (self._goes_on or not _explain(inside.payload))

    def _flush(self) -> Iterator[Record]:
        if not self._parts:
            return
        number, time = self._first
        count = len(self._parts)
        # What collects several lines to one, JSON alone can hold.
        for line in "".join(self._parts).split("\n"):
            self._held.append((count, time))
            count = 0
            record = self._builder.feed(number, line.removesuffix("\r"))
            if record is not None:
                yield self._settle(record)
        self._parts = []

    def _settle(self, record: Record) -> Record:
        """Give a record the lines and the time that the envelope knows of."""
        own = self._held[: record.lines]
        del self._held[: record.lines]
        record.lines = sum(count for count, _ in own)
        if record.timestamp is None:
            record.timestamp = own[0][1]
        return record
