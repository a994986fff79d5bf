"""A plain log read range by range, into buffers that are used again and again.

A range owns the records that begin in it: where the first of them starts, and where the
first of the next range does, is found by whoever reads it. So no thread waits for
another, and nothing is copied. The file is read, not mapped: one that is cut meanwhile
is no harm. What does not fit in here is given up, to be read another way.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from diagkit.errors import DiagkitError
from diagkit.sources.decoding import Decoder
from diagkit.sources.files import file_errors, warn_of, warn_of_odd
from diagkit.sources.glances import SLICE_BYTES
from diagkit.sources.lines import PAD
from diagkit.sources.ranges import is_plain

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    from diagkit.sources.cutting import Begins

    See = Callable[[bytearray, int, int], None]

RANGE_BYTES = 16 * 1024**2
# How far behind a range the next record may begin, and how much is read to find it.
ROOM_BYTES, LOOK_BYTES = 8 * 1024**2, 64 * 1024


class UnfitError(Exception):
    """The file has to be read another way: it shrank, or records are too long."""


@dataclass(eq=False)
class Block:
    """Records of a log.

    Attributes
    ----------
    data
        UTF-8, with at least `lines.PAD` bytes of room behind the records.
    begin, end
        Where the records stand in it.
    spelled
        Whether bytes of the file were spelled out: what was seen of them is void.
    """

    data: bytes | bytearray
    begin: int
    end: int
    spelled: bool = False


class PlainLog:
    r"""An open log of plain UTF-8.

    Parameters
    ----------
    stream
        The file, without a buffer.
    path
        Named in errors.
    size
        How much of the file is read, in bytes.
    step
        How large a range is.
    tell
        Is told how many bytes were read.

    Attributes
    ----------
    starts
        Where the ranges start.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.log"
    >>> size = path.write_bytes(b"up\nWARNING:root:x\nok\n")
    >>> with path.open("rb", buffering=0) as stream:
    ...     log = PlainLog(stream, path, size, step=2)
    ...     blocks = [log.load(at, lambda line: b":" in line) for at in log.starts]
    >>> [bytes(block.data[block.begin : block.end]) for block in blocks[:3]]
    [b'up\n', b'WARNING:root:x\nok\n', b'']
    """

    def __init__(
        self,
        stream: io.FileIO,
        path: Path,
        size: int,
        step: int = RANGE_BYTES,
        tell: Callable[[int], object] | None = None,
    ) -> None:
        self._stream, self._path = stream, path
        self._size, self._step = size, step
        self.starts = range(0, size, step)
        self._tell = tell
        self._done: deque[int] = deque()
        self._lock = Lock()
        self._free: deque[bytearray] = deque()
        self._odd: deque[int] = deque()

    @property
    def odd_bytes(self) -> int:
        """How many bytes were spelled out up to now."""
        return sum(self._odd)

    def load(self, start: int, begins: Begins, see: See | None = None) -> Block:
        """Read the records that begin in a range.

        Parameters
        ----------
        start
            Where the range starts.
        begins
            Says whether a line begins a record.
        see
            Is shown slice after slice as they come: the buffer, and where the slice
            starts and ends.

        Returns
        -------
        Block
            They, for `free`.

        Raises
        ------
        UnfitError
            If the file has to be read another way.
        """
        buffer = self._take()
        # Whether a line starts with the range, the byte before it tells.
        first = max(start - 1, 0)
        stop = min(start + self._step, self._size) - first
        for at in range(0, stop, SLICE_BYTES):
            upto = min(at + SLICE_BYTES, stop)
            self._read(buffer, first, at, upto)
            self._done.append(first + upto - max(first + at, start))
            if see is not None:
                see(buffer, at, upto)
        sure = _make_sure(begins)
        end, had = stop, stop
        if first + stop < self._size:
            end, had = self._find_end(buffer, first, stop, sure)
        if see is not None and had > stop:
            see(buffer, stop, had)
        begin = 0
        if start:
            begin = _find_beginning(buffer, 1, end, sure)
        buffer[end : end + PAD] = bytes(PAD)
        if _is_utf8(buffer, begin, end):
            return Block(buffer, begin, end)
        text, odd = _spell(buffer[begin:end])
        self._odd.append(odd)
        self._free.append(buffer)
        return Block(text + bytes(PAD), 0, len(text), spelled=True)

    def report(self) -> None:
        """Tell how many bytes were read since the last time."""
        while self._done:
            count = self._done.popleft()
            if self._tell is not None:
                self._tell(count)

    def free(self, block: Block) -> None:
        """Take the buffer of a block back.

        Parameters
        ----------
        block
            Nobody looks at it any more.
        """
        if isinstance(block.data, bytearray):
            self._free.append(block.data)

    def _take(self) -> bytearray:
        with suppress(IndexError):
            return self._free.pop()
        room = min(ROOM_BYTES, max(self._size - self._step, 0))
        return bytearray(1 + min(self._step, self._size) + room + PAD)

    def _read(self, buffer: bytearray, first: int, at: int, stop: int) -> None:
        """Fill a part of a buffer; its first byte is the file's one at `first`."""
        view = memoryview(buffer)
        with file_errors(self._path):
            while at < stop:
                count = self._read_at(first + at, view[at:stop])
                if not count:
                    msg = "shrank while it was read; what was left is read"
                    raise UnfitError(msg)
                at += count

    def _read_at(self, place: int, view: memoryview) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._stream.fileno(), [view], place)
        with self._lock:
            self._stream.seek(place)
            return self._stream.readinto(view) or 0

    def _find_end(
        self, buffer: bytearray, first: int, stop: int, sure: Begins
    ) -> tuple[int, int]:
        """Return where the next range's first record begins, and how much was read."""
        had = stop
        start = stop
        whole = self._size - first
        while True:
            if had == whole:
                return _find_beginning(buffer, stop, had, sure), had
            if had - stop >= ROOM_BYTES:
                raise UnfitError
            more = min(had + LOOK_BYTES, whole, stop + ROOM_BYTES)
            self._read(buffer, first, had, more)
            had = more
            # The last line may go on.
            lines = buffer.rfind(b"\n", start - 1, had) + 1
            if lines > start - 1:
                end = _find_beginning(buffer, start, lines, sure)
                if end < lines:
                    return end, had
                start = max(lines, start)


@contextmanager
def open_plain(
    path: Path, tell: Callable[[int], object] | None = None
) -> Iterator[PlainLog | None]:
    """Open a log, if it is a file of plain UTF-8 here, and in no envelope.

    Parameters
    ----------
    path
        The log.
    tell
        Is told how many bytes were read.

    Yields
    ------
    PlainLog or None
        None for what has to be read another way. Bytes that are no text come spelled
        out, and a warning counts them.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if not _is_plain(path):
        yield None
        return
    with file_errors(path):
        stream = path.open("rb", buffering=0)
    with stream:
        # What is appended meanwhile is left for the next time.
        size = os.fstat(stream.fileno()).st_size
        log = PlainLog(stream, path, size, RANGE_BYTES, tell)
        try:
            yield log
        except UnfitError as error:
            if error.args:
                warn_of(path, str(error))
            raise
    if log.odd_bytes:
        warn_of_odd(path, log.odd_bytes, "utf-8")


def _is_plain(path: object) -> bool:
    try:
        if not isinstance(path, Path):
            return False
        status = path.stat()
        return stat.S_ISREG(status.st_mode) and is_plain(path, status.st_size)
    except (DiagkitError, OSError):
        # Who reads it tells what is wrong with it.
        return False


def _find_beginning(data: bytearray, at: int, stop: int, sure: Begins) -> int:
    """Return where the first record begins from a place on; the end: none does."""
    start = data.find(b"\n", at - 1, stop) + 1
    while 0 < start < stop:
        end = data.find(b"\n", start, stop)
        end = stop if end < 0 else end
        if sure(bytes(data[start:end]).removesuffix(b"\r")):
            return start
        start = end + 1
    return stop


def _make_sure(begins: Begins) -> Begins:
    def sure(line: bytes) -> bool:
        return begins(line if line.isascii() else _spell(line)[0])

    return sure


def _is_utf8(buffer: bytearray, begin: int, end: int) -> bool:
    import pyarrow as pa

    numbers = np.frombuffer(buffer, np.int8)[begin:end]
    if begin == end or numbers.min() >= 0:
        return True
    places = pa.py_buffer(np.array([begin, end]))
    text = pa.Array.from_buffers(
        pa.large_string(), 1, [None, places, pa.py_buffer(buffer)]
    )
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _spell(data: bytes | bytearray) -> tuple[bytes, int]:
    decoder = Decoder("utf-8")
    return decoder.to_utf8(bytes(data), final=True), decoder.odd_bytes
