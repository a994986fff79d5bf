"""One look at the bytes of a log: where literals stand, and how many lines end before.

Slice after slice, for what was just read is still in the cache of the processor. There
are few steps, each with much to do: between two of them another thread may have Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources.lines import LINE_END

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

SLICE_BYTES = 1024**2
# Lines are counted by groups of so many words of 64 bits, a bit a byte.
GROUP_WORDS = 8
GROUP_BYTES = 64 * GROUP_WORDS
BITS = np.array([byte.bit_count() for byte in range(256)], np.uint8)
COLOUR = b"\x1b"


class Finder:
    """Finds literals in bytes.

    Parameters
    ----------
    literals
        What is looked for.

    Attributes
    ----------
    reach
        How far a literal reaches beyond its first byte.
    """

    def __init__(self, literals: Sequence[bytes]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind

        self.reach = max(map(len, literals)) - 1
        # Leftmost matches are found by several bytes at once.
        leftmost = MatchKind.LeftmostFirst
        self._finder = BytesAhoCorasick(literals, matchkind=leftmost)

    def find(self, view: Bytes) -> list[int]:
        """Find where literals stand.

        Parameters
        ----------
        view
            Bytes.

        Returns
        -------
        list of int
            The places, but for those that overlap with one that is told.

        Examples
        --------
        >>> Finder([b"a", b"bc"]).find(np.frombuffer(b"abcd", np.uint8))
        [0, 1]
        """
        data: Any = view
        return [at for _, at, _ in self._finder.find_matches_as_indexes(data)]


class Glance:
    r"""What was seen of a text.

    Parameters
    ----------
    finder
        Finds what is looked for.

    Examples
    --------
    >>> glance = Glance(Finder([b"up", b"on"]))
    >>> glance.see(b"up\nand\non", 0, 9)
    >>> glance.places, glance.count_ends(np.array([0, 2, 3, 9])).tolist()
    ([0, 7], [0, 0, 1, 2])
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._is_end = np.empty(SLICE_BYTES, bool)
        # A bit a byte: whether a line ends there.
        self._bits = np.zeros(0, np.uint8)
        self._places: list[int] = []

    def restart(self) -> None:
        """Forget what was seen."""
        self._places.clear()

    @property
    def places(self) -> list[int]:
        """Where literals and colours stand."""
        return sorted(set(self._places))

    def see(self, data: bytes | bytearray, start: int, stop: int) -> None:
        """Look at more of a text.

        Parameters
        ----------
        data
            The text, up to here at least.
        start, stop
            What is new; it starts where the last one stopped.
        """
        view = np.frombuffer(data, np.uint8)
        self._grow(stop)
        for at in range(start - start % 8, stop, SLICE_BYTES):
            end = min(at + SLICE_BYTES, stop)
            self._count(view[at:end], at)
            # What began in the last slice may end in this one.
            back = max(at - self._finder.reach, 0)
            self._places += [back + p for p in self._finder.find(view[back:end])]
            if data.find(COLOUR, at, end) >= 0:
                colours = at + np.flatnonzero(view[at:end] == COLOUR[0])
                self._places += colours.tolist()

    def count_ends(self, places: Ints) -> Ints:
        """Count the lines that end before some places.

        Parameters
        ----------
        places
            Places in the text; its size is one too.

        Returns
        -------
        numpy.ndarray
            Their numbers.
        """
        counts = _count_bits(self._bits.view("<u8")).reshape(-1, GROUP_WORDS)
        ends = np.cumsum(counts.sum(axis=1, dtype=np.int64))
        group, bit = np.divmod(places, GROUP_BYTES)
        # How many bits count, of each word of the group.
        counted = np.clip(bit[:, None] - 64 * np.arange(GROUP_WORDS), 0, 64)
        mask = (np.uint64(1) << np.minimum(counted, 63).astype("u8")) - np.uint64(1)
        mask[counted == 64] = ~np.uint64(0)
        words = self._bits.view("<u8").reshape(-1, GROUP_WORDS)[group] & mask
        within = _count_bits(words).sum(axis=1, dtype=np.int64)
        out: Ints = np.append(ends, 0)[group - 1] + within
        return out

    def _count(self, view: Bytes, at: int) -> None:
        is_end = np.equal(view, LINE_END, out=self._is_end[: len(view)])
        bits = np.packbits(is_end, bitorder="little")
        self._bits[at // 8 : at // 8 + len(bits)] = bits

    def _grow(self, size: int) -> None:
        groups = size // GROUP_BYTES + 1
        if len(self._bits) * 8 < groups * GROUP_BYTES:
            # More than is asked for: it comes slice by slice.
            self._bits = np.resize(self._bits, 2 * groups * GROUP_BYTES // 8)


def _count_bits(words: Any) -> Any:
    """Return how many bits are set in each word of 64."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words)
    return BITS[words.view(np.uint8)].reshape(*words.shape, 8).sum(axis=-1)
