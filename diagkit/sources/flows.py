"""Lines of several services, out of their envelope and put together to records."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from diagkit.sources.envelopes import Envelope, Inside, count_known
from diagkit.sources.records import Record, RecordBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# So many services write at once, at most; past that, the one that is silent for longest
# is taken to be done.
MAX_FLOWS = 256


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
    >>> from diagkit.sources.envelopes import find_envelope
    >>> head = "2025-11-24 18:17:11 - root - INFO - "
    >>> log = [f"a | {head}up", f"b | {head}on", "a | and running"]
    >>> for service, record in peel(log, find_envelope(log)):
    ...     print(service, record.line, record.lines, repr(record.message))
    a 1 2 'up\nand running'
    b 2 1 'on'
    """
    flows: dict[tuple[str | None, str | None], _Flow] = {}
    key: tuple[str | None, str | None] = (None, None)
    open_line = envelope.opener()
    for number, line in enumerate(lines, start=1):
        inside = open_line(line)
        if inside is not None:
            key = (inside.service, inside.stream)
        flow = flows.get(key)
        if flow is None:
            flow = flows[key] = _Flow(envelope)
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

    def __init__(self, envelope: Envelope) -> None:
        self.last = sys.maxsize  # number of its last line
        self._spelling = envelope.spelling
        self._split_at = envelope.split_at
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
        if self._spelling is not None:
            return inside.rest
        # A line of just the length at which lines are cut may also end there.
        return not bare and (self._goes_on or not count_known(inside.payload))

    def _flush(self) -> Iterator[Record]:
        if not self._parts:
            return
        number, time = self._first
        count = len(self._parts)
        if self._spelling is not None:
            text = self._spelling.spell("\n".join(self._parts))
        else:
            text = "".join(self._parts)
        # What collects several lines to one, JSON alone can hold.
        for line in text.split("\n"):
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
