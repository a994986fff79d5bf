"""Lines to records: which lines begin one, and which belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.sources import tracebacks
from diagkit.sources.formats import (
    ANSI,
    Follows,
    Registry,
    load_registry,
    parse_json_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass
class Record:
    """One record, its fields still as they were written.

    Attributes
    ----------
    format
        Name of the line format, ``json``, or ``unknown``.
    timestamp
        Text, a number (an epoch), or None.
    level, logger, message, exception, traceback
        As in LOGS.
    line, lines
        As in LOGS.
    """

    format: str
    timestamp: object
    level: str | None
    logger: str | None
    message: str
    line: int
    follows: Follows | None = None
    exception: str | None = None
    traceback: str | None = None
    lines: int = 1
    _rest: list[str] = field(default_factory=list, repr=False)
    _after_frame: bool = False

    def __post_init__(self) -> None:
        self._after_frame = tracebacks.is_header(self.message)

    def take(self, line: str) -> bool:
        """Add a line that begins no record of its own, if it belongs to this one.

        Parameters
        ----------
        line
            The line that follows.

        Returns
        -------
        bool
            False where it does not belong here.
        """
        if not self._accepts(line):
            return False
        self._rest.append(line)
        self.lines += 1
        self._after_frame = line[:1] in (" ", "\t") or tracebacks.is_header(line)
        return True

    def close(self) -> Record:
        """Cut what was taken into message and traceback.

        Returns
        -------
        Record
            This record, complete.
        """
        if self._rest:
            text = "\n".join([self.message, *self._rest])
            self.message, own = tracebacks.split_traceback(text)
            self.traceback = own if own is not None else self.traceback
        elif self.format == "unknown" and tracebacks.is_header(self.message):
            self.message, self.traceback = "", self.message
        if self.traceback is not None:
            self.traceback = self.traceback.rstrip("\n")
            self.exception = tracebacks.last_exception(self.traceback)
        self.message = self.message.rstrip("\n")
        return self

    def holds(self, literals: Sequence[str]) -> bool:
        """Say whether the message or the traceback holds one of some literals.

        Parameters
        ----------
        literals
            What is looked for.

        Returns
        -------
        bool
            True where there is one, or where nothing is looked for.
        """
        texts = (self.message, self.traceback or "")
        return not literals or any(
            literal in text for literal in literals for text in texts
        )

    def _accepts(self, line: str) -> bool:
        # A blank line says nothing: it is counted with the record before it.
        if self.follows == "any" or not line:
            return True
        if self.follows == "none":
            return False
        if self.follows == "indented":
            return not self._rest and line[0] in " \t"
        begun = tracebacks.is_header(line) or any(
            map(tracebacks.is_header, (self.message, *self._rest[:1]))
        )
        return begun and tracebacks.continues(line, after_frame=self._after_frame)


class RecordBuilder:
    """Takes lines one by one, and gives each record when it is complete."""

    def __init__(self) -> None:
        self._registry = load_registry()
        self._open: Record | None = None

    def feed(self, number: int, line: str) -> Record | None:
        """Take the next line.

        Parameters
        ----------
        number
            Its number in the file, from 1.
        line
            Its text, without its end.

        Returns
        -------
        Record or None
            The record that the line shows to be complete, if any.
        """
        begun = _begin(line, number, self._registry)
        if begun is None:
            if self._open is not None and self._open.take(line):
                return None
            begun = Record("unknown", None, None, None, line, number, "traceback")
        done, self._open = self._open, begun
        return done.close() if done is not None else None

    def close(self) -> Record | None:
        """Say that no line follows.

        Returns
        -------
        Record or None
            The last record, if there was any line.
        """
        done, self._open = self._open, None
        return done.close() if done is not None else None


def iterate_records(
    lines: Iterable[str], literals: Sequence[str] = ()
) -> Iterator[Record]:
    r"""Put lines together to records.

    Parameters
    ----------
    lines
        Lines without their ends.
    literals
        Where there are any, only records come that hold one of them.

    Yields
    ------
    Record
        Complete records in order. Without `literals`, their ``lines`` add up to the
        number of lines.

    Examples
    --------
    >>> log = ["2025-11-24 18:17:11 - root - INFO - up", "and running"]
    >>> [record.message for record in iterate_records(log)]
    ['up\nand running']
    """
    builder = RecordBuilder()
    for number, line in enumerate(lines, start=1):
        record = builder.feed(number, line)
        if record is not None and record.holds(literals):
            yield record
    record = builder.close()
    if record is not None and record.holds(literals):
        yield record


def _begin(line: str, number: int, registry: Registry) -> Record | None:
    if line[:1] == "{":
        return _begin_json(line, number, registry)
    found = registry.recognise(line)
    if found is None and "\x1b" in line:
        # Colours around the level or the time hide them.
        found = registry.recognise(ANSI.sub("", line))
    if found is None:
        return None
    how, match = found
    groups = match.groupdict()
    return Record(
        format=how.name,
        timestamp=groups.get("timestamp"),
        level=registry.level_name(groups.get("level") or how.level),
        logger=groups.get("logger") or how.logger,
        message=groups.get("message") or "",
        line=number,
        follows=how.follows,
    )


def _begin_json(line: str, number: int, registry: Registry) -> Record | None:
    fields = parse_json_line(line, registry)
    if fields is None:
        return None
    level = fields.get("level")
    logger = fields.get("logger")
    message, own = tracebacks.split_traceback(_text(fields["message"]))
    return Record(
        format="json",
        timestamp=fields.get("timestamp"),
        level=registry.level_name(None if level is None else str(level)),
        logger=None if logger is None else str(logger),
        message=message,
        line=number,
        follows="none",
        traceback=tracebacks.describe_exception(fields.get("exception")) or own,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
