"""A log's blocks to LOGS: several at a time, put together at the end."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.frames.logs import LOGS
from diagkit.sources.blocks import BlockReader
from diagkit.sources.clocks import NAT
from diagkit.sources.cutting import cut_blocks
from diagkit.sources.formats import load_registry
from diagkit.sources.recognition import Recogniser
from diagkit.sources.refilling import PlainLog
from diagkit.sources.search import Search
from diagkit.sources.times import resolve_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from diagkit.sources.records import Record
    from diagkit.sources.rows import Rows

THREADS = 2
# Blocks that are read at most, up to the next one in order.
AHEAD = 4
# How many tracebacks are spread over their records at once.
SPREAD = 16_384


@dataclass(eq=False)
class LogColumns:
    """The records of one log, as columns.

    Attributes
    ----------
    reader
        What read them: it knows their levels, loggers and exceptions.
    rows
        The records of each block, their lines counted from 0.
    kept
        Of each block which are asked for; the others tell the time to these.
    """

    reader: BlockReader
    rows: list[Rows] = field(default_factory=list)
    kept: list[np.ndarray[Any, np.dtype[np.bool_]]] = field(default_factory=list)

    def add(self, rows: Rows, literals: Sequence[str] = ()) -> None:
        """Add the records of the next block.

        Parameters
        ----------
        rows
            They.
        literals
            Where there are any, only those records are kept that hold one.
        """
        held = rows.hold(literals) if literals else np.ones(len(rows.line), bool)
        if literals:
            chosen = np.flatnonzero(held | _neighbours(rows, held))
            rows, held = rows.take(chosen), held[chosen]
        self.rows.append(rows)
        self.kept.append(held)

    def frame(self, name: str, tz: str | None, year: int | None) -> pd.DataFrame:
        """Put the columns together.

        Parameters
        ----------
        name
            The file.
        tz, year
            As for `times.parse_times`.

        Returns
        -------
        pandas.DataFrame
            LOGS, but for the order of its levels.
        """
        import pyarrow as pa

        if not self.rows:
            return LOGS.empty()
        times = self._times(name, tz, year)
        after, before = times, times
        if times.isna().any():
            after, before = times.ffill(), times.bfill()
        kept = np.concatenate(self.kept)
        if not kept.all():
            times, after, before = times[kept], after[kept], before[kept]
        rows = [
            rows if held.all() else rows.take(np.flatnonzero(held))
            for rows, held in zip(self.rows, self.kept, strict=True)
        ]
        recogniser = self.reader.recogniser
        line = _join(rows, "line")
        line += 1
        level = _join(rows, "level", np.int32)
        level -= 1
        columns = {
            "timestamp": times.array,
            "level": pd.Categorical.from_codes(
                level, pd.Index(recogniser.levels.words[1:], dtype="str")
            ),
            "logger": _spell(_join(rows, "logger", np.int32), recogniser.loggers.words),
            "message": _strings([part.message for part in rows]),
            "exception": _spell(
                _join(rows, "exception", np.int32), self.reader.exceptions.words
            ),
            "traceback": _strings(_spread(rows)),
            "service": _strings([pa.nulls(len(level), pa.large_string())]),
            "source": _strings(
                [pa.repeat(pa.scalar(name, pa.large_string()), len(level))]
            ),
            "line": line,
            "lines": _join(rows, "lines"),
            "after": after.array,
            "before": before.array,
        }
        return pd.DataFrame(columns, copy=False)

    def _times(self, name: str, tz: str | None, year: int | None) -> pd.Series:
        sizes = np.cumsum([0, *(len(rows.line) for rows in self.rows)])
        raw = [
            (size + row, value)
            for size, rows in zip(sizes.tolist(), self.rows, strict=False)
            for row, value in rows.raw.items()
        ]
        return resolve_times(
            _join(self.rows, "micros"),
            _join(self.rows, "zoned"),
            np.array([row for row, _ in raw], np.intp),
            [value for _, value in raw],
            tz,
            name,
            year,
        )


def read_columns(
    pieces: Iterable[bytes] | PlainLog, literals: Sequence[str] = ()
) -> LogColumns:
    r"""Read a log that is in no envelope.

    Parameters
    ----------
    pieces
        Its text, UTF-8.
    literals
        Where there are any, only records are kept that hold one of them.

    Returns
    -------
    LogColumns
        Its records.

    Examples
    --------
    >>> columns = read_columns([b"2025-11-24 18:17:11 - root - INFO - up\n"])
    >>> columns.frame("x.log", "UTC", None)["message"].tolist()
    ['up']
    """
    reader = BlockReader(Recogniser(load_registry()))
    columns = LogColumns(reader)

    def settle(data: bytes | bytearray, begin: int, end: int) -> tuple[Rows, int]:
        rows = reader.read(data, begin, end)
        return rows, int(rows.lines.sum())

    def load(log: PlainLog, start: int) -> tuple[Rows, int]:
        block = log.load(start, reader.recogniser.begins)
        done = settle(block.data, block.begin, block.end)
        log.free(block)
        return done

    def work(block: bytes | list[Record]) -> tuple[Rows, int]:
        if isinstance(block, bytes):
            return settle(block, 0, len(block))
        return reader.count_records(block)

    for rows in _read_blocks(pieces, reader, load, work):
        columns.add(rows, literals)
    return columns


def search_columns(
    pieces: Iterable[bytes] | PlainLog, literals: Sequence[str]
) -> LogColumns | None:
    r"""Find the records of a log that hold a literal, without building the others.

    Parameters
    ----------
    pieces
        Its text, UTF-8.
    literals
        What is looked for.

    Returns
    -------
    LogColumns or None
        The records. None where one of them has no time: when it was written only its
        neighbours tell.

    Examples
    --------
    >>> log = b"2025-11-24 18:17:11 - a - INFO - up\n2025-11-24 18:17:12 - a - INFO - x"
    >>> search_columns([log], ["x"]).rows[0].line.tolist()
    [1]
    """
    reader = BlockReader(Recogniser(load_registry()))
    search = Search(reader, literals)
    columns = LogColumns(reader)

    def load(log: PlainLog, start: int) -> tuple[Rows, int]:
        with search.look() as glance:
            block = log.load(start, reader.recogniser.begins, glance.see)
            if block.spelled:
                return search.read(bytes(block.data[: block.end]))
            done = search.pick(block.data, block.begin, block.end, glance)
        log.free(block)
        return done

    def work(block: bytes | list[Record]) -> tuple[Rows, int]:
        if isinstance(block, bytes):
            return search.read(block)
        rows, count = reader.count_records(block)
        return rows.take(np.flatnonzero(rows.hold(literals))), count

    for rows in _read_blocks(pieces, reader, load, work):
        columns.add(rows)
        if not is_dated(rows):
            return None
    return columns


def _read_blocks(
    pieces: Iterable[bytes] | PlainLog,
    reader: BlockReader,
    load: Callable[[PlainLog, int], tuple[Rows, int]],
    work: Callable[[bytes | list[Record]], tuple[Rows, int]],
) -> Iterable[Rows]:
    """Do the work on every block; give what comes of it in order, by file's lines."""
    line = 0
    pending: deque[Future[tuple[Rows, int]]] = deque()
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        begun = _submit(pieces, reader, load, work, pool)
        try:
            pending.extend(islice(begun, AHEAD))
            while pending:
                rows, count = pending.popleft().result()
                if isinstance(pieces, PlainLog):
                    pieces.report()
                yield rows.moved(line)
                line += count
                pending.extend(islice(begun, 1))
        finally:
            for future in pending:
                future.cancel()


def _submit(
    pieces: Iterable[bytes] | PlainLog,
    reader: BlockReader,
    load: Callable[[PlainLog, int], tuple[Rows, int]],
    work: Callable[[bytes | list[Record]], tuple[Rows, int]],
    pool: ThreadPoolExecutor,
) -> Iterator[Future[tuple[Rows, int]]]:
    if isinstance(pieces, PlainLog):
        for start in pieces.starts:
            yield pool.submit(load, pieces, start)
    else:
        for block in cut_blocks(pieces, reader.recogniser.begins):
            yield pool.submit(work, block)


def is_dated(rows: Rows) -> bool:
    """Say whether every record has a time.

    Parameters
    ----------
    rows
        Records.

    Returns
    -------
    bool
        Whether it can be read is another question.
    """
    return int(np.count_nonzero(rows.micros == NAT)) == len(rows.raw)


def _neighbours(
    rows: Rows, held: np.ndarray[Any, np.dtype[np.bool_]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the records with a time that tell it to records without one."""
    dated = rows.micros != NAT
    dated[list(rows.raw)] = True
    out = np.zeros(len(dated), bool)
    with_time = np.flatnonzero(dated)
    if not len(with_time):
        return out
    # Those at the edges tell it to records of other blocks.
    out[with_time[[0, -1]]] = True
    undated = np.flatnonzero(held & ~dated)
    following = np.searchsorted(with_time, undated)
    out[with_time[following[following < len(with_time)]]] = True
    out[with_time[following[following > 0] - 1]] = True
    return out


def _join(rows: list[Rows], name: str, dtype: Any = None) -> Any:
    parts = [getattr(part, name) for part in rows]
    return np.concatenate(parts, dtype=dtype, casting="same_kind")


def _spell(numbers: Any, words: list[str | None]) -> Any:
    """Return words by their numbers, as a column of text."""
    import pyarrow as pa

    table = pa.array(words, pa.large_string())
    if not numbers.any():
        return _strings([pa.nulls(len(numbers), pa.large_string())])
    return _strings([table.take(pa.array(numbers))])


def _spread(parts: list[Rows]) -> list[pa.LargeStringArray]:
    """Return the tracebacks of records, missing where there is none."""
    import pyarrow as pa

    starts = np.cumsum([0, *(len(part.line) for part in parts)]).tolist()
    if not any(part.traceback for part in parts):
        return [pa.nulls(starts[-1], pa.large_string())]
    # Tracebacks repeat: each text is encoded once.
    places: dict[str | None, int] = {None: 0}
    numbers = np.zeros(starts[-1], np.int32)
    for start, part in zip(starts, parts, strict=False):
        rows = np.fromiter(part.traceback, np.int64, len(part.traceback))
        numbers[start + rows] = [
            places.setdefault(text, len(places)) for text in part.traceback.values()
        ]
    texts = [b"" if text is None else text.encode() for text in places]
    sizes = np.array([len(text) for text in texts])
    return [
        _repeat(texts, sizes, numbers[start : start + SPREAD])
        for start in range(0, len(numbers), SPREAD)
    ]


def _repeat(texts: list[bytes], sizes: Any, numbers: Any) -> pa.LargeStringArray:
    """Return texts by their numbers, the first one as a missing text.

    Arrow's own way lets a buffer grow by doubling: here it has the right size at once.
    """
    import pyarrow as pa

    ends = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(sizes[numbers], out=ends[1:])
    said = b"".join([texts[number] for number in numbers[numbers != 0].tolist()])
    valid = pa.array(numbers != 0).buffers()[1]
    return pa.LargeStringArray.from_buffers(
        len(numbers), pa.py_buffer(ends), pa.py_buffer(said), valid
    )


def _strings(parts: list[pa.LargeStringArray]) -> Any:
    """Return text as a pandas column, without a copy."""
    import pyarrow as pa

    text = pa.chunked_array(parts, pa.large_string())
    dtype: Any = pd.StringDtype(na_value=np.nan)
    kind: Any = pd.arrays.ArrowStringArray
    return kind(text, dtype=dtype)
