"""A log cut into blocks that begin and end where records do.

So no record is cut in two, and no state is carried from block to block: a line that
begins a record ends the one before it, whatever that was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagkit.sources.records import Record, RecordBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Begins = Callable[[bytes], bool]

# A stretch without the beginning of a record that is longer than this is read line by
# line: what is kept in memory is bounded.
MAX_STRETCH_BYTES = 64 * 1024**2


def cut_blocks(
    pieces: Iterable[bytes], begins: Begins
) -> Iterator[bytes | list[Record]]:
    """Cut a log before lines that begin a record.

    Parameters
    ----------
    pieces
        The log, UTF-8.
    begins
        Says whether a line begins a record.

    Yields
    ------
    bytes or list of Record
        A block; or records of a stretch in which none begins but the first, if it is
        too long for a block. What comes holds the lines that follow those of what came.
    """
    cutter = _Cutter(begins)
    for piece in pieces:
        yield from cutter.add(piece)
    yield from cutter.close()


class _Cutter:
    """The pieces from the last cut on."""

    def __init__(self, begins: Begins) -> None:
        self._begins = begins
        self._parts: list[bytes] = []
        # How many bytes they have, and how many there have to be for the next look.
        self._size = self._wanted = 0
        self._long: _Stretch | None = None

    def add(self, piece: bytes) -> Iterator[bytes | list[Record]]:
        if self._size + len(piece) < self._wanted:
            self._keep(piece)
            return
        cut = (
            last_beginning(piece, self._begins, len(piece)) if self._long is None else 0
        )
        if cut:
            yield b"".join((*self._parts, memoryview(piece)[:cut]))
            self._restart(piece[cut:])
            return
        self._keep(piece)
        yield from self._look_again(b"".join(self._parts))

    def close(self) -> Iterator[bytes | list[Record]]:
        carry = b"".join(self._parts)
        if self._long is not None:
            first = _first_beginning(carry, self._begins)
            yield from self._long.close(carry[:first])
            carry = carry[first:]
        if carry:
            yield carry

    def _look_again(self, carry: bytes) -> Iterator[bytes | list[Record]]:
        """Look at all pieces at once: a line may reach over several."""
        cut = last_beginning(carry, self._begins, len(carry))
        if cut:
            first = 0
            if self._long is not None:
                first = _first_beginning(carry, self._begins)
                yield from self._long.close(carry[:first])
                self._long = None
            if cut > first:
                yield carry[first:cut]
            self._restart(carry[cut:])
            return
        end = carry.rfind(b"\n") + 1
        if len(carry) > MAX_STRETCH_BYTES and end:
            self._long = self._long or _Stretch()
            yield from self._long.feed(carry[:end])
            carry = carry[end:]
        self._restart(carry)
        # More is read before the next look, so that a long stretch is not looked
        # through again and again.
        self._wanted = min(2 * len(carry), MAX_STRETCH_BYTES)

    def _keep(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._size += len(piece)

    def _restart(self, carry: bytes) -> None:
        self._parts, self._size, self._wanted = [carry], len(carry), 0


class _Stretch:
    """Lines of which none but the first may begin a record, put together one by one."""

    def __init__(self) -> None:
        self._builder = RecordBuilder()

    def feed(self, data: bytes) -> Iterator[list[Record]]:
        done = []
        if data:
            for line in data.decode().removesuffix("\n").split("\n"):
                record = self._builder.feed(1, line.removesuffix("\r"))
                done += [record] if record is not None else []
        if done:
            yield done

    def close(self, data: bytes) -> Iterator[list[Record]]:
        yield from self.feed(data)
        record = self._builder.close()
        if record is not None:
            yield [record]


def last_beginning(data: bytes | bytearray, begins: Begins, size: int) -> int:
    """Return where the last whole line starts that begins a record.

    Parameters
    ----------
    data
        A log.
    begins
        Says whether a line begins a record.
    size
        How much of the log is looked at.

    Returns
    -------
    int
        0 where none does but the first.
    """
    end = data.rfind(b"\n", 0, size)
    while end > 0:
        start = data.rfind(b"\n", 0, end) + 1
        if begins(bytes(data[start:end]).removesuffix(b"\r")):
            return start
        end = start - 1
    return 0


def _first_beginning(data: bytes, begins: Begins) -> int:
    """Return where the first line that begins a record starts; the end: none does."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if begins(data[start:end].removesuffix(b"\r")):
            return start
        start = end + 1
    return len(data)
