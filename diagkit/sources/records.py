"""Lines to records: which lines begin one, and which belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diagkit.sources import tracebacks
from diagkit.sources.formats import ANSI, Follows, Registry, load_registry
from diagkit.sources.jsonlines import is_record, read_json_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Syslog's severities, which are what is left of a priority divided by eight.
SEVERITIES = ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")


@dataclass
class Record:
    """One record, its fields still as they were written.

    Attributes
    ----------
    format
        Name of the line format, ``json`` or one of its kinds, or ``unknown``.
    timestamp
        Text, a number (an epoch), or None; what it means `times.parse_times` says.
    level, logger, message, exception, traceback
        As in LOGS.
    line, lines
        As in LOGS.
    follows
        Which lines without a format of their own belong to it.
    joins
        Whether it goes on with the record before it, where that is of the same format.
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
    joins: bool = False
    _rest: list[str] = field(default_factory=list, repr=False, compare=False)
    _after_frame: bool = field(default=False, repr=False, compare=False)
    _in_block: bool = field(default=False, repr=False, compare=False)

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
        if line.startswith(tracebacks.BLOCKS):
            self._in_block = True
        if self._in_block:
            self._in_block = not line.endswith("]")
        return True

    def take_all(self, lines: Sequence[str]) -> bool:
        """Add lines of which none begins a record by itself, where all belong here.

        Parameters
        ----------
        lines
            The lines that follow.

        Returns
        -------
        bool
            False where each has to be looked at; then none was added.
        """
        # A line that goes on with a record though it has a format begins with a time.
        if self.follows != "any" or any(line[:1].isdigit() for line in lines):
            return False
        self._rest += lines
        self.lines += len(lines)
        return True

    def join(self, other: Record) -> None:
        """Add a line that has a format, and goes on with this record.

        Parameters
        ----------
        other
            The line, as a record.
        """
        self._rest.append(other.message)
        self.lines += 1

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
        if self.follows == "block":
            return line[0] in " \t"
        if self.follows == "indented":
            return not self._rest and line[0] in " \t"
        if self._in_block:
            return True
        before = self._rest[-1] if self._rest else self.message
        if tracebacks.continues_java(line, before):
            return True
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
        elif (
            begun.joins and self._open is not None and self._open.format == begun.format
        ):
            self._open.join(begun)
            return None
        done, self._open = self._open, begun
        return done.close() if done is not None else None

    def feed_all(self, number: int, lines: Sequence[str]) -> Iterator[Record]:
        """Take lines of which only the first may begin a record by itself.

        Parameters
        ----------
        number
            Number of the first in the file, from 1.
        lines
            Their text, without their ends.

        Yields
        ------
        Record
            What they show to be complete.
        """
        for index, line in enumerate(lines):
            done = self.feed(number + index, line)
            if done is not None:
                yield done
            rest = lines[index + 1 :]
            if index == 0 and self._open is not None and self._open.take_all(rest):
                return

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


def begins_record(line: str, registry: Registry | None = None) -> bool:
    """Say whether a line begins a record, whatever stands before it.

    Parameters
    ----------
    line
        One line, without its end.
    registry
        The formats; those of `load_registry` by default.

    Returns
    -------
    bool
        False where it begins none, and where that depends on the line before it.

    Examples
    --------
    >>> begins_record("2025-11-24 18:17:11 - root - INFO - up")
    True
    >>> begins_record("2025-11-24 18:17:11 UTC [1] DETAIL:  Key (id)=(1) exists.")
    False
    """
    registry = registry or load_registry()
    if line[:1] == "{":
        return is_record(line, registry.json_formats)
    begun = _begin(line, 1, registry)
    return begun is not None and not begun.joins


def joins_record(line: str, registry: Registry | None = None) -> bool:
    """Say whether a line goes on with the record before it, if that is of its format.

    Parameters
    ----------
    line
        One line, without its end.
    registry
        The formats; those of `load_registry` by default.

    Returns
    -------
    bool
        True of PostgreSQL's DETAIL and the like.

    Examples
    --------
    >>> joins_record("2025-11-24 18:17:11 UTC [1] DETAIL:  Key (id)=(1) exists.")
    True
    """
    begun = _begin(line, 1, registry or load_registry())
    return begun is not None and begun.joins


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
    level = groups.get("level") or how.level
    record = Record(
        format=how.name,
        timestamp=groups.get("timestamp"),
        level=registry.level_name(level),
        logger=groups.get("logger") or how.logger,
        message=groups.get("message") or "",
        line=number,
        follows=how.follows,
    )
    if how.style is not None and record.timestamp:
        record.timestamp = how.style.to_iso(str(record.timestamp))
    if priority := groups.get("priority"):
        record.level = registry.level_name(SEVERITIES[int(priority) % 8])
    if level in how.joins:
        # It is no level, and says what the line tells.
        record.joins, record.level = True, None
        record.message = f"{level}:  {record.message}"
    return record


def _begin_json(line: str, number: int, registry: Registry) -> Record | None:
    found = read_json_line(line, registry.json_formats)
    if found is None:
        return None
    how, fields = found
    level = fields.get("level")
    logger = fields.get("logger")
    message, own = tracebacks.split_traceback(_text(fields["message"]))
    return Record(
        format=how.name,
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
