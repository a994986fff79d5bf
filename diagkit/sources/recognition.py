"""Which lines of a block begin a record, and what their headers say, all at once.

It tells what `records.iterate_records` tells line by line, or that a line has to be
looked at. What is known of headers stands in `headers.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from diagkit.sources.clocks import FOLDED, NAT, has_zone, read_clocks
from diagkit.sources.formats import NEVER_FIRST, Registry
from diagkit.sources.headers import (
    JOINS,
    LETTERS,
    NOT,
    UNDECIDED,
    Headers,
    Lane,
    Outcome,
    is_foldable,
)
from diagkit.sources.jsonrows import JsonReader, JsonRows
from diagkit.sources.lines import Lines, buffers_of, gather
from diagkit.sources.records import begins_record, joins_record

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# What `Heads.state` says beside NOT, JOINS and UNDECIDED.
BEGINS = 3
FIRST = np.array([chr(byte) not in NEVER_FIRST for byte in range(256)])
LETTER = np.array([chr(byte) in LETTERS for byte in range(256)])
BRACE = ord("{")
# Headers that are longer are looked for in a second step, and then line by line.
WIDTHS = (56, 256)
# Longer lines without a time are looked at one by one: they are rarely alike.
LONGEST = 512
# Lines from which lanes are learned, where this share of lines is in none.
SAMPLE, SHARE, MOST_LANES = 48, 0.02, 16


class Words:
    """Levels and loggers by number: each stands once, however many records have it."""

    def __init__(self) -> None:
        self.words: list[str | None] = [None]
        self._numbers: dict[str | None, int] = {None: 0}
        self._lock = Lock()

    def number(self, word: str | None) -> int:
        """Return the number of a word.

        Parameters
        ----------
        word
            A word, or None, whose number is 0.

        Returns
        -------
        int
            Its place in `words`.
        """
        found = self._numbers.get(word)
        if found is None:
            with self._lock:
                found = self._numbers.get(word)
                if found is None:
                    found = len(self.words)
                    self.words.append(word)
                    self._numbers[word] = found
        return found


@dataclass(frozen=True, eq=False)
class Heads:
    """What each line of a block begins.

    Attributes
    ----------
    state
        `NOT`, `JOINS`, `BEGINS`; or `UNDECIDED` of a line that begins a record which
        has to be built from its text.
    level, logger
        Their numbers in `Words`.
    message
        Where the message begins.
    micros
        The time, as `clocks.read_clocks` gives it.
    zoned
        Whether the time names its zone.
    keeps
        Whether any line that begins no record belongs to this one.
    json
        For each line its row in `rows`; -1 for a line that is no JSON.
    rows
        What JSON lines say.
    """

    state: NDArray[np.int8]
    level: Ints
    logger: Ints
    message: Ints
    micros: Ints
    zoned: Bools
    keeps: Bools
    json: Ints
    rows: JsonRows | None


class Recogniser:
    """Recognises lines, block by block, and remembers what it learned.

    Parameters
    ----------
    registry
        The formats.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.levels, self.loggers = Words(), Words()
        self._headers = Headers(registry)
        self.knows = self._headers.knows
        self._json = JsonReader(registry, self.levels, self.loggers)
        self._folded = FOLDED if is_foldable(registry) else np.arange(256, dtype="u1")
        self._table = self._folded.tobytes()

    def recognise(self, lines: Lines) -> Heads:
        """Tell what the lines of a block begin.

        Parameters
        ----------
        lines
            The block.

        Returns
        -------
        Heads
            What each begins.
        """
        heads = _nothing(len(lines))
        starts = lines.bounds[:-1]
        first = lines.view[starts]
        filled = lines.ends > starts
        heads.state[FIRST[first] & filled] = UNDECIDED
        braces = np.flatnonzero((first == BRACE) & filled)
        heads.state[braces] = UNDECIDED
        if len(braces):
            heads = self._read_json(lines, heads, braces)
        self._run_lanes(lines, heads, np.flatnonzero(_open(heads) & (first != BRACE)))
        plain = _open(heads) & LETTER[first] & (lines.ends - starts <= LONGEST)
        self._read_lines(lines, heads, np.flatnonzero(plain))
        self._look_at(lines, heads, np.flatnonzero(_open(heads)))
        return heads

    def begins(self, line: bytes) -> bool:
        """Say whether a line begins a record, whatever stands before it.

        Parameters
        ----------
        line
            A line without its end.

        Returns
        -------
        bool
            As `records.begins_record` does.
        """
        if not line or not FIRST[line[0]] or line[0] == BRACE:
            return line[:1] == b"{" and begins_record(line.decode(), self.registry)
        outcome = self._headers.of_begin(line)
        if outcome == UNDECIDED and LETTER[line[0]] and len(line) <= LONGEST:
            outcome = self._headers.of_line(line.translate(self._table), line)
        if outcome != UNDECIDED:
            return isinstance(outcome, Outcome)
        text = line.decode()
        begun = begins_record(text, self.registry)
        if begun and not LETTER[line[0]]:
            self._headers.learn(text)
        return begun

    def _read_json(self, lines: Lines, heads: Heads, at: Ints) -> Heads:
        rows = self._json.read(lines, at)
        if rows is None:
            return heads
        heads.state[rows.lines] = BEGINS
        heads.level[rows.lines] = rows.level
        heads.logger[rows.lines] = rows.logger
        heads.micros[rows.lines] = rows.micros
        heads.zoned[rows.lines] = rows.zoned
        heads.json[rows.lines] = np.arange(len(rows.lines))
        return Heads(**{**vars(heads), "rows": rows})

    def _run_lanes(self, lines: Lines, heads: Heads, at: Ints) -> None:
        for lane in self._headers.lanes:
            at = self._run_lane(lane, lines, heads, at)
        if len(at) <= SHARE * len(lines) or len(self._headers.lanes) >= MOST_LANES:
            return
        known = self._headers.lanes
        for line in at[np.linspace(0, len(at) - 1, min(SAMPLE, len(at))).astype(int)]:
            self._headers.learn(lines.text(line, line + 1)[0])
        for lane in self._headers.lanes:
            if lane not in known:
                at = self._run_lane(lane, lines, heads, at)

    def _run_lane(self, lane: Lane, lines: Lines, heads: Heads, at: Ints) -> Ints:
        """Take the lines of a lane out of those at some indexes; return the others."""
        begins = lines.bounds[at]
        like = FOLDED[lines.view[begins]] == lane.shape[0]
        # The time may not reach beyond the line.
        like &= lines.ends[at] - begins > len(lane.shape)
        micros = read_clocks(lines.view, begins[like], lane.shape, lane.lead)
        rows = at[like][micros != NAT]
        heads.micros[rows] = micros[micros != NAT]
        heads.zoned[rows] = has_zone(lane.shape[lane.lead :])
        for width in WIDTHS:
            if not len(rows):
                break
            rows = self._read_keys(lane, lines, heads, rows, width)
        left: Ints = at[heads.state[at] == UNDECIDED]
        return left

    def _read_keys(
        self, lane: Lane, lines: Lines, heads: Heads, rows: Ints, width: int
    ) -> Ints:
        """Read the headers of lines; return those whose header is longer."""
        begins = lines.bounds[rows] + len(lane.shape)
        tails = gather(lines.data, begins, np.minimum(begins + width, lines.ends[rows]))
        offsets, content = buffers_of(tails)
        cut = _find_delimiter(lane, offsets, content)
        found = cut >= 0
        keys = gather(tails.buffers()[2], offsets[:-1][found], cut[found])
        chosen = rows[found]
        coded = keys.dictionary_encode()
        codes = coded.indices.to_numpy()
        samples = chosen[np.unique(codes, return_index=True)[1]]
        outcomes = [
            self._headers.of_key(
                lane,
                bytes(lines.data[begin : begin + len(lane.shape)]),
                key.encode(),
            )
            for begin, key in zip(
                lines.bounds[samples].tolist(),
                coded.dictionary.to_pylist(),
                strict=True,
            )
        ]
        self._write(lines, heads, chosen, codes, outcomes)
        return rows[~found]

    def _read_lines(self, lines: Lines, heads: Heads, rows: Ints) -> None:
        """Recognise lines without a time, each distinct one once."""
        if not len(rows):
            return
        texts = gather(lines.data, lines.bounds[rows], lines.ends[rows])
        coded = _fold(texts, self._folded).dictionary_encode()
        codes = coded.indices.to_numpy()
        samples = rows[np.unique(codes, return_index=True)[1]]
        outcomes = [
            self._headers.of_line(folded.encode(), bytes(lines.data[begin:end]))
            for begin, end, folded in zip(
                lines.bounds[samples].tolist(),
                lines.ends[samples].tolist(),
                coded.dictionary.to_pylist(),
                strict=True,
            )
        ]
        self._write(lines, heads, rows, codes, outcomes)

    def _write(
        self,
        lines: Lines,
        heads: Heads,
        rows: Ints,
        codes: Any,
        outcomes: list[Outcome | int],
    ) -> None:
        known = [o if isinstance(o, Outcome) else None for o in outcomes]
        state = [BEGINS if isinstance(o, Outcome) else o for o in outcomes]
        heads.state[rows] = np.array(state, np.int8)[codes]
        level = [self.levels.number(o.level) if o else 0 for o in known]
        heads.level[rows] = np.array(level, np.int64)[codes]
        logger = [self.loggers.number(o.logger) if o else 0 for o in known]
        heads.logger[rows] = np.array(logger, np.int64)[codes]
        start = np.array([o.start if o else 0 for o in known], np.int64)
        heads.message[rows] = lines.bounds[rows] + start[codes]
        keeps = [o is not None and o.follows == "any" for o in known]
        heads.keeps[rows] = np.array(keeps, bool)[codes]
        for code, outcome in enumerate(known):
            if outcome is not None and outcome.unless:
                some = rows[codes == code]
                heads.state[some[_matches(lines, some, outcome.unless)]] = UNDECIDED

    def _look_at(self, lines: Lines, heads: Heads, rows: Ints) -> None:
        for row in rows.tolist():
            text = lines.text(row, row + 1)[0]
            if not begins_record(text, self.registry):
                joins = joins_record(text, self.registry)
                heads.state[row] = JOINS if joins else NOT


def _nothing(count: int) -> Heads:
    return Heads(
        state=np.zeros(count, np.int8),
        level=np.zeros(count, np.int64),
        logger=np.zeros(count, np.int64),
        message=np.zeros(count, np.int64),
        micros=np.full(count, NAT),
        zoned=np.zeros(count, bool),
        keeps=np.zeros(count, bool),
        json=np.full(count, -1, np.int64),
        rows=None,
    )


def _open(heads: Heads) -> Bools:
    left: Bools = heads.state == UNDECIDED
    return left


def _find_delimiter(lane: Lane, offsets: Ints, content: NDArray[np.uint8]) -> Ints:
    """Return where the header of each tail ends; -1 where it goes on behind it."""
    mark = lane.delimiter
    size = len(content) - len(mark) + 1
    if size <= 0:
        return np.full(len(offsets) - 1, -1)
    here = content[:size] == mark[0]
    for place, byte in enumerate(mark[1:], start=1):
        here &= content[place : place + size] == byte
    found = np.flatnonzero(here)
    index = np.searchsorted(found, offsets[:-1]) + lane.count - 1
    inside = index < len(found)
    cut = np.full(len(index), -1, np.int64)
    cut[inside] = found[index[inside]] + len(mark)
    cut[cut > offsets[1:]] = -1
    return cut


def _fold(texts: pa.LargeStringArray, table: NDArray[np.uint8]) -> pa.LargeStringArray:
    import pyarrow as pa

    _, offsets, _ = texts.buffers()
    folded = table[buffers_of(texts)[1]]
    return pa.Array.from_buffers(
        pa.large_string(), len(texts), [None, offsets, pa.py_buffer(folded)]
    )


def _matches(lines: Lines, rows: Ints, pattern: str) -> Bools:
    """Say which lines match a pattern; a line beyond ASCII may match whatever it is."""
    import pyarrow.compute as pc

    texts = gather(lines.data, lines.bounds[rows], lines.ends[rows])
    odd = pc.invert(pc.string_is_ascii(texts))
    fits: Bools = pc.or_(pc.match_substring_regex(texts, pattern), odd).to_numpy(
        zero_copy_only=False
    )
    return fits


__all__ = ["BEGINS", "JOINS", "NOT", "UNDECIDED", "Heads", "Recogniser", "Words"]
