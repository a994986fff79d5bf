"""What the line-by-line engine says of a header, remembered.

Headers repeat: of all that stands before a message, most of the time only the time
changes. So a header is given to the formats once, and recognised by its bytes from
then on. What is remembered here holds for every line with that header, whatever its
message is; where that is not certain, each line is looked at.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from diagkit.sources.clocks import FOLD, is_clock
from diagkit.sources.formats import ANSI, LineFormat, Registry
from diagkit.sources.overlaps import find_earlier

if TYPE_CHECKING:
    from collections.abc import Callable

# Begins no record; goes on with one (`LineFormat.joins`); has to be looked at.
NOT, JOINS, UNDECIDED = 0, 1, 2
DELIMITER = re.compile(r"([^{}]*)\{message\}")
# A pattern names a digit where one is left when these are taken out.
CLASSES = re.compile(r"\\[dx]\w{0,2}|0-9|\{[^{}]*\}")
ZONE = r"Z|UTC|GMT|[+-]\d"
DIGIT = re.compile(r"\d")
# With what the lines begin that are remembered without their digits.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/"
# Further lines are looked at again: what is kept in memory is bounded.
MOST_LINES = 100_000
# How often a lane is looked for in lines that begin alike, and in how many such.
SHAPE_CHARS, MOST_TRIES, MOST_SHAPES = 32, 4, 10_000


@dataclass(frozen=True)
class Outcome:
    """What a header says.

    Attributes
    ----------
    level, logger
        As `records.Record` has them.
    start
        Where the message starts, counted from the line's first byte.
    follows
        Which lines belong to such a record.
    unless
        A pattern for a linear-time engine: a line that it matches is looked at.
    """

    level: str | None
    logger: str | None
    start: int
    follows: str
    unless: str = ""


@dataclass(frozen=True)
class Lane:
    """Lines that begin with a time of one shape, and whose header ends alike.

    Attributes
    ----------
    shape
        The line's first bytes up to the end of its time, its digits folded to 0.
    lead
        How many of them stand before the time.
    delimiter
        What the header ends with.
    count
        How many delimiters stand between the time and the message.
    """

    shape: bytes
    lead: int
    delimiter: bytes
    count: int


class Headers:
    """The headers of one log that were seen.

    Parameters
    ----------
    registry
        The formats.

    Attributes
    ----------
    lanes
        The lanes that lines of this log were found in; longer times first.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.lanes: tuple[Lane, ...] = ()
        self._sure: defaultdict[Lane, set[bytes]] = defaultdict(set)
        self._keys: dict[Lane, dict[bytes, Outcome | int]] = {}
        # Lanes with their keys, for those who look at one line.
        self._known: list[tuple[Lane, int, dict[bytes, Outcome | int]]] = []
        self._lines: dict[bytes, Outcome | int] = {}
        self._tried: Counter[bytes] = Counter()
        # What finds the time and the key of a line in each lane, and the keys that are
        # certain.
        self._begins: list[tuple[Callable[..., Any], set[bytes]]] = []

    def learn(self, line: str) -> bool:
        """Look for the lane of a line.

        Parameters
        ----------
        line
            A line without its end.

        Returns
        -------
        bool
            Whether there is one that was not known.
        """
        # A few lines of one shape are enough to tell.
        begin = line[:SHAPE_CHARS].encode().translate(FOLD)
        if self._tried[begin] >= MOST_TRIES:
            return False
        if len(self._tried) < MOST_SHAPES:
            self._tried[begin] += 1
        lane = _find_lane(line, self.registry)
        if lane is None or lane in self.lanes:
            return False
        lanes = sorted((*self.lanes, lane), key=lambda known: -len(known.shape))
        self.lanes = tuple(lanes)
        self._known = [
            (lane, len(lane.shape), self._keys.setdefault(lane, {})) for lane in lanes
        ]
        self._begins = [(_find_key(lane), self._sure[lane]) for lane in lanes]
        return True

    def knows(self, data: bytes | bytearray, start: int) -> bool:
        """Say whether it is certain at a glance that a line begins a record.

        Parameters
        ----------
        data
            A log.
        start
            Where the line starts.

        Returns
        -------
        bool
            False where one has to look closer.
        """
        for match, sure in self._begins:
            found = match(data, start)
            if found is not None:
                return found[1] in sure
        return False

    def of_key(self, lane: Lane, time: bytes, key: bytes) -> Outcome | int:
        """Say what lines of a lane begin that go on with a key behind their time.

        Parameters
        ----------
        lane
            The lane.
        time
            The first bytes of one such line, up to the end of its time.
        key
            What stands between time and message, with the delimiter.

        Returns
        -------
        Outcome or int
            `UNDECIDED` where the lines have to be looked at.
        """
        keys = self._keys.setdefault(lane, {})
        found = keys.get(key)
        if found is None:
            found = keys[key] = self._read_key(lane, time, key)
        return found

    def of_begin(self, line: bytes) -> Outcome | int:
        """Say what a line begins that is in a known lane.

        Parameters
        ----------
        line
            The line.

        Returns
        -------
        Outcome or int
            `UNDECIDED` where that does not follow from what was seen.
        """
        for lane, size, keys in self._known:
            if line[:size].translate(FOLD) != lane.shape:
                continue
            end = size - 1
            for _ in range(lane.count):
                end = line.find(lane.delimiter, end + 1)
                if end < 0:
                    break
            else:
                key = line[size : end + len(lane.delimiter)]
                outcome = keys.get(key) or self.of_key(lane, line[:size], key)
                if isinstance(outcome, Outcome) and not outcome.unless:
                    self._sure[lane].add(key)
                    return outcome
        return UNDECIDED

    def of_line(self, folded: bytes, line: bytes) -> Outcome | int:
        """Say what a line without a time begins.

        Parameters
        ----------
        folded
            The line, its digits folded to 0.
        line
            The line.

        Returns
        -------
        Outcome or int
            The same for all lines that are alike when folded.
        """
        found = self._lines.get(folded)
        if found is None:
            found = self._read_line(line.decode())
            if len(self._lines) > MOST_LINES:
                self._lines.clear()
            self._lines[folded] = found
        return found

    def _read_key(self, lane: Lane, time: bytes, key: bytes) -> Outcome | int:
        header = (time + key).decode()
        found = self.registry.recognise(header + "x")
        if found is None:
            return UNDECIDED
        how, match = found
        size = len(time.decode())
        if (
            match["message"] != "x"
            or match.start("message") != len(header)
            or match.span("timestamp") != (lane.lead, size)
            or not _ends_plainly(how)
            or how.style is not None
        ):
            return UNDECIDED
        level = match.groupdict().get("level") or how.level
        if level in how.joins or "priority" in match.groupdict():
            return UNDECIDED
        unless = find_earlier(self.registry, how, header)
        if unless is None:
            return UNDECIDED
        if not key.strip():
            # The message may begin with what is a zone behind a time.
            zone = f"^.{{{len(header)}}}(?:{ZONE})"
            unless = f"{unless}|{zone}" if unless else zone
        return Outcome(
            level=self.registry.level_name(level),
            logger=match.groupdict().get("logger") or how.logger,
            start=len(time + key),
            follows=how.follows,
            unless=unless,
        )

    def _read_line(self, line: str) -> Outcome | int:
        found = self.registry.recognise(line)
        if found is None and "\x1b" in line:
            return UNDECIDED if self.registry.recognise(ANSI.sub("", line)) else NOT
        if found is None:
            return NOT
        how, match = found
        groups = match.groupdict()
        level = groups.get("level") or how.level
        if level in how.joins:
            return JOINS
        logger = groups.get("logger") or how.logger
        told = f"{level or ''}{logger or ''}"
        if groups.get("timestamp") or groups.get("priority") or DIGIT.search(told):
            return UNDECIDED
        if groups.get("message") is None or match.end("message") != len(line):
            return UNDECIDED
        return Outcome(
            level=self.registry.level_name(level),
            logger=logger,
            start=len(line[: match.start("message")].encode()),
            follows=how.follows,
        )


def is_foldable(registry: Registry) -> bool:
    """Say whether all formats treat all digits alike.

    Parameters
    ----------
    registry
        The formats. One that names a digit counts only where it begins with one of the
        characters with which lines of `of_line` begin.

    Returns
    -------
    bool
        Whether lines that differ in digits alone begin the same.
    """
    return all(_folds(how.written, how.starts) for how in registry.formats)


@lru_cache(maxsize=1024)
def _folds(written: str, starts: str) -> bool:
    begins = any(re.match(f"[{starts}]", letter) for letter in LETTERS if starts)
    named = DIGIT.search(CLASSES.sub("", written))
    return named is None or (starts != "" and not begins)


def _find_key(lane: Lane) -> Callable[..., Any]:
    """Return what matches the header of a line; its group is the key."""
    time = re.escape(lane.shape).replace(b"0", b"[0-9]")
    mark = re.escape(lane.delimiter)
    key = rb"((?:[^\n]*?%s){%d})" % (mark, lane.count)
    return re.compile(time + key).match


def _find_lane(line: str, registry: Registry) -> Lane | None:
    found = registry.recognise(line)
    if found is None or "timestamp" not in found[1].groupdict():
        return None
    how, match = found
    delimiter = DELIMITER.search(how.written)
    if not match["timestamp"] or delimiter is None or not _ends_plainly(how):
        return None
    begin, end = match.span("timestamp")
    shape = line[:end].encode().translate(FOLD)
    lead = len(line[:begin].encode())
    header = line[end : match.start("message")]
    if not is_clock(shape[lead:]) or not header.endswith(delimiter[1]):
        return None
    mark = delimiter[1]
    count = sum(header.startswith(mark, at) for at in range(len(header)))
    return Lane(shape, lead, mark.encode(), count)


def _ends_plainly(how: LineFormat) -> bool:
    """Say whether the end of a header is certain whatever message comes behind it.

    The fields of a layout take what they can and keep it, and none takes the blank with
    which the delimiter ends.
    """
    delimiter = DELIMITER.search(how.written)
    plain = bool(delimiter and delimiter[1].endswith(" "))
    return plain and "(?" not in how.written and "\\" not in how.written
