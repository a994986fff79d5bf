"""Messages grouped by shape: what a log says, the unknown as well as the known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from diagkit.errors import SettingError
from diagkit.frames.logs import LEVELS, LOGS
from diagkit.frames.templates import TEMPLATES

VALUE = "<*>"
# A message is told by the beginning of its first line: what follows is payload.
MAX_MESSAGE = 400
MAX_EXAMPLE = 1_000
CUT = "…"
MIN_VALUES = 4
# The first word names the thing that happened: it has to vary more to be a value.
FIRST_WORD = 10
MAX_ROUNDS = 4
MAX_WORDS = 120

MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
# What stands for a value, tried in this order at each place. RE2 runs them: linear in
# the text, whatever it holds. No rule asks for a certain digit, so that a message with
# other digits has the same shape.
VALUES = "|".join(
    (
        rf'"[^"{CUT}]*["{CUT}]',
        r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>,;)\]}]+",
        rf"\b(?:(?:{DAYS})[a-z]*,? )?(?:{MONTHS})[a-z]* [0-9][0-9:.]*"
        r"(?: [0-9][0-9:.]+)*(?: [A-Z]{3,4} [0-9]{4})?\b",
        r"(?:[A-Za-z]:)?(?:[\\/][\w.@%+~$\-#]+){2,}[\\/]?",
        r"(?:[\w.$-]+/){2,}[\w.$-]+",
        r"\b(?:[0-9A-Fa-f]{1,4}:){2,}[0-9A-Fa-f:]*",
        r"\b(?:[0-9A-Fa-f]{1,4}:)+:(?:[0-9A-Fa-f]{1,4}:?)+\b",
        r"\b[0-9A-Fa-f]{8,}\b",
        # Any word with a digit in it, and what hangs on it: 10.0.0.1:80, blk_-12, 3%.
        r"[-+]?[\w.$@%#~*/\\-]*[0-9][\w.$@%#~*/\\+-]*(?::[0-9][\w.]*)*",
    )
)
KEY = r"[\"']([A-Za-z_][\w.-]*)[\"']\s*:\s*"
# One after the other: a pattern, and what takes the place of what it finds.
RULES = (
    (r"[\s\x00]+", " "),
    # JSON and dicts: the keys are part of the shape, their values are not.
    (rf"{KEY}(?:null|None|true|True|false|False)\b", rf"\1: {VALUE}"),
    (KEY, r"\1: "),
    # An apostrophe opens a quotation only where a word cannot end.
    (rf"(^|[\s=(\[{{:,])'[^'{CUT}]*['{CUT}]", rf"\1{VALUE}"),
    (r" \(\)", f" ({VALUE})"),
    (VALUES, VALUE),
    (r"<\*>(?:[ ,;|]*<\*>)+", VALUE),
)
SEPARATORS = r"([\s=:,;()\[\]{}\"'|]+)"


def count_templates(
    logs: pd.DataFrame, min_values: int | None = MIN_VALUES
) -> pd.DataFrame:
    """Group records by the shape of their messages.

    Only the first line of a message counts, up to 400 characters. Two steps make a
    shape. First, what is a value by its looks becomes ``<*>``: numbers and words that
    hold a digit, addresses, ids, times, paths, URLs, quoted text, the values of JSON
    and dicts. Then words become values by what they do: where at least `min_values`
    messages differ in one word alone, that word is a value (``Invalid user <*>``); the
    first word of a message has to differ in ten. The order of the records plays no
    part in either.

    Parameters
    ----------
    logs
        LOGS.
    min_values
        How many different words at one place make a value, 2 or more. None leaves the
        second step out: the shape then depends on the message alone, and tables of
        different logs can be held side by side.

    Returns
    -------
    pandas.DataFrame
        TEMPLATES, the most frequent first. The ``events`` add up to the records.

    Raises
    ------
    ContractError
        If `logs` is no LOGS frame.
    SettingError
        If `min_values` is below 2.

    Examples
    --------
    >>> from diagkit.frames.logs import LOGS
    >>> logs = LOGS.build({"message": ["took 12 ms", "took 7 ms", "ready"],
    ...                    "source": "a.log", "line": [1, 2, 3], "lines": 1})
    >>> count_templates(logs)[["template", "events"]].values.tolist()
    [['took <*> ms', 2], ['ready', 1]]
    """
    LOGS.check(logs)
    if min_values is not None and min_values < 2:
        msg = f"min_values={min_values}: one word alone is no value; use 2 or more"
        raise SettingError(msg)
    if logs.empty:
        return _finish(TEMPLATES.empty())
    messages = pa.array(logs["message"], type=pa.large_string(), from_pandas=True)
    shapes, codes = fold_messages(messages, min_values)
    return _finish(_count(logs, shapes, codes))


def fold_messages(
    messages: Any, min_values: int | None = MIN_VALUES
) -> tuple[Any, np.ndarray[Any, Any]]:
    """Return the shapes of messages, and which message has which.

    Parameters
    ----------
    messages
        A pyarrow array of strings.
    min_values
        As in `count_templates`.

    Returns
    -------
    tuple of pyarrow.Array and numpy.ndarray
        The shapes in alphabetical order, and for each message the index of its own.

    Examples
    --------
    >>> import pyarrow as pa
    >>> shapes, codes = fold_messages(pa.array(["b 1", "a", "b 2"]))
    >>> shapes.to_pylist(), codes.tolist()
    (['a', 'b <*>'], [1, 0, 1])
    """
    texts, of_message = _distinct(_cut(messages))
    for pattern, replacement in RULES:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    shapes, of_text = _distinct(pc.utf8_trim_whitespace(texts))
    codes = of_text[of_message]
    if min_values is not None:
        shapes, of_shape = _distinct(_merge(shapes, min_values))
        codes = of_shape[codes]
    return shapes, codes


def _cut(messages: Any) -> Any:
    """Return the first line that says something, up to `MAX_MESSAGE`."""
    if isinstance(messages, pa.ChunkedArray):
        messages = messages.combine_chunks()
    # Before anything else: a message may be a hundred megabytes long.
    near = pc.utf8_ltrim_whitespace(
        pc.utf8_slice_codeunits(messages, 0, MAX_MESSAGE * 4)
    )
    line = pc.replace_substring_regex(near, r"(?s)[\r\n].*", "")
    short = pc.utf8_slice_codeunits(line, 0, MAX_MESSAGE)
    long = pc.greater(pc.utf8_length(line), MAX_MESSAGE)
    cut, nothing = (pa.scalar(text, short.type) for text in (CUT, ""))
    marked = pc.binary_join_element_wise(short, cut, nothing)
    return pc.if_else(long, marked, short)


def _distinct(texts: Any) -> tuple[Any, np.ndarray[Any, Any]]:
    """Return the distinct texts, sorted, and for each text the index of its own."""
    encoded = pc.dictionary_encode(texts)
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return encoded.dictionary.take(pa.array(order)), rank[codes]


def _merge(shapes: Any, min_values: int) -> Any:
    """Fold words that vary while all else stays the same."""
    split = pc.split_pattern(
        pc.replace_substring_regex(shapes, SEPARATORS, "\x00\\1\x00"), "\x00"
    )
    words = pc.dictionary_encode(split.flatten())
    vocabulary = [*words.dictionary.to_pylist(), VALUE]
    value = len(vocabulary) - 1
    codes = words.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    lengths = pc.list_value_length(split).to_numpy(zero_copy_only=False)
    begins = np.cumsum(lengths) - lengths
    out = shapes.to_pylist()
    # Words stand at even places, what separates them at odd ones.
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        if length < 3 or length > 2 * MAX_WORDS or len(rows) < min_values:
            continue
        table = codes[begins[rows][:, None] + np.arange(length)]
        folded = _fold_words(table, value, min_values)
        for row in np.flatnonzero((folded != table).any(axis=1)):
            out[rows[row]] = "".join(vocabulary[code] for code in folded[row])
    merged = pa.array(out, type=pa.large_string())
    return pc.replace_substring_regex(merged, *RULES[-1])


def _fold_words(
    table: np.ndarray[Any, Any], value: int, min_values: int
) -> np.ndarray[Any, Any]:
    """Set words to `value` where enough rows differ in them alone."""
    distinct, of_row = table, np.arange(len(table))
    for _ in range(MAX_ROUNDS):
        hashes = _hash(distinct)
        whole = hashes.sum(axis=1, dtype=np.uint64)
        # Rows are distinct: as many rows share the rest as words stand at the place.
        _, keep, back = np.unique(whole, return_index=True, return_inverse=True)
        distinct, hashes, whole = distinct[keep], hashes[keep], whole[keep]
        of_row = back[of_row]
        varies = np.zeros(distinct.shape, dtype=bool)
        for place in range(0, distinct.shape[1], 2):
            rest = whole - hashes[:, place]
            _, group, alike = np.unique(rest, return_inverse=True, return_counts=True)
            enough = min_values if place else max(FIRST_WORD, min_values)
            varies[:, place] = alike[group] >= enough
        varies &= distinct != value
        if not varies.any():
            break
        distinct = np.where(varies, value, distinct)
    return distinct[of_row]


def _hash(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Mix each word with its place to 64 bits (splitmix64)."""
    mixed = table.astype(np.uint64) * np.uint64(2 * MAX_WORDS + 1)
    mixed += np.arange(table.shape[1], dtype=np.uint64)
    mixed += np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _count(
    logs: pd.DataFrame, shapes: Any, codes: np.ndarray[Any, Any]
) -> pd.DataFrame:
    names, source = np.unique(logs["source"].to_numpy(dtype=str), return_inverse=True)
    times = logs["timestamp"]
    # NaT is the least of integers, and comes last here.
    when = times.astype("int64").where(times.notna(), np.iinfo(np.int64).max)
    line = logs["line"].to_numpy()
    order = np.lexsort((line, source, when.to_numpy(), codes))
    first = order[np.flatnonzero(np.diff(codes[order], prepend=-1))]
    by_shape = times.reset_index(drop=True).groupby(codes)
    logger, loggers = _main_loggers(logs["logger"], codes, len(shapes))
    return TEMPLATES.build(
        {
            "template": shapes.to_pylist(),
            "events": np.bincount(codes, minlength=len(shapes)),
            "level": _worst_levels(logs["level"], codes, len(shapes)),
            "logger": logger,
            "loggers": loggers,
            "first": by_shape.min().array,
            "last": by_shape.max().array,
            "source": names[source[first]],
            "line": line[first],
            "example": logs["message"].iloc[first].str.slice(0, MAX_EXAMPLE).array,
        }
    )


def _worst_levels(
    levels: pd.Series, codes: np.ndarray[Any, Any], count: int
) -> pd.Categorical:
    seen = levels.astype("category").cat
    # Names that are none of Python's are taken as less severe than any of these.
    others = sorted(set(map(str, seen.categories)) - set(LEVELS))
    scale = [*others, *LEVELS]
    rank = np.array([scale.index(str(c)) for c in seen.categories] + [-1])
    worst = np.full(count, -1)
    np.maximum.at(worst, codes, rank[seen.codes.to_numpy()])
    ordered = pd.Categorical.from_codes(worst, categories=pd.Index(scale, dtype="str"))
    return ordered.set_categories([*LEVELS, *others])


def _main_loggers(
    loggers: pd.Series, codes: np.ndarray[Any, Any], count: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    names = sorted(loggers.dropna().unique())
    logger = pd.Categorical(loggers, categories=names).codes
    named = logger >= 0
    pairs = codes[named] * max(len(names), 1) + logger[named]
    pair, events = np.unique(pairs, return_counts=True)
    shape, name = np.divmod(pair, max(len(names), 1))
    # The last that is written stays: the most frequent, the first of equals by name.
    order = np.lexsort((-name, events))
    main = np.full(count, None, dtype=object)
    main[shape[order]] = np.array([*names, None], dtype=object)[name[order]]
    return main, np.bincount(shape, minlength=count)


def _finish(table: pd.DataFrame) -> pd.DataFrame:
    # The shapes come in alphabetical order, and a stable sort keeps it among equals.
    order = (-table["events"]).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)
