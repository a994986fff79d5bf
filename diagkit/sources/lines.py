"""The lines of a block of bytes, as arrays of places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

# Zeros behind the last byte: a window may reach beyond it.
PAD = 64
LINE_END = ord("\n")
RETURN = ord("\r")


@dataclass(frozen=True, eq=False)
class Lines:
    r"""A block of text and where its lines stand.

    Attributes
    ----------
    data
        UTF-8, and at least `PAD` zeros behind it.
    view
        The same as numbers.
    bounds
        Where each line begins, and the end of the text.
    ends
        Where each line's text ends, before ``\n`` or ``\r\n``.
    """

    data: bytes | bytearray
    view: Bytes
    bounds: Ints
    ends: Ints

    @classmethod
    def cut(
        cls, data: bytes | bytearray, begin: int = 0, end: int | None = None
    ) -> Lines:
        r"""Find the lines of a text.

        Parameters
        ----------
        data
            UTF-8.
        begin, end
            Where the text stands in it; None for the end of it all. `PAD` zeros that
            stand behind are used.

        Returns
        -------
        Lines
            Where they stand.

        Examples
        --------
        >>> lines = Lines.cut(b"a\r\nbb\n")
        >>> lines.bounds.tolist(), lines.ends.tolist()
        ([0, 3, 6], [1, 5])
        """
        end = len(data) if end is None else end
        padded = data if len(data) >= end + PAD else data + bytes(PAD)
        view = np.frombuffer(padded, np.uint8)
        breaks = np.flatnonzero(view[begin:end] == LINE_END)
        open_end = end > begin and data[end - 1] != LINE_END
        bounds = np.empty(len(breaks) + 1 + bool(open_end), np.int64)
        bounds[0] = begin
        np.add(breaks, begin + 1, out=bounds[1 : len(breaks) + 1])
        ends = bounds[1:] - 1
        if open_end:
            bounds[-1] = end
            ends[-1] = end
        ends = ends - ((view[ends - 1] == RETURN) & (ends > bounds[:-1]))
        return cls(padded, view, bounds, ends)

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.ends)

    def text(self, first: int, last: int) -> list[str]:
        r"""Return some lines, without their ends.

        Parameters
        ----------
        first, last
            Indexes of lines; the last is not among them.

        Returns
        -------
        list of str
            Their text.

        Examples
        --------
        >>> Lines.cut(b"a\r\nbb\nc").text(0, 2)
        ['a', 'bb']
        """
        if first == last:
            return []
        piece = self.data[self.bounds[first] : self.bounds[last]].decode()
        lines = piece.removesuffix("\n").split("\n")
        return [line.removesuffix("\r") for line in lines]


def gather(
    data: bytes | bytearray | pa.Buffer, starts: Ints, ends: Ints
) -> pa.LargeStringArray:
    """Copy pieces of a text together.

    Parameters
    ----------
    data
        UTF-8.
    starts, ends
        The pieces, one behind the other.

    Returns
    -------
    pyarrow.LargeStringArray
        One value a piece.

    Examples
    --------
    >>> gather(b"one two", np.array([0, 4]), np.array([3, 7])).to_pylist()
    ['one', 'two']
    """
    import pyarrow as pa

    count = len(starts)
    # The pieces and what stands between them, where it is; then every second of them.
    places = np.empty(2 * count + 1, np.int64)
    places[:-1:2], places[1::2] = starts, ends
    places[-1] = ends[-1] if count else 0
    buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(data)
    pieces = pa.Array.from_buffers(
        pa.large_string(), 2 * count, [None, pa.py_buffer(places), buffer]
    )
    return pieces.take(pa.array(np.arange(0, 2 * count, 2)))


def buffers_of(texts: pa.LargeStringArray) -> tuple[Ints, Bytes]:
    """Return where the values of an array of text stand, and their bytes.

    Parameters
    ----------
    texts
        Text without missing values, not a slice of a larger array.

    Returns
    -------
    tuple of numpy.ndarray
        Where each value begins, and the end of the last; and the bytes.

    Examples
    --------
    >>> buffers_of(gather(b"one two", np.array([0, 4]), np.array([3, 7])))[0].tolist()
    [0, 3, 6]
    """
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int64)[: len(texts) + 1]
    content = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    return places, content[: places[-1]]
