"""Records of a block as columns.

A record that stands on one line is read where it stands, with all others of its block;
so is one to which every line up to the next record belongs. The rest is built line by
line, by `records.iterate_records`: what comes is the same, row for row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources import tracebacks
from diagkit.sources.clocks import NAT
from diagkit.sources.lines import Lines, gather
from diagkit.sources.recognition import BEGINS, JOINS, NOT, Heads, Recogniser
from diagkit.sources.records import Record, iterate_records
from diagkit.sources.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# Tracebacks repeat. So many of them are remembered, and none that is longer.
MOST_TAILS, LONGEST_TAIL = 2000, 64 * 1024
HEADER = tracebacks.HEADER_TEXT.encode()


@dataclass(frozen=True)
class Tail:
    """How the lines behind the first of a record are cut.

    Attributes
    ----------
    message
        How many of their bytes belong to the message.
    traceback
        The traceback in them, if there is one.
    exception
        The type of the last exception.
    """

    message: int
    traceback: str | None = None
    exception: str | None = None


class BlockReader:
    """Reads blocks of one log, and remembers what repeats.

    Parameters
    ----------
    recogniser
        Tells what lines begin.

    Attributes
    ----------
    recogniser
        The same.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self.exceptions = type(recogniser.levels)()
        self._tails: dict[bytes, Tail | None] = {}

    def read(
        self, data: bytes | bytearray, begin: int = 0, end: int | None = None
    ) -> Rows:
        """Read the records of a block.

        Parameters
        ----------
        data
            UTF-8.
        begin, end
            As for `Lines.cut`; there records begin and end.

        Returns
        -------
        Rows
            All of them.
        """
        lines = Lines.cut(data, begin, end)
        heads = self.recogniser.recognise(lines)
        begins = np.flatnonzero((heads.state != NOT) & (heads.state != JOINS))
        if len(lines) and (not len(begins) or begins[0] != 0):
            begins = np.concatenate(([0], begins))
        last = np.append(begins[1:], len(lines))
        joined = np.concatenate(([0], np.cumsum(heads.state == JOINS)))
        joins = joined[last] > joined[begins]
        single = last - begins == 1
        fast = (heads.state[begins] == BEGINS) & (
            single | (heads.keeps[begins] & ~joins)
        )
        several = np.flatnonzero(fast & ~single)
        tails = self._cut_tails(lines, heads, begins[several], last[several])
        fast[several] = [tail is not None for tail in tails]
        kept = {
            int(begins[at]): tail
            for at, tail in zip(several.tolist(), tails, strict=True)
            if tail is not None
        }
        slow = self._build(lines, begins, last, ~fast)
        return self._assemble(lines, heads, begins[fast], last[fast], kept, slow)

    def count_records(self, records: list[Record]) -> tuple[Rows, int]:
        """Return records that are built already as rows, and how many lines they have.

        Parameters
        ----------
        records
            Records that stand one behind the other.

        Returns
        -------
        tuple of Rows and int
            The first of them stands on line 0.
        """
        count = 0
        for record in records:
            record.line = count
            count += record.lines
        lines = Lines.cut(b"")
        none = np.zeros(0, np.int64)
        heads = self.recogniser.recognise(lines)
        return self._assemble(lines, heads, none, none, {}, records), count

    def _cut_tails(
        self, lines: Lines, heads: Heads, begins: Ints, last: Ints
    ) -> list[Tail | None]:
        firsts, stops = lines.ends[begins].tolist(), lines.ends[last - 1].tolist()
        messages = heads.message[begins].tolist()
        return [
            self._cut_tail(lines.data, start, first, stop)
            for start, first, stop in zip(messages, firsts, stops, strict=True)
        ]

    def _cut_tail(
        self, data: bytes | bytearray, start: int, first: int, stop: int
    ) -> Tail | None:
        message = bytes(data[start:first])
        # A message that looks like a part of a traceback is cut with what follows.
        if HEADER in message or message.lstrip().startswith(b"at "):
            return None
        rest = bytes(data[first:stop])
        if rest in self._tails:
            return self._tails[rest]
        tail = cut_tail(rest)
        if len(rest) <= LONGEST_TAIL:
            if len(self._tails) >= MOST_TAILS:
                self._tails.clear()
            self._tails[rest] = tail
        return tail

    def _build(
        self, lines: Lines, begins: Ints, last: Ints, chosen: Bools
    ) -> list[Record]:
        """Build records from their lines: runs of neighbours in one go."""
        built: list[Record] = []
        edges = np.flatnonzero(np.diff(np.concatenate(([0], chosen, [0]))))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            at = int(begins[first])
            for record in iterate_records(lines.text(at, int(last[end - 1]))):
                record.line += at - 1
                built.append(record)
        return built

    def _assemble(
        self,
        lines: Lines,
        heads: Heads,
        begins: Ints,
        last: Ints,
        tails: dict[int, Tail],
        slow: list[Record],
    ) -> Rows:
        exceptions = np.zeros(len(begins), np.int64)
        stops = lines.ends[begins].copy()
        tracebacks_at: list[tuple[int, str]] = []
        for at, (begin, tail) in zip(
            np.searchsorted(begins, list(tails)).tolist(), tails.items(), strict=True
        ):
            stops[at] += tail.message
            if tail.traceback is not None:
                exceptions[at] = self.exceptions.number(tail.exception)
                tracebacks_at.append((begin, tail.traceback))
        levels, loggers = self.recogniser.levels, self.recogniser.loggers
        line = np.concatenate((begins, [record.line for record in slow])).astype(int)
        order = np.argsort(line, kind="stable")
        line = line[order]
        texts = self._texts(lines, heads, begins, stops, slow, order)
        tracebacks_at += [
            (r.line, r.traceback) for r in slow if r.traceback is not None
        ]
        return Rows(
            line=line,
            lines=_join(last - begins, [r.lines for r in slow], order),
            micros=_join(heads.micros[begins], [NAT] * len(slow), order),
            zoned=_join(heads.zoned[begins], [False] * len(slow), order),
            raw=_by_row(
                line, [(r.line, r.timestamp) for r in slow if r.timestamp is not None]
            ),
            level=_join(
                heads.level[begins], [levels.number(r.level) for r in slow], order
            ),
            logger=_join(
                heads.logger[begins], [loggers.number(r.logger) for r in slow], order
            ),
            exception=_join(
                exceptions, [self.exceptions.number(r.exception) for r in slow], order
            ),
            message=texts,
            traceback=_by_row(line, tracebacks_at),
        )

    def _texts(
        self,
        lines: Lines,
        heads: Heads,
        begins: Ints,
        stops: Ints,
        slow: list[Record],
        order: Ints,
    ) -> pa.LargeStringArray:
        """Return the messages, in order."""
        import pyarrow as pa

        json = heads.json[begins]
        plain = np.flatnonzero(json < 0)
        texts = gather(lines.data, heads.message[begins[plain]], stops[plain])
        if len(plain) == len(begins) and not slow:
            return texts
        parts: list[Any] = [texts]
        at = np.empty(len(begins) + len(slow), np.int64)
        at[plain] = np.arange(len(plain))
        if heads.rows is not None:
            at[: len(begins)][json >= 0] = len(plain) + json[json >= 0]
            parts.append(heads.rows.message)
        size = sum(map(len, parts))
        at[len(begins) :] = size + np.arange(len(slow))
        parts.append(pa.array([r.message for r in slow], pa.large_string()))
        return pa.concat_arrays(parts).take(pa.array(at[order]))


def cut_tail(rest: bytes) -> Tail | None:
    r"""Cut the lines that follow the first of a record into message and traceback.

    Parameters
    ----------
    rest
        They, from the end of the first line on.

    Returns
    -------
    Tail or None
        None where the first line matters for it.

    Examples
    --------
    >>> tail = cut_tail(b"\nand more\nTraceback (most recent call last):\nKeyError: 1")
    >>> tail.message, tail.exception
    (9, 'KeyError')
    """
    text = "x" + rest.decode()
    if "\r" in text:
        return None
    if HEADER not in rest and ("\tat " in text or " at " in text):
        if any(map(tracebacks.JAVA_FRAME.match, text.split("\n"))):
            return None
        message, own = text, None
    else:
        message, own = tracebacks.split_traceback(text)
    size = len(message.rstrip("\n").encode()) - 1
    if own is None:
        return Tail(size)
    trimmed = own.rstrip("\n")
    return Tail(size, trimmed, tracebacks.last_exception(trimmed))


def _by_row(line: Ints, values: list[tuple[int, Any]]) -> dict[int, Any]:
    """Return values by row that stand by line."""
    rows = np.searchsorted(line, [at for at, _ in values])
    return dict(zip(rows.tolist(), (value for _, value in values), strict=True))


def _join(fast: Any, slow: list[Any], order: Ints) -> Any:
    if not slow:
        return fast[order] if len(order) else fast
    return np.concatenate((fast, np.array(slow, fast.dtype)))[order]
