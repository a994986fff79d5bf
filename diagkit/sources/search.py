"""Records that hold a literal, without building the others.

The whole file is searched as bytes, block by block; only where a literal stands are
lines put together to records, by the same `RecordBuilder` that reads whole files. What
comes is what reading everything and filtering gives, row for row.

A block ends where a line begins a record, so that no record is cut in two and no state
is carried over: a line that begins a record ends the one before it, whatever that was.
"""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources.formats import NEVER_FIRST, Registry, load_registry
from diagkit.sources.records import Record, RecordBuilder, begins_record

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 4 * 1024**2
# Blocks that are searched ahead of the one whose records are built.
AHEAD = 3
# A stretch without the beginning of a record that is longer than this is read line by
# line: what is kept in memory is bounded.
MAX_STRETCH_BYTES = 64 * 1024**2
# Text that a message gets though no byte of it stands so in the file: JSON's escapes,
# colours that are taken out, exceptions and messages that are written as objects or
# get a label. Where one of these stands, the line is looked at closely.
ALTERED = ("\\u00", "\x1b", '"exc_type"', '"MESSAGE"', '"error_severity"')
FIRST = np.array([chr(byte) not in NEVER_FIRST - {"{"} for byte in range(256)])


@dataclass(frozen=True)
class Block:
    """A piece of a file that begins and ends where records do.

    Attributes
    ----------
    data
        Its bytes.
    line
        Number of its first line, from 1.
    starts
        Where each line begins, and the end.
    hits
        Indexes of the lines that may hold a literal.
    firsts
        Indexes of the lines that may begin a record.
    """

    data: bytes
    line: int
    starts: np.ndarray[Any, np.dtype[np.int64]]
    hits: np.ndarray[Any, np.dtype[np.intp]]
    firsts: np.ndarray[Any, np.dtype[np.intp]]

    def text(self, first: int, last: int) -> list[str]:
        """Return some lines, without their ends.

        Parameters
        ----------
        first, last
            Indexes of lines; the last is not among them.

        Returns
        -------
        list of str
            Their text.
        """
        if first == last:
            return []
        piece = self.data[self.starts[first] : self.starts[last]].decode("utf-8")
        lines = piece.removesuffix("\n").split("\n")
        return [line.removesuffix("\r") for line in lines]


def search_records(
    stream: io.BufferedReader, literals: Sequence[str]
) -> Iterator[Record]:
    r"""Find the records of a log that hold one of some literals.

    Parameters
    ----------
    stream
        The log's bytes, UTF-8, unpacked.
    literals
        What is looked for; none of them holds a line end.

    Yields
    ------
    Record
        As `iterate_records` gives them for the same literals, in order.

    Raises
    ------
    UnicodeDecodeError
        If the bytes are no UTF-8. They may have to be spelled out then, which changes
        what a literal is held against.

    Examples
    --------
    >>> import io
    >>> log = io.BytesIO(
    ...     b"2025-11-24 18:17:11 - a - INFO - up\n2025-11-24 18:17:12 - a - INFO - x"
    ... )
    >>> [record.line for record in search_records(log, ["x"])]
    [2]
    """
    search = _Search(literals)
    pending: deque[Any] = deque()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for data, closed in _cut_blocks(stream, search.registry):
            pending.append((pool.submit(search.look_through, data), closed))
            if len(pending) > AHEAD:
                block, ends = pending.popleft()
                yield from search.build(block.result(), closed=ends)
        for block, ends in pending:
            yield from search.build(block.result(), closed=ends)
        yield from search.finish()


def literal_pattern(literals: Sequence[str]) -> str:
    r"""Return the pattern of every spelling in which a line may hold a literal.

    Parameters
    ----------
    literals
        What is looked for.

    Returns
    -------
    str
        An alternation for a linear-time engine.

    Examples
    --------
    >>> print(literal_pattern(["a.b"]).split("|")[0])
    a\x{2e}b
    """
    spellings: dict[str, None] = {}
    for literal in literals:
        for ascii_only in (True, False):
            escaped = json.dumps(literal, ensure_ascii=ascii_only)[1:-1]
            spellings |= dict.fromkeys((literal, escaped, escaped.replace("/", "\\/")))
    return "|".join(
        "".join(
            c if c.isalnum() and c.isascii() else f"\\x{{{ord(c):x}}}" for c in text
        )
        for text in (*spellings, *ALTERED)
    )


class _Search:
    """The state of one search: the number of the next line, and an open record."""

    def __init__(self, literals: Sequence[str]) -> None:
        self.registry = load_registry()
        self._literals = tuple(literals)
        self._pattern = literal_pattern(literals)
        self._line = 1
        # Fed where a stretch is too long for one block; else no record is open between
        # blocks.
        self._builder: RecordBuilder | None = None

    def look_through(self, data: bytes) -> Block:
        """Find lines: where they are, which may hold a literal, which begin records."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not data.isascii():
            data.decode("utf-8")
        view = np.frombuffer(data, np.uint8)
        starts = np.concatenate(
            ([0], np.flatnonzero(view == ord("\n")) + 1), dtype=np.int64
        )
        if starts[-1] != len(data):
            starts = np.append(starts, len(data))
        # Arrow looks at the lines where they are: nothing is copied.
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(data)]
        lines = pa.Array.from_buffers(pa.large_string(), len(starts) - 1, buffers)
        held = pc.match_substring_regex(lines, self._pattern)
        hits = np.flatnonzero(held.to_numpy(zero_copy_only=False))
        firsts = np.flatnonzero(FIRST[view[starts[:-1]]])
        return Block(data, 0, starts, hits, firsts)

    def build(self, block: Block, *, closed: bool) -> Iterator[Record]:
        """Build the records of a block that hold a literal.

        `closed` says that the block ends where a record does; where it does not, it is
        a stretch in which no line but the first may begin a record.
        """
        block = replace(block, line=self._line)
        count = len(block.starts) - 1
        self._line += count
        at = 0
        if self._builder is not None:
            at = self._beginning_from(block, 0)
            yield from self._feed(self._builder, block, 0, at)
            if at == count:
                return
            yield from self.finish()
        if not closed:
            self._builder = RecordBuilder()
            yield from self._feed(self._builder, block, at, count)
            return
        before = np.searchsorted(block.firsts, block.hits, side="right") - 1
        for hit, place in zip(block.hits.tolist(), before.tolist(), strict=True):
            if hit < at:
                continue
            first = self._beginning_before(block, place, at)
            at = self._beginning_from(block, place + 1)
            self._builder = RecordBuilder()
            yield from self._feed(self._builder, block, first, at)
            yield from self.finish()

    def finish(self) -> Iterator[Record]:
        """Close the open record, if there is one."""
        if self._builder is not None:
            record = self._builder.close()
            self._builder = None
            if record is not None and record.holds(self._literals):
                yield record

    def _feed(
        self, builder: RecordBuilder, block: Block, first: int, last: int
    ) -> Iterator[Record]:
        for record in builder.feed_all(block.line + first, block.text(first, last)):
            if record.holds(self._literals):
                yield record

    def _beginning_from(self, block: Block, place: int) -> int:
        """Return the first line that begins a record, from a place in `firsts` on."""
        for first in map(int, block.firsts[place:]):
            if begins_record(block.text(first, first + 1)[0], self.registry):
                return int(first)
        return len(block.starts) - 1

    def _beginning_before(self, block: Block, place: int, least: int) -> int:
        """Return the last line that begins a record, from a place in `firsts` back."""
        while place >= 0 and (first := int(block.firsts[place])) > least:
            if begins_record(block.text(first, first + 1)[0], self.registry):
                return first
            place -= 1
        return least


def _cut_blocks(
    stream: io.BufferedReader, registry: Registry
) -> Iterator[tuple[bytes, bool]]:
    """Cut a file before lines that begin a record; say of each piece if it was so."""
    carry, size = b"", BLOCK_BYTES
    while piece := stream.read1(size):
        data = carry + piece
        cut = _last_beginning(data, registry)
        if cut:
            yield data[:cut], True
            carry, size = data[cut:], BLOCK_BYTES
            continue
        # No record begins but at the start: more is read at once, so that a long
        # stretch is not looked through again and again.
        carry, size = data, min(2 * size, MAX_STRETCH_BYTES)
        end = data.rfind(b"\n") + 1
        if len(data) > MAX_STRETCH_BYTES and end:
            yield data[:end], False
            carry = data[end:]
    if carry:
        yield carry, True


def _last_beginning(data: bytes, registry: Registry) -> int:
    """Return where the last whole line that begins a record starts; 0: none does."""
    end = data.rfind(b"\n")
    while end > 0:
        start = data.rfind(b"\n", 0, end) + 1
        if FIRST[data[start]]:
            line = data[start:end].decode("utf-8", errors="backslashreplace")
            if begins_record(line.removesuffix("\r"), registry):
                return start
        end = start - 1
    return 0
