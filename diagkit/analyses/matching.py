"""Which signature explains which record.

The definition is `Signature.fits`: the first signature that fits a record's message,
else the first that fits message and traceback, else one of those that are kept for the
last. What stands here makes it quick on millions of records: one look with all literals
finds the few that are worth more, and texts that differ in addresses and long numbers
alone are looked at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diagkit.signatures.catalogue import Signature

NONE = -1
# No literal may begin or end in what is folded, or hold it.
FOLDED = r"0x[0-9a-fA-F]+\b|[0-9]{4,}"
FOLD = "\x1a"
RISKY = re.compile(r"[0-9]{4}|0x[0-9a-fA-F]|^[0-9]|[0-9]$|\x1a")


def match_records(
    logs: pd.DataFrame, known: Sequence[Signature]
) -> np.ndarray[Any, Any]:
    """Return for each record the index of the signature that explains it.

    Parameters
    ----------
    logs
        LOGS.
    known
        Signatures, in the order in which they are tried.

    Returns
    -------
    numpy.ndarray
        Indices into `known`; -1 where none fits.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> from diagkit.signatures.catalogue import Signature
    >>> mine = Signature("a.b", "leak", "low", "a", "1", ("lost",), "m", "r")
    >>> logs = LOGS.build({"message": ["up", "lost it"], "source": "a", "line": [1, 2],
    ...                    "lines": 1})
    >>> match_records(logs, [mine]).tolist()
    [-1, 0]
    """
    found = np.full(len(logs), NONE)
    if not len(logs) or not known:
        return found
    anchors = "|".join(sorted({re.escape(max(s.text, key=len)) for s in known}))
    message = _texts(logs["message"])
    trace = _texts(logs["traceback"])
    in_message = _holds(message, anchors)
    rows = np.flatnonzero(in_message)
    usual = [i for i, s in enumerate(known) if not s.last]
    found[rows] = _match(message, None, logs, rows, known, usual)
    open_rows = np.flatnonzero(found == NONE)
    worth = _holds(trace.take(pa.array(open_rows)), anchors)
    traced = logs["traceback"].notna().to_numpy()[open_rows]
    rows = open_rows[worth | (in_message[open_rows] & traced)]
    found[rows] = _match(message, trace, logs, rows, known, usual)
    rows = rows[found[rows] == NONE]
    rest = [i for i, s in enumerate(known) if s.last]
    rows = np.union1d(rows, np.flatnonzero(in_message & (found == NONE)))
    found[rows] = _match(message, trace, logs, rows, known, rest)
    return found


def _texts(values: pd.Series) -> Any:
    texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _holds(texts: Any, pattern: str) -> np.ndarray[Any, Any]:
    found = pc.match_substring_regex(texts, pattern).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _match(
    message: Any,
    trace: Any | None,
    logs: pd.DataFrame,
    rows: np.ndarray[Any, Any],
    known: Sequence[Signature],
    order: Sequence[int],
) -> np.ndarray[Any, Any]:
    """Try signatures on the records at `rows`, alike ones together."""
    if not len(rows) or not order:
        return np.full(len(rows), NONE)
    at = pa.array(rows)
    literals = [literal for i in order for literal in known[i].text]
    fold = not any(RISKY.search(literal) for literal in literals)
    texts = message.take(at) if trace is None else _join(message, trace, at)
    seen = pc.replace_substring_regex(texts, FOLDED, FOLD) if fold else texts
    shapes = pc.dictionary_encode(seen)
    last, exceptions = pd.factorize(logs["exception"].iloc[rows])
    alike = shapes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    pair, first, back = np.unique(
        alike * (len(exceptions) + 1) + last, return_index=True, return_inverse=True
    )
    verdict = np.full(len(pair), NONE)
    patterned: list[int] = []
    for number, row in enumerate(first):
        exception = str(exceptions[last[row]]) if last[row] >= 0 else None
        text = shapes.dictionary[int(alike[row])].as_py()
        fitting = [i for i in order if _fits_but_for_pattern(known[i], text, exception)]
        if fitting and known[fitting[0]].pattern:
            patterned.append(number)
        elif fitting:
            verdict[number] = fitting[0]
    found = verdict[back]
    # What is folded may be what a pattern asks for: these are held against their text.
    for row in np.flatnonzero(np.isin(back, patterned)):
        exception = str(exceptions[last[row]]) if last[row] >= 0 else None
        text = texts[int(row)].as_py()
        found[row] = next((i for i in order if known[i].fits(text, exception)), NONE)
    return found


def _join(message: Any, trace: Any, at: Any) -> Any:
    nothing, newline = (pa.scalar(text, message.type) for text in ("", "\n"))
    traces = trace.take(at).fill_null(nothing)
    return pc.binary_join_element_wise(message.take(at), traces, newline)


def _fits_but_for_pattern(
    signature: Signature, text: str, exception: str | None
) -> bool:
    return all(literal in text for literal in signature.text) and (
        not signature.exception or (exception or "").endswith(signature.exception)
    )
