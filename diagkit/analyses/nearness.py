"""Records worded nearly like a known failure: libraries change their messages.

A signature's literals are cut into phrases of three words. A record that no signature
explains is near the one of which it holds the most, if these are two at least and two
fifths of all. Only records that report trouble are looked at (WARNING and above, or a
logger of a library of the catalogue): the same words in a user's text say nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diagkit.analyses.kinds import ROUTINE
from diagkit.analyses.shapes import (
    NONE,
    as_pieces,
    as_texts,
    encode,
    fold,
    holds,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.signatures.catalogue import Signature

WORDS = 3
LEAST_PHRASES = 2
LEAST_SHARE = 0.4
# A message says what it is about at its beginning.
MAX_TEXT = 600
TROUBLE = ("WARNING", "ERROR", "CRITICAL")
LIBRARIES = (
    "sqlalchemy.pool",
    "psycopg",
    "asyncpg",
    "aiosqlite",
    "com.zaxxer.hikari",
    "uvicorn.error",
    "gunicorn.error",
    "py.warnings",
)
FOLDED = r"0x[0-9a-fA-F]+\b|[0-9]+"
WORD = re.compile(r"[^\W\d_][\w']*")


def find_near(
    logs: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    known: Sequence[Signature],
) -> np.ndarray[Any, Any]:
    """Return for each of some records the signature whose wording it is near.

    Parameters
    ----------
    logs
        LOGS.
    rows
        Positions of the records that no signature explains.
    known
        The signatures.

    Returns
    -------
    numpy.ndarray
        Indices into `known`, one for each of `rows`; -1 where none is near.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> from diagkit.signatures.catalogue import load_signatures
    >>> text = "QueuePool limit of size 5 is reached, gave up"
    >>> logs = LOGS.build({"message": [text], "level": "ERROR", "source": "a",
    ...                    "line": [1], "lines": 1})
    >>> known = load_signatures()
    >>> known[find_near(logs, np.array([0]), known)[0]].id
    'sqlalchemy.queuepool_timeout'
    """
    near = np.full(len(rows), NONE)
    phrases = {i: cut_phrases(s) for i, s in enumerate(known) if _is_comparable(s)}
    phrases = {i: cut for i, cut in phrases.items() if len(cut) >= LEAST_PHRASES}
    places = np.flatnonzero(_report_trouble(logs)[rows])
    if not len(places) or not phrases:
        return near
    texts = take(as_texts(logs["message"]), rows[places])
    texts = pc.utf8_slice_codeunits(texts, 0, MAX_TEXT)
    every = {p for cut in phrases.values() for p in cut}
    hit = holds(texts, "(?i)" + "|".join(sorted(map(re.escape, every))))
    if hit.any():
        shapes, of_text = fold(texts.filter(pa.array(hit)), FOLDED, "0")
        verdict = [_nearest(text.lower(), phrases) for text in shapes.to_pylist()]
        near[places[hit]] = np.array(verdict)[of_text]
    return near


def cut_phrases(signature: Signature) -> tuple[str, ...]:
    """Cut a signature's literals into phrases of three words, in lower case.

    Parameters
    ----------
    signature
        The signature.

    Returns
    -------
    tuple of str
        The phrases as they stand in the literals, without repetition.

    Examples
    --------
    >>> from diagkit.signatures.catalogue import find_signature
    >>> cut_phrases(find_signature("psycopg.pool_timeout"))
    ("couldn't get a", 'get a connection', 'a connection after')
    """
    out: dict[str, None] = {}
    for literal in signature.text:
        words = list(WORD.finditer(literal))
        for first, last in zip(words, words[WORDS - 1 :], strict=False):
            out[literal[first.start() : last.end()].lower()] = None
    return tuple(out)


def _is_comparable(signature: Signature) -> bool:
    routine = signature.kind in ROUTINE or signature.kind == "resolution"
    return not (routine or signature.pattern or signature.last)


def _report_trouble(logs: pd.DataFrame) -> np.ndarray[Any, Any]:
    level = pd.Categorical(logs["level"])
    severe = np.append(level.categories.isin(TROUBLE), False)[level.codes]
    names, logger = encode(*as_pieces(logs["logger"]))
    library = np.array([*(n.startswith(LIBRARIES) for n in names.to_pylist()), False])
    return np.asarray(severe | library[logger], dtype=bool)


def _nearest(text: str, phrases: dict[int, tuple[str, ...]]) -> int:
    best, score = NONE, (0.0, 0)
    for index, cut in phrases.items():
        held = sum(phrase in text for phrase in cut)
        share = held / len(cut)
        enough = held >= LEAST_PHRASES and share >= LEAST_SHARE
        if enough and (share, held) > score:
            best, score = index, (share, held)
    return best
