"""Records that hold a literal, without building the others.

The whole log is searched as bytes, block by block. Where a literal stands, the lines of
its record are found; those records are read as if nothing else stood in the file. What
comes is what reading everything and filtering gives, row for row.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources.lines import LINE_END
from diagkit.sources.recognition import BRACE, FIRST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.sources.blocks import BlockReader
    from diagkit.sources.formats import Registry
    from diagkit.sources.rows import Rows

# Text that a message gets though no byte of it stands so in the file: JSON's escapes,
# messages that are written as numbers or get a label, exceptions that are written as
# objects (whose keys the formats know). Where one of these stands, or a colour that
# will be taken out, the record is looked at closely.
ALTERED = ("\\u00", '"exc_type"', '"MESSAGE"', '"error_severity"')
COLOUR = 0x1B
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
        from ahocorasick_rs import BytesAhoCorasick, MatchKind

        self._reader = reader
        self._literals = tuple(literals)
        self._tails: dict[bytes, bytes] = {}
        objects = _find_objects(reader.recogniser.registry)
        spelled = [text.encode() for text in (*spell(literals), *ALTERED, *objects)]
        # Leftmost matches are found by several bytes at once.
        self._finder = BytesAhoCorasick(spelled, matchkind=MatchKind.LeftmostFirst)

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
        view = np.frombuffer(data, np.uint8)
        spans = self._find_spans(data, view)
        # The number of each piece's first line, and how many lines there are.
        breaks = [
            np.count_nonzero(view[begin:end] == LINE_END)
            for begin, end in _between(spans, len(data))
        ]
        skipped = np.cumsum(breaks[::2])
        whole = sum(breaks) + (len(data) > 0 and data[-1] != LINE_END)
        rows = self._reader.read(b"".join(data[begin:end] for begin, end in spans))
        counted = np.concatenate(([0], np.cumsum(breaks[1::2])))
        rows = rows.take(np.flatnonzero(rows.hold(self._literals)))
        piece = np.searchsorted(counted, rows.line, side="right") - 1
        return rows.moved(skipped[piece]), int(whole)

    def _find_spans(self, data: bytes, view: Any) -> list[tuple[int, int]]:
        """Return where the records stand that may hold a literal."""
        places = [at for _, at, _ in self._finder.find_matches_as_indexes(data)]
        if b"\x1b" in data:
            coloured = np.flatnonzero(view == COLOUR)
            places = np.union1d(places, coloured).astype(int).tolist()
        spans: list[tuple[int, int]] = []
        done = 0
        for place in places:
            if place < done:
                continue
            begin = self._begin(data, place, done)
            done = self._end(data, place)
            spans.append((begin, done))
        return spans

    def _begin(self, data: bytes, place: int, least: int) -> int:
        """Return where the record begins that a place is in."""
        end = data.find(b"\n", place)
        end = len(data) if end < 0 else end
        while True:
            start = data.rfind(b"\n", 0, end) + 1
            if start <= least:
                return least
            if MAY_BEGIN[data[start]] and self._begins(data, start, end):
                return start
            end = start - 1

    def _end(self, data: bytes, place: int) -> int:
        """Return where the first record begins that stands behind a place."""
        first = data.find(b"\n", place)
        if first < 0:
            return len(data)
        # Tracebacks repeat: none of the lines of one that was seen begins a record.
        head = data[first : first + HEAD]
        tail = self._tails.get(head)
        known = tail is not None and data.startswith(tail, first)
        at = first + len(tail) if known and tail is not None else first
        while at < len(data):
            start, end = at + 1, data.find(b"\n", at + 1)
            end = len(data) if end < 0 else end
            if start == len(data):
                return start
            if MAY_BEGIN[data[start]] and self._begins(data, start, end):
                break
            at = end
        if first < at <= first + LONGEST_TAIL:
            if len(self._tails) >= MOST_TAILS:
                self._tails.clear()
            self._tails[head] = data[first:at]
        return min(at + 1, len(data))

    def _begins(self, data: bytes, start: int, end: int) -> bool:
        line = data[start:end].removesuffix(b"\r")
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


def _between(spans: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return what stands before, in, and between pieces, and behind the last."""
    return list(pairwise([0, *(edge for span in spans for edge in span), size]))
