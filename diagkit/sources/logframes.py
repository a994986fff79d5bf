"""A log's blocks to LOGS: several at a time, put together at the end."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.frames.logs import LOGS
from diagkit.sources.blocks import BlockReader
from diagkit.sources.clocks import NAT
from diagkit.sources.cutting import cut_blocks
from diagkit.sources.formats import load_registry
from diagkit.sources.recognition import Recogniser
from diagkit.sources.search import Search
from diagkit.sources.times import resolve_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from diagkit.sources.rows import Rows

THREADS = 2
# Blocks that are read ahead of the one that is put in order.
AHEAD = 3


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

    @property
    def dated(self) -> bool:
        """Whether every record has a time, as far as it is read."""
        return all(
            np.count_nonzero(rows.micros == NAT) == len(rows.raw) for rows in self.rows
        )

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
            rows.take(np.flatnonzero(held))
            for rows, held in zip(self.rows, self.kept, strict=True)
        ]
        recogniser = self.reader.recogniser
        level = _join(rows, "level")
        columns = {
            "timestamp": times.array,
            "level": pd.Categorical.from_codes(
                level - 1, pd.Index(recogniser.levels.words[1:], dtype="str")
            ),
            "logger": _spell(_join(rows, "logger"), recogniser.loggers.words),
            "message": _strings([part.message for part in rows]),
            "exception": _spell(_join(rows, "exception"), self.reader.exceptions.words),
            "traceback": _strings([_spread(part) for part in rows]),
            "service": _strings([pa.nulls(len(level), pa.large_string())]),
            "source": _strings(
                [pa.repeat(pa.scalar(name, pa.large_string()), len(level))]
            ),
            "line": _join(rows, "line") + 1,
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


def read_columns(pieces: Iterable[bytes], literals: Sequence[str] = ()) -> LogColumns:
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

    def work(data: bytes) -> tuple[Rows, int]:
        rows = reader.read(data)
        return rows, int(rows.lines.sum())

    for rows in _read_blocks(pieces, reader, work):
        columns.add(rows, literals)
    return columns


def search_columns(
    pieces: Iterable[bytes], literals: Sequence[str]
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
    for rows in _read_blocks(pieces, reader, search.read):
        rows = rows.take(np.flatnonzero(rows.hold(literals)))
        columns.add(rows)
        if not columns.dated:
            return None
    return columns


def _read_blocks(
    pieces: Iterable[bytes],
    reader: BlockReader,
    work: Callable[[bytes], tuple[Rows, int]],
) -> Iterable[Rows]:
    """Do the work on every block; give what comes of it in order, by file's lines."""
    line = 0
    pending: deque[Future[tuple[Rows, int]]] = deque()
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for block in cut_blocks(pieces, reader.recogniser.begins):
            if isinstance(block, bytes):
                pending.append(pool.submit(work, block))
            else:
                pending.append(pool.submit(reader.count_records, block))
            while len(pending) > AHEAD:
                rows, count = pending.popleft().result()
                yield rows.moved(line)
                line += count
        for future in pending:
            rows, count = future.result()
            yield rows.moved(line)
            line += count


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


def _join(rows: list[Rows], name: str) -> Any:
    return np.concatenate([getattr(part, name) for part in rows])


def _spell(numbers: Any, words: list[str | None]) -> Any:
    """Return words by their numbers, as a column of text."""
    import pyarrow as pa

    table = pa.array(words, pa.large_string())
    if not numbers.any():
        return _strings([pa.nulls(len(numbers), pa.large_string())])
    return _strings([table.take(pa.array(numbers.astype(np.int32)))])


def _spread(rows: Rows) -> pa.LargeStringArray:
    """Return the tracebacks of records, missing where there is none."""
    import pyarrow as pa

    count = len(rows.line)
    if not rows.traceback:
        return pa.nulls(count, pa.large_string())
    # Tracebacks repeat: each text is encoded once.
    place = {text: at for at, text in enumerate(dict.fromkeys(rows.traceback.values()))}
    numbers = np.full(count, len(place))
    numbers[list(rows.traceback)] = [place[text] for text in rows.traceback.values()]
    texts = pa.array([*place, None], pa.large_string())
    return texts.take(pa.array(numbers))


def _strings(parts: list[pa.LargeStringArray]) -> Any:
    """Return text as a pandas column, without a copy."""
    import pyarrow as pa

    text = pa.chunked_array(parts, pa.large_string())
    dtype: Any = pd.StringDtype(na_value=np.nan)
    kind: Any = pd.arrays.ArrowStringArray
    return kind(text, dtype=dtype)
