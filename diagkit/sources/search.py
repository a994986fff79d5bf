"""Records that hold a literal, without building the others.

The whole log is searched as bytes, block by block. Where a literal stands, the lines of
its record are found; those records are read as if nothing else stood in the file. What
comes is what reading everything and filtering gives, row for row.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from diagkit.sources.glances import Finder, Glance
from diagkit.sources.lines import LINE_END
from diagkit.sources.recognition import BRACE, FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from diagkit.sources.blocks import BlockReader
    from diagkit.sources.formats import Registry
    from diagkit.sources.rows import Rows

# Text that a message gets though no byte of it stands so in the file: JSON's escapes,
# messages that are written as numbers or get a label, exceptions that are written as
# objects (whose keys the formats know). Where one of these stands, or a colour that
# will be taken out, the record is looked at closely.
ALTERED = ("\\u00", '"exc_type"', '"MESSAGE"', '"error_severity"')
# By byte: whether a line that begins with it may begin a record.
MAY_BEGIN = (FIRST | (np.arange(256) == BRACE)).tobytes()
# How much of a traceback is looked at to find one that was seen.
HEAD = 160
MOST_TAILS, LONGEST_TAIL = 1000, 64 * 1024


class Search:
    """Finds the records of a log that hold one of some literals.

    Parameters
    ----------
    reader
        Reads the records.
    literals
        What is looked for; none of them holds a line end.
    """

    def __init__(self, reader: BlockReader, literals: Sequence[str]) -> None:
        self._reader = reader
        self._knows = reader.recogniser.knows
        self._literals = tuple(literals)
        self._tails: dict[bytes, bytes] = {}
        self._spare: deque[Glance] = deque()
        objects = _find_objects(reader.recogniser.registry)
        spelled = [text.encode() for text in (*spell(literals), *ALTERED, *objects)]
        self._finder = Finder(spelled)

    def read(self, data: bytes) -> tuple[Rows, int]:
        r"""Read the records of a block that hold a literal.

        Parameters
        ----------
        data
            UTF-8; it begins and ends where records do.

        Returns
        -------
        tuple of Rows and int
            The records, and how many lines the block has.

        Examples
        --------
        >>> from diagkit.sources.blocks import BlockReader
        >>> from diagkit.sources.formats import load_registry
        >>> from diagkit.sources.recognition import Recogniser
        >>> search = Search(BlockReader(Recogniser(load_registry())), ["x"])
        >>> rows, lines = search.read(b"2025-11-24 18:17:11 - a - INFO - up\n"
        ...     b"2025-11-24 18:17:12 - a - INFO - x\n")
        >>> rows.line.tolist(), lines
        ([1], 2)
        """
        with self.look() as glance:
            glance.see(data, 0, len(data))
            return self.pick(data, 0, len(data), glance)

    @contextmanager
    def look(self) -> Iterator[Glance]:
        """Lend what looks for the literals.

        Yields
        ------
        Glance
            It has seen nothing.
        """
        # Made once: memory that is new takes longer than what is done in it.
        try:
            glance = self._spare.pop()
        except IndexError:
            glance = Glance(self._finder)
        glance.restart()
        yield glance
        self._spare.append(glance)

    def pick(
        self, data: bytes | bytearray, begin: int, end: int, glance: Glance
    ) -> tuple[Rows, int]:
        """Read the records that hold a literal, where it was looked for.

        Parameters
        ----------
        data
            UTF-8.
        begin, end
            Where the block stands in it.
        glance
            Has seen it all.

        Returns
        -------
        tuple of Rows and int
            As for `read`.
        """
        begins, ends = self._cut(data, begin, end, glance.places)
        text = memoryview(data)
        found = b"".join([text[a:b] for a, b in zip(begins, ends, strict=True)])
        rows = self._reader.read(found)
        rows = rows.take(np.flatnonzero(rows.hold(self._literals)))
        places = np.array([begin, end, *begins, *ends])
        zero, last, *edges = glance.count_ends(places)
        starts, stops = np.array(edges, np.int64).reshape(2, -1)
        # The number of each record's first line, among those that were found.
        own = np.cumsum(np.concatenate(([0], stops - starts)))[:-1]
        piece = np.searchsorted(own, rows.line, side="right") - 1
        whole = int(last - zero) + (end > begin and data[end - 1] != LINE_END)
        return rows.moved((starts - zero - own)[piece]), whole

    def _cut(
        self, data: bytes | bytearray, begin: int, size: int, places: list[int]
    ) -> tuple[list[int], list[int]]:
        """Return where the records begin and end that some places are in."""
        begins: list[int] = []
        ends: list[int] = []
        done = begin
        for place in places:
            if place < done:
                continue
            if place >= size:
                break
            start = data.rfind(b"\n", done, place) + 1
            while start > done and not self._begins(data, start, size):
                start = data.rfind(b"\n", done, start - 1) + 1
            begins.append(max(start, done))
            first = data.find(b"\n", place, size)
            if first < 0:
                done = size
            elif self._knows(data, first + 1):
                done = first + 1
            else:
                done = self._find_end(data, first, size)
            ends.append(done)
        return begins, ends

    def _find_end(self, data: bytes | bytearray, first: int, size: int) -> int:
        """Return where the next record begins, from the end of a line on."""
        # Tracebacks repeat: none of the lines of one that was seen begins a record.
        head = bytes(data[first : min(first + HEAD, size)])
        tail = self._tails.get(head)
        at = first
        if tail is not None and data.startswith(tail, first, size):
            at += len(tail)
        known = at
        while at < size - 1 and not self._begins(data, at + 1, size):
            at = data.find(b"\n", at + 1, size)
            if at < 0:
                return size
        if known < at <= first + LONGEST_TAIL and at < size - 1:
            if len(self._tails) >= MOST_TAILS:
                self._tails.clear()
            self._tails[head] = bytes(data[first:at])
        return at + 1

    def _begins(self, data: bytes | bytearray, start: int, size: int) -> bool:
        if not MAY_BEGIN[data[start]]:
            return False
        if self._knows(data, start):
            return True
        end = data.find(b"\n", start, size)
        line = bytes(data[start : size if end < 0 else end]).removesuffix(b"\r")
        return self._reader.recogniser.begins(line)


def spell(literals: Sequence[str]) -> list[str]:
    r"""Return every spelling in which a line may hold a literal.

    Parameters
    ----------
    literals
        What is looked for.

    Returns
    -------
    list of str
        As they are, and as JSON writes them.

    Examples
    --------
    >>> spell(['a "b"'])
    ['a "b"', 'a \\"b\\"']
    """
    spellings: dict[str, None] = {}
    for literal in literals:
        for ascii_only in (True, False):
            escaped = json.dumps(literal, ensure_ascii=ascii_only)[1:-1]
            spellings |= dict.fromkeys((literal, escaped, escaped.replace("/", "\\/")))
    return list(spellings)


def _find_objects(registry: Registry) -> set[str]:
    """Return how exceptions begin that JSON lines write as objects."""
    names = {
        name.rpartition(".")[2]
        for how in registry.json_formats
        for name in how.keys.get("exception", ())
    }
    return {
        f'"{name}":{gap}{sign}' for name in names for gap in ("", " ") for sign in "[{"
    }
