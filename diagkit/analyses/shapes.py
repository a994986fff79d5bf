"""Texts that differ in addresses and long numbers alone: looked at once, all together.

A log says few things, and says them often. What is asked of its texts is asked of their
shapes, and each answer holds for all texts of that shape.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

NONE = -1
FOLDED = r"0x[0-9a-fA-F]+\b|[0-9]{4,}"
FOLD = "\x1a"
# Of so many texts it is seen whether a log repeats them word for word.
SAMPLE = 4096
# Fewer bytes than this are not worth a second thread.
PIECE_BYTES = 2**20


class Shapes:
    r"""The shapes of texts; each text is folded when it is first asked for.

    Parameters
    ----------
    texts
        A pyarrow array of large strings.
    fold
        Whether texts may be folded; else each is a shape of its own.

    Attributes
    ----------
    texts
        The same.
    known
        The shapes that were met up to now.

    Examples
    --------
    >>> texts = pa.array(["up", "at 0x1f", "at 0x2"], type=pa.large_string())
    >>> shapes = Shapes(texts)
    >>> shapes.look_up(np.array([1, 2])).tolist(), shapes.known
    ([0, 0], ['at \x1a'])
    """

    def __init__(self, texts: Any, *, fold: bool = True) -> None:
        self.texts = texts
        self.known: list[str] = []
        self._fold = fold
        self._codes = np.full(len(texts), NONE)
        self._index: dict[str, int] = {}

    def look_up(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the shapes of some texts.

        Parameters
        ----------
        rows
            Positions of texts.

        Returns
        -------
        numpy.ndarray
            Indices into `known`.
        """
        wanted = np.zeros(len(self._codes), dtype=bool)
        wanted[rows] = True
        if (new := np.flatnonzero(wanted & (self._codes == NONE))).size:
            texts = take(self.texts, new)
            shapes, of_text = fold(texts) if self._fold else encode(texts)
            for shape in (found := shapes.to_pylist()):
                self._index.setdefault(shape, len(self._index))
            self.known = list(self._index)
            places = np.array([self._index[shape] for shape in found], dtype=np.int64)
            self._codes[new] = places[of_text]
        return np.asarray(self._codes[rows])


def as_texts(values: pd.Series) -> Any:
    """Return a column's texts as Arrow has them, without a copy where it can be.

    Parameters
    ----------
    values
        Texts, some of them missing.

    Returns
    -------
    pyarrow.Array
        Large strings, in one piece.
    """
    pieces = as_pieces(values)
    if len(pieces) == 1:
        return pieces[0]
    return pa.concat_arrays(pieces, memory_pool=pa.system_memory_pool())


def as_pieces(values: pd.Series) -> list[Any]:
    """Return a column's texts as Arrow has them, in the pieces that are there.

    Parameters
    ----------
    values
        Texts, some of them missing.

    Returns
    -------
    list of pyarrow.Array
        Large strings; at least one piece.
    """
    texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    if not isinstance(texts, pa.ChunkedArray):
        return [texts]
    return texts.chunks or [pa.array([], pa.large_string())]


def take(texts: Any, rows: np.ndarray[Any, Any]) -> Any:
    """Return the texts at some positions; -1 gives a missing one.

    Parameters
    ----------
    texts
        A pyarrow array.
    rows
        Positions.

    Returns
    -------
    pyarrow.Array
        As many as there are positions; `texts` itself where it is all of them.
    """
    count = len(texts)
    if len(rows) == count and bool((rows == np.arange(count)).all()):
        return texts
    missing = rows == NONE
    return texts.take(pa.array(rows, mask=missing if missing.any() else None))


def encode(*texts: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    """Return the distinct texts, and which text is which.

    Parameters
    ----------
    *texts
        A pyarrow array, or several that follow one another.

    Returns
    -------
    tuple of pyarrow.Array and numpy.ndarray
        In the order in which they come first, and for each text its index among them;
        -1 where it is missing.

    Examples
    --------
    >>> distinct, codes = encode(pa.array(["b", None, "a", "b"]))
    >>> distinct.to_pylist(), codes.tolist()
    (['b', 'a'], [0, -1, 1, 0])
    """
    # The pieces of a chunked array are encoded one by one, by one dictionary.
    encoded = pc.dictionary_encode(pa.chunked_array(texts)).unify_dictionaries()
    codes = [
        piece.indices.fill_null(NONE).to_numpy(zero_copy_only=False)
        for piece in encoded.chunks
    ]
    if not codes:  # encoding drops pieces without a text
        return pa.array([], texts[0].type), np.empty(0, dtype=np.int64)
    return encoded.chunk(0).dictionary, np.concatenate(codes, dtype=np.int64)


def fold(
    texts: Any, pattern: str = FOLDED, sign: str = FOLD
) -> tuple[Any, np.ndarray[Any, Any]]:
    """Return the shapes of texts, and which text has which.

    Parameters
    ----------
    texts
        A pyarrow array of strings.
    pattern
        What differs between texts of one shape, for a linear-time engine.
    sign
        What takes its place.

    Returns
    -------
    tuple of pyarrow.Array and numpy.ndarray
        As `encode` gives them for the folded texts.

    Examples
    --------
    >>> shapes, codes = fold(pa.array(["port 5432", "port 5433", "port"]))
    >>> len(shapes), codes.tolist()
    (2, [0, 0, 1])
    """

    def replace(some: Any) -> Any:
        return pc.replace_substring_regex(some, pattern, sign)

    # Where texts repeat, finding them the same is cheaper than folding each.
    if 2 * len(pc.unique(texts.slice(0, SAMPLE))) > min(len(texts), SAMPLE):
        return encode(spread(replace, texts))
    distinct, of_text = encode(texts)
    shapes, of_distinct = encode(spread(replace, distinct))
    return shapes, np.append(of_distinct, NONE)[of_text]


def holds(texts: Any, pattern: str) -> np.ndarray[Any, Any]:
    """Say which texts hold what a pattern fits.

    Parameters
    ----------
    texts
        A pyarrow array of strings, some of them missing.
    pattern
        A pattern for a linear-time engine.

    Returns
    -------
    numpy.ndarray
        A truth value a text; false for a missing one.
    """
    found = spread(lambda some: pc.match_substring_regex(some, pattern), texts)
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def spread(work: Callable[[Any], Any], texts: Any) -> Any:
    """Do something that Arrow does with texts on all processors at once.

    Parameters
    ----------
    work
        Takes an array and returns one of the same length.
    texts
        A pyarrow array.

    Returns
    -------
    pyarrow.Array
        What `work` gives for the whole.
    """
    threads = min(os.cpu_count() or 1, int(texts.nbytes // PIECE_BYTES))
    if threads < 2:
        return work(texts)
    step = -(-len(texts) // threads)
    pieces = [texts.slice(at, step) for at in range(0, len(texts), step)]
    with ThreadPoolExecutor(len(pieces)) as pool:
        return pa.chunked_array(list(pool.map(work, pieces))).combine_chunks()
