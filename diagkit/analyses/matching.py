"""Which signature explains which record.

The definition is `Signature.fits`: the first signature that fits a record's message,
else the first that fits message and traceback, else one of those that are kept for the
last. What stands here makes it quick on millions of records: one look with all literals
finds the few that are worth more, and of texts of one shape one is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diagkit.analyses.shapes import (
    NONE,
    Shapes,
    as_pieces,
    as_texts,
    encode,
    holds,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diagkit.signatures.catalogue import Signature

# Where a literal begins or ends in what is folded, or holds it, nothing may be.
RISKY = re.compile(r"[0-9]{4}|0x[0-9a-fA-F]|^[0-9]|[0-9]$|\x1a")


@dataclass(frozen=True)
class Texts:
    """What is looked at of records.

    Attributes
    ----------
    messages
        Of every record.
    traces
        The distinct tracebacks.
    trace_of
        For each record which of them it has; -1 for none.
    exceptions
        The distinct exceptions.
    exception_of
        For each record which of them it has; -1 for none.
    """

    messages: Shapes
    traces: Shapes
    trace_of: np.ndarray[Any, Any]
    exceptions: list[str]
    exception_of: np.ndarray[Any, Any]


def read_texts(logs: pd.DataFrame, known: Sequence[Signature]) -> Texts:
    """Take the texts out of records.

    Parameters
    ----------
    logs
        LOGS.
    known
        The signatures that they are held against.

    Returns
    -------
    Texts
        Nothing is folded yet.
    """
    fold = not any(RISKY.search(literal) for s in known for literal in s.text)
    traces, trace_of = encode(*as_pieces(logs["traceback"]))
    exceptions, exception_of = encode(*as_pieces(logs["exception"]))
    return Texts(
        Shapes(as_texts(logs["message"]), fold=fold),
        Shapes(traces, fold=fold),
        trace_of,
        exceptions.to_pylist(),
        exception_of,
    )


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
    return match_texts(read_texts(logs, known), known)


def match_texts(texts: Texts, known: Sequence[Signature]) -> np.ndarray[Any, Any]:
    """Do what `match_records` does, with texts that are used for more.

    Parameters
    ----------
    texts
        Of the records.
    known
        Signatures, in the order in which they are tried.

    Returns
    -------
    numpy.ndarray
        Indices into `known`; -1 where none fits.
    """
    found = np.full(len(texts.trace_of), NONE)
    if not len(found) or not known:
        return found
    anchors = "|".join(sorted({re.escape(max(s.text, key=len)) for s in known}))
    usual = [i for i, s in enumerate(known) if not s.last]
    rest = [i for i, s in enumerate(known) if s.last]
    in_message = holds(texts.messages.texts, anchors)
    rows = np.flatnonzero(in_message)
    found[rows] = _match_messages(texts, rows, known, usual)
    traced = texts.trace_of != NONE
    worth = in_message & traced
    rows = np.flatnonzero(traced & (found == NONE) & ~worth)
    worth[rows] = _hold_traces(texts, rows, anchors)
    rows = np.flatnonzero(worth & (found == NONE))
    found[rows] = _match_whole(texts, rows, known, usual)
    rows = np.flatnonzero((worth | in_message) & (found == NONE))
    found[rows] = _match_whole(texts, rows, known, rest)
    return found


def _hold_traces(
    texts: Texts, rows: np.ndarray[Any, Any], pattern: str
) -> np.ndarray[Any, Any]:
    of_row, distinct = pd.factorize(texts.trace_of[rows])
    return holds(take(texts.traces.texts, distinct), pattern)[of_row]


def _match_messages(
    texts: Texts,
    rows: np.ndarray[Any, Any],
    known: Sequence[Signature],
    order: Sequence[int],
) -> np.ndarray[Any, Any]:
    shape = texts.messages.look_up(rows)
    group, (shapes, exceptions) = _group(shape, texts.exception_of[rows])
    fitting = [
        _find_fitting(known, order, texts.messages.known[s], texts.exceptions, e)
        for s, e in zip(shapes, exceptions, strict=True)
    ]

    def read(some: np.ndarray[Any, Any]) -> Any:
        return take(texts.messages.texts, rows[some])

    return _decide(known, fitting, group, read)


def _match_whole(
    texts: Texts,
    rows: np.ndarray[Any, Any],
    known: Sequence[Signature],
    order: Sequence[int],
) -> np.ndarray[Any, Any]:
    """Try signatures on message and traceback together."""
    trace = texts.trace_of[rows]
    shape = np.full(len(rows), NONE)
    shape[trace != NONE] = texts.traces.look_up(trace[trace != NONE])
    said = texts.messages.look_up(rows)
    group, (messages, traces, exceptions) = _group(
        said, shape, texts.exception_of[rows]
    )
    shapes = [*texts.traces.known, ""]  # the last one for no traceback at all
    fitting = [
        _find_fitting(
            known, order, f"{texts.messages.known[m]}\n{shapes[t]}", texts.exceptions, e
        )
        for m, t, e in zip(messages, traces, exceptions, strict=True)
    ]

    def read(some: np.ndarray[Any, Any]) -> Any:
        nothing, newline = (pa.scalar(text, pa.large_string()) for text in ("", "\n"))
        own = take(texts.traces.texts, trace[some]).fill_null(nothing)
        message = take(texts.messages.texts, rows[some])
        return pc.binary_join_element_wise(message, own, newline)

    return _decide(known, fitting, group, read)


def _group(
    *codes: np.ndarray[Any, Any],
) -> tuple[np.ndarray[Any, Any], list[list[int]]]:
    """Return a number for each combination, and the combinations, a list a code."""
    one = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        one = one * (int(code.max(initial=NONE)) + 2) + code + 1
    group, distinct = pd.factorize(one)
    first = np.empty(len(distinct), dtype=np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return group, [code[first].tolist() for code in codes]


def _find_fitting(
    known: Sequence[Signature],
    order: Sequence[int],
    text: str,
    exceptions: Sequence[str],
    exception: int,
) -> list[int]:
    """Return which signatures fit but for their pattern, up to one that has none."""
    found = []
    raised = "" if exception == NONE else exceptions[exception]
    for i in order:
        signature = known[i]
        if (
            signature.text[0] in text
            and all(literal in text for literal in signature.text)
            and raised.endswith(signature.exception)
        ):
            found.append(i)
            if not signature.pattern:
                break
    return found


def _decide(
    known: Sequence[Signature],
    fitting: Sequence[Sequence[int]],
    group: np.ndarray[Any, Any],
    read: Callable[[np.ndarray[Any, Any]], Any],
) -> np.ndarray[Any, Any]:
    """Return the first that fits, for each record; `fitting` is by group.

    What is folded may be what a pattern asks for: `read` gives the texts themselves.
    """
    found = np.full(len(group), NONE)
    groups: dict[int, list[int]] = {}
    for number, some in enumerate(fitting):
        for i in some:
            groups.setdefault(i, []).append(number)
    for i in sorted(groups):
        fits = np.zeros(len(fitting), dtype=bool)
        fits[groups[i]] = True
        rows = np.flatnonzero((found == NONE) & fits[group])
        if pattern := known[i].pattern:
            rows = rows[holds(read(rows), pattern)]
        found[rows] = i
    return found
