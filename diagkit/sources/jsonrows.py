"""JSON lines of a block, all at once.

What the keys of a log mean is learned from a line, by `jsonlines.read_json_line`. The
lines that are alike are read by Arrow; one that might mean something else (a further
key, a value that is no text, an exception, a message of several lines) is left out, to
be read by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources.clocks import NAT, read_column
from diagkit.sources.jsonlines import JsonFormat, read_json_line
from diagkit.sources.lines import PAD, Lines, buffers_of, gather
from diagkit.sources.tracebacks import HEADER_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from diagkit.sources.formats import Registry
    from diagkit.sources.recognition import Words

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

FIELDS = ("message", "timestamp", "level", "logger")
# Escapes may spell a key that is looked for.
ESCAPES = "\\u00"
# A piece this short in which Arrow finds an error is read line by line.
SHORT = 32
# Lines that are tried, until one shows what the keys mean.
TRIED = 16


@dataclass(frozen=True, eq=False)
class JsonRows:
    """What JSON lines of a block say.

    Attributes
    ----------
    lines
        Their indexes in the block.
    message
        Their messages.
    level, logger
        Their numbers in `Words`.
    micros, zoned
        Their times, as `clocks.read_column` gives them.
    """

    lines: Ints
    message: pa.LargeStringArray
    level: Ints
    logger: Ints
    micros: Ints
    zoned: Bools


@dataclass(frozen=True)
class Plan:
    """Under which keys the lines of a log have what.

    Attributes
    ----------
    keys
        For each field its key, if it has one.
    exceptions
        Keys that must hold nothing.
    others
        Text without which a line has no further key that means something.
    """

    keys: dict[str, str]
    exceptions: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The keys that are read."""
        return list(dict.fromkeys((*self.keys.values(), *self.exceptions)))


class JsonReader:
    """Reads the JSON lines of one log.

    Parameters
    ----------
    registry
        The formats.
    levels, loggers
        Where levels and loggers get their numbers.
    """

    def __init__(self, registry: Registry, levels: Words, loggers: Words) -> None:
        self._registry, self._levels, self._loggers = registry, levels, loggers
        # Replaced as a whole: blocks are read in several threads.
        self._known: tuple[Plan, Any] | None = None

    def read(self, lines: Lines, at: Ints) -> JsonRows | None:
        """Read lines that begin with a brace.

        Parameters
        ----------
        lines
            The block.
        at
            Their indexes.

        Returns
        -------
        JsonRows or None
            Those that could be read here.
        """
        known = self._known or self._learn(lines, at)
        if known is None:
            return None
        plan, finder = known
        # A line end behind each keeps an object that is cut off apart from the next.
        whole = lines.view[lines.ends[at] - 1] == ord("}")
        whole &= lines.view[lines.bounds[at + 1] - 1] == ord("\n")
        rows = at[whole]
        texts = gather(lines.data, lines.bounds[rows], lines.bounds[rows + 1])
        fit = _fit(texts, finder)
        if not fit.all():
            rows = rows[fit]
            texts = gather(lines.data, lines.bounds[rows], lines.bounds[rows + 1])
        offsets, content = buffers_of(texts)
        parts = list(_parse(content.tobytes(), offsets, plan.columns, 0, len(rows)))
        return self._make(plan, rows, parts, escaped=bool((content == ord("\\")).any()))

    def _learn(self, lines: Lines, at: Ints) -> tuple[Plan, Any] | None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind

        step = max(1, len(at) // TRIED)
        for line in at[::step][:TRIED].tolist():
            plan = make_plan(lines.text(line, line + 1)[0], self._registry)
            if plan is not None:
                texts = [t.encode() for t in (*plan.others, HEADER_TEXT, ESCAPES)]
                leftmost = MatchKind.LeftmostFirst
                self._known = plan, BytesAhoCorasick(texts, matchkind=leftmost)
                return self._known
        return None

    def _make(
        self, plan: Plan, rows: Ints, parts: list[tuple[int, Any]], *, escaped: bool
    ) -> JsonRows | None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not parts:
            return None
        table = pa.concat_tables([part for _, part in parts]).combine_chunks()
        lines = np.concatenate([rows[at : at + len(part)] for at, part in parts])
        good = np.ones(len(lines), bool)
        for key in plan.keys.values():
            good &= table[key].is_valid().to_numpy()
        for key in plan.exceptions:
            good &= table[key].is_null().to_numpy()
        if escaped:
            several = pc.match_substring(table[plan.keys["message"]], "\n")
            good &= ~several.fill_null(False).to_numpy()
        micros, zoned = np.full(len(lines), NAT), np.zeros(len(lines), bool)
        if "timestamp" in plan.keys:
            times = _whole(table[plan.keys["timestamp"]], good)
            offsets, content = buffers_of(times)
            view = np.concatenate((content, np.zeros(PAD, np.uint8)))
            found, named = read_column(view, offsets[:-1], offsets[1:])
            micros[good], zoned[good] = found, named
            good &= micros != NAT
        return JsonRows(
            lines=lines[good],
            message=_whole(table[plan.keys["message"]], good),
            level=self._number(plan, "level", table, good, self._levels),
            logger=self._number(plan, "logger", table, good, self._loggers),
            micros=micros[good],
            zoned=zoned[good],
        )

    def _number(
        self, plan: Plan, field: str, table: Any, good: Bools, words: Words
    ) -> Ints:
        if field not in plan.keys:
            return np.zeros(int(good.sum()), np.int64)
        coded = _whole(table[plan.keys[field]], good).dictionary_encode()
        known = coded.dictionary.to_pylist()
        if field == "level":
            known = [self._registry.level_name(word) for word in known]
        numbers = np.array([words.number(word) for word in known], np.int64)
        out: Ints = numbers[coded.indices.to_numpy()]
        return out


def _fit(texts: pa.LargeStringArray, finder: Any) -> Bools:
    """Say of each line whether it is one object, with no key but the plan's."""
    offsets, content = buffers_of(texts)
    opened = np.searchsorted(np.flatnonzero(content == ord("{")), offsets)
    closed = np.searchsorted(np.flatnonzero(content == ord("}")), offsets)
    fit: Bools = np.diff(opened) == np.diff(closed)
    found = [place for _, place, _ in finder.find_matches_as_indexes(content)]
    if found:
        fit[np.searchsorted(offsets, np.array(found), side="right") - 1] = False
    return fit


def make_plan(line: str, registry: Registry) -> Plan | None:
    """Learn from a line what the keys of its log mean.

    Parameters
    ----------
    line
        A JSON line.
    registry
        The formats.

    Returns
    -------
    Plan or None
        None where lines like this one have to be read one by one: they are no plain
        JSON objects, or what they say is no text.

    Examples
    --------
    >>> from diagkit.sources.formats import load_registry
    >>> plan = make_plan('{"event": "up", "level": "info", "n": 1}', load_registry())
    >>> plan.keys
    {'message': 'event', 'level': 'level'}
    """
    *others, plain = registry.json_formats
    found = read_json_line(line, registry.json_formats)
    if found is None or found[0] is not plain or plain.append or plain.levels:
        return None
    data = json.loads(line)
    keys: dict[str, str] = {}
    allowed: set[str] = set()
    for field in FIELDS:
        names = plain.keys[field]
        key = next((name for name in names if data.get(name) is not None), None)
        if key is None:
            continue
        before = names[: names.index(key)]
        if not isinstance(data[key], str) or _forms(before) & data.keys():
            return None
        keys[field] = key
        allowed |= _forms(names[len(before) :]) & data.keys()
    exceptions = tuple(name for name in plain.keys["exception"] if name in data)
    if any(data[name] is not None for name in exceptions):
        return None
    allowed |= set(exceptions)
    if "message" not in keys or _clash(keys, allowed, plain, others):
        return None
    relevant = _forms(name for how in registry.json_formats for name in _names(how))
    screened = sorted(relevant - allowed)
    return Plan(keys, exceptions, tuple(f'"{name}"' for name in screened))


def _clash(
    keys: dict[str, str],
    present: set[str],
    plain: JsonFormat,
    others: list[JsonFormat],
) -> bool:
    """Say whether a key that may be there could mean more than the plan says."""
    if any(all(_forms([name]) & present for name in how.has) for how in others):
        return True
    for field, names in plain.keys.items():
        chosen = keys.get(field)
        first = names.index(chosen) if chosen is not None else len(names)
        before = _forms(names[:first])
        if field == "exception":
            # Keys that are read themselves are held to be empty; objects are not.
            before -= {name for name in names if "." not in name}
        if before & present:
            return True
    return False


def _names(how: JsonFormat) -> Iterator[str]:
    yield from how.has
    yield from how.append
    for names in how.keys.values():
        yield from names


def _forms(names: Iterable[str]) -> set[str]:
    """Return the keys under which something may stand: with a dot, or an object."""
    return {form for name in names for form in (name, name.split(".")[0])}


def _parse(
    data: bytes, offsets: Ints, columns: list[str], first: int, last: int
) -> Iterator[tuple[int, Any]]:
    """Read lines as JSON; pieces with an error are halved until few lines are left."""
    import pyarrow as pa
    from pyarrow import json as reader

    if first == last:
        return
    piece = data[offsets[first] : offsets[last]]
    schema = pa.schema([(name, pa.large_string()) for name in columns])
    try:
        table = reader.read_json(
            pa.BufferReader(piece),
            read_options=reader.ReadOptions(
                use_threads=False, block_size=len(piece) + 1
            ),
            parse_options=reader.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        table = None
    if table is not None and len(table) == last - first:
        yield first, table
    elif last - first > SHORT:
        middle = (first + last) // 2
        yield from _parse(data, offsets, columns, first, middle)
        yield from _parse(data, offsets, columns, middle, last)


def _whole(column: Any, rows: Bools) -> pa.LargeStringArray:
    """Return values of a column as one array that begins with its buffer."""
    import pyarrow as pa

    values = column.filter(pa.array(rows))
    if values.num_chunks == 1 and values.chunk(0).offset == 0:
        return values.chunk(0)
    return pa.concat_arrays(values.chunks or [pa.array([], pa.large_string())])
