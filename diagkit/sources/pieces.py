"""Records of ranges of a log, put together again as if it had been read as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.engine.told import collect_told
from diagkit.sources.blocks import BlockReader
from diagkit.sources.clocks import NAT
from diagkit.sources.files import PIECE_BYTES
from diagkit.sources.formats import load_registry
from diagkit.sources.lines import LINE_END
from diagkit.sources.logframes import LogColumns, read_columns, search_columns
from diagkit.sources.recognition import Recogniser, Words
from diagkit.sources.times import find_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from diagkit.sources.rows import Rows


class Way(IntEnum):
    """How a file is read: if one way cannot tell what the whole file would, the next.

    Looking for literals, where every record that holds one has a time; building all
    records of each range; the whole file at once.
    """

    SEARCH = 0
    RANGES = 1
    WHOLE = 2


@dataclass(frozen=True, eq=False)
class Piece:
    """The records of one range.

    Attributes
    ----------
    rows, kept
        As in `LogColumns`.
    words
        The levels, loggers and exceptions by number.
    lines
        How many lines the range has.
    """

    rows: list[Rows]
    kept: list[np.ndarray[Any, np.dtype[np.bool_]]]
    words: tuple[list[str | None], ...]
    lines: int


def read_range(
    data: bytes | memoryview, literals: Sequence[str], way: Way
) -> Piece | None:
    r"""Read the records of a range.

    Parameters
    ----------
    data
        Whole lines in UTF-8, of which the first begins a record, or the file.
    literals
        Where there are any, only records are kept that hold one, and such as tell the
        time to these.
    way
        Whether to look for them, or to build all records.

    Returns
    -------
    Piece or None
        The records. None where one that was looked for has no time.

    Examples
    --------
    >>> log = b"2025-11-24 18:17:11 - root - INFO - up\nand running\n"
    >>> read_range(log, (), Way.RANGES).lines
    2
    """
    lines = 0

    def texts() -> Iterator[bytes]:
        nonlocal lines
        for start in range(0, len(data), PIECE_BYTES):
            text = bytes(data[start : start + PIECE_BYTES])
            ends = np.frombuffer(text, np.uint8) == LINE_END
            lines += int(np.count_nonzero(ends))
            yield text
        lines += len(data) > 0 and data[-1] != LINE_END

    looked = way is Way.SEARCH
    columns = (search_columns if looked else read_columns)(texts(), literals)
    if columns is None:
        return None
    words = tuple(words.words for words in _words(columns.reader))
    return Piece(columns.rows, columns.kept, words, lines)


def join_pieces(pieces: Sequence[Piece]) -> LogColumns:
    r"""Put pieces together, as if they were blocks of one file.

    Parameters
    ----------
    pieces
        All pieces of a file, in order.

    Returns
    -------
    LogColumns
        Its records.

    Examples
    --------
    >>> piece = read_range(b"WARNING:root:up\\n", (), Way.RANGES)
    >>> join_pieces([piece, piece]).frame("x.log", "UTC", None)["line"].tolist()
    [1, 2]
    """
    columns = LogColumns(BlockReader(Recogniser(load_registry())))
    line = 0
    for piece in pieces:
        level, logger, exception = (
            np.array([numbers.number(word) for word in words])
            for numbers, words in zip(_words(columns.reader), piece.words, strict=True)
        )
        columns.rows += [
            replace(
                rows.moved(line),
                level=level[rows.level],
                logger=logger[rows.logger],
                exception=exception[rows.exception],
            )
            for rows in piece.rows
        ]
        columns.kept += piece.kept
        line += piece.lines
    return columns


def depends(columns: LogColumns, tz: str | None) -> bool:
    """Say whether the times of some records hang on when others were written.

    So it is with times without a year, and in an hour that comes twice; what cannot be
    read at all counts too. Which records are looked at then matters.

    Parameters
    ----------
    columns
        Records.
    tz
        Zone of times without one.

    Returns
    -------
    bool
        True where it is so of one of them.

    Examples
    --------
    >>> piece = read_range(b"2025-10-26 02:30:00 - root - INFO - up", (), Way.RANGES)
    >>> depends(join_pieces([piece]), "Europe/Berlin")
    True
    """
    everything = [np.ones(len(rows.line), bool) for rows in columns.rows]
    with collect_told():
        logs = LogColumns(columns.reader, columns.rows, everything).frame(
            "", "UTC", None
        )
    times = logs["timestamp"]
    undated = sum(
        np.count_nonzero(rows.micros == NAT) - len(rows.raw) for rows in columns.rows
    )
    if times.isna().sum() > undated:
        return True
    if tz in (None, "UTC"):
        return False
    local = (
        times.dropna()
        .dt.tz_localize(None)
        .dt.tz_localize(find_zone(tz), ambiguous="NaT", nonexistent="shift_forward")
    )
    return bool(local.isna().any())


def _words(reader: BlockReader) -> tuple[Words, Words, Words]:
    recogniser = reader.recogniser
    return recogniser.levels, recogniser.loggers, reader.exceptions
