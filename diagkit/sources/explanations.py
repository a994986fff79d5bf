"""How a log was read: which format took how many of its lines, and what none took."""

from __future__ import annotations

import warnings
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from diagkit.errors import DiagkitWarning
from diagkit.redaction.text import redact_text
from diagkit.sources.files import iterate_lines
from diagkit.sources.times import parse_times
from diagkit.sources.unwrapping import take_off

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from diagkit.sources.paths import SourceFile
    from diagkit.sources.records import Record

SHOWN_CHARACTERS = 200
UNKNOWN_EXAMPLES = 5
# Far more than is shown, so that a secret is not cut before it is known as one.
KEPT_CHARACTERS = 2_000
# Lines that are remembered until the record comes that they begin.
REMEMBERED = 10_000
BATCH = 50_000
FORMAT_COLUMNS = ("source", "format", "records", "lines", "without_time", "example")
UNKNOWN_COLUMNS = ("source", "line", "lines", "text")


@dataclass(frozen=True)
class Explanation:
    """How logs were read.

    Attributes
    ----------
    formats
        A row a file and format: `FORMAT_COLUMNS`; the format that took the most lines
        first. ``example`` is the first line of its first record, redacted.
    unknown
        A row a record that no format explains, the first few of every file:
        `UNKNOWN_COLUMNS`.
    envelopes
        What was taken off the lines before, by file.
    """

    formats: pd.DataFrame
    unknown: pd.DataFrame
    envelopes: dict[str, str]


def explain_logs(files: Iterable[SourceFile]) -> Explanation:
    r"""Say which format took how many lines of some logs.

    Parameters
    ----------
    files
        The logs.

    Returns
    -------
    Explanation
        Over one file its ``lines`` add up to the file's.

    Raises
    ------
    SourceError
        If a file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from diagkit.sources.paths import find_files
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "api.log"
    >>> _ = path.write_text("2025-11-24 18:17:11 - root - INFO - up\nand running\n")
    >>> explain_logs(find_files(path)).formats[["format", "lines"]].values.tolist()
    [['python.dashes', 2]]
    """
    rows: list[dict[str, object]] = []
    unknown: list[dict[str, object]] = []
    envelopes: dict[str, str] = {}
    for file in files:
        counts = _Counts()
        envelope = _count(file, counts)
        if envelope:
            envelopes[file.name] = envelope
        rows += [{"source": file.name, **row} for row in counts.rows()]
        unknown += [{"source": file.name, **row} for row in counts.unknown]
    return Explanation(
        pd.DataFrame(rows, columns=list(FORMAT_COLUMNS)),
        pd.DataFrame(unknown, columns=list(UNKNOWN_COLUMNS)),
        envelopes,
    )


@dataclass
class _Format:
    """What one format took."""

    example: str
    records: int = 0
    lines: int = 0
    without_time: int = 0
    times: list[object] = field(default_factory=list)

    def add(self, record: Record) -> None:
        self.records += 1
        self.lines += record.lines
        if record.timestamp is None:
            self.without_time += 1
            return
        self.times.append(record.timestamp)
        if len(self.times) >= BATCH:
            self.settle()

    def settle(self) -> None:
        """Count the times that are written and say no instant."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagkitWarning)
            parsed = parse_times(self.times, "UTC", "")
        self.without_time += int(parsed.isna().sum())
        self.times.clear()


class _Counts:
    """What the formats took of one file."""

    def __init__(self) -> None:
        self._formats: dict[str, _Format] = {}
        self._recent: deque[tuple[int, str]] = deque(maxlen=REMEMBERED)
        self.unknown: list[dict[str, object]] = []

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass lines on, and remember how they begin."""
        for number, line in enumerate(lines, start=1):
            self._recent.append((number, line[:KEPT_CHARACTERS]))
            yield line

    def add(self, record: Record) -> None:
        if record.format not in self._formats:
            self._formats[record.format] = _Format(self._line(record))
        self._formats[record.format].add(record)
        if record.format == "unknown" and len(self.unknown) < UNKNOWN_EXAMPLES:
            text = self._line(record)
            row = {"line": record.line, "lines": record.lines, "text": text}
            self.unknown.append(row)

    def rows(self) -> Iterator[dict[str, object]]:
        """Give a row a format, the one with the most lines first."""
        order = sorted(self._formats.items(), key=lambda item: -item[1].lines)
        for name, taken in order:
            taken.settle()
            yield {
                "format": name,
                "records": taken.records,
                "lines": taken.lines,
                "without_time": taken.without_time,
                "example": taken.example,
            }

    def _line(self, record: Record) -> str:
        first = self._recent[0][0] if self._recent else 0
        place = record.line - first
        if 0 <= place < len(self._recent):
            text = self._recent[place][1]
        else:
            text = record.message[:KEPT_CHARACTERS]
        return redact_text(text).text[:SHOWN_CHARACTERS]


def _count(file: SourceFile, counts: _Counts) -> str:
    """Read one file; say which envelope its lines came in."""
    with closing(iterate_lines(file.path)) as lines:
        watched = counts.watch(lines)
        envelope, records = take_off(watched)
        for _, record in records:
            counts.add(record)
        return "" if envelope is None else envelope.name
