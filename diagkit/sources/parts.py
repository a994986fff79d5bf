"""Logs in parts, for a cluster: whole files and ranges of them.

What comes is what reading each file from its beginning to its end gives. Where parts
cannot tell that, they say so, and the file is read in a way that can.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from diagkit.engine.spread import map_parts, open_cluster
from diagkit.engine.told import collect_told
from diagkit.errors import SettingError
from diagkit.sources.formats import ENVIRONMENT, load_registry
from diagkit.sources.pieces import Piece, Way, depends, join_pieces, read_range
from diagkit.sources.ranges import Part, cut_file, read_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from diagkit.sources.paths import SourceFile


@dataclass(frozen=True)
class Reading:
    """What is read, and how: all that a worker is told beside the part.

    Attributes
    ----------
    whole
        Reads a file at once: `logs.read_log_file`, with all its settings.
    tz, literals, year
        Those settings that matter for ranges too.
    """

    whole: Callable[..., pd.DataFrame]
    tz: str | None
    literals: tuple[str, ...]
    year: int | None

    @property
    def first(self) -> Way:
        """The way to try first."""
        several = any("\n" in literal for literal in self.literals)
        return Way.SEARCH if self.literals and not several else Way.RANGES

    def read(
        self, part: Part, way: Way, formats: str = ""
    ) -> pd.DataFrame | Piece | Way:
        """Read a part.

        Parameters
        ----------
        part
            The part.
        way
            How; whole files are read at once whatever it is.
        formats
            What `sign_formats` gives where the question was asked.

        Returns
        -------
        pandas.DataFrame, Piece or Way
            LOGS of a whole file, the records of a range, or the way in which the file
            has to be read instead.

        Raises
        ------
        SettingError
            If this process knows other formats.
        """
        if formats and formats != sign_formats():
            msg = (
                "engine: a worker knows other log formats than there are here; give "
                f"all of them the same {ENVIRONMENT} and the same packages"
            )
            raise SettingError(msg)
        if part.stop is None:
            return self.whole(part.file)
        data = read_own(part)
        if data is None:
            return Way.WHOLE
        found = read_range(data, self.literals, way)
        return Way.RANGES if found is None else found

    def join(self, pieces: Sequence[Piece], name: str, way: Way) -> pd.DataFrame | Way:
        """Put the pieces of a file together.

        Parameters
        ----------
        pieces
            All of them, in order.
        name
            The file.
        way
            How they were read.

        Returns
        -------
        pandas.DataFrame or Way
            LOGS, or the way in which the file has to be read instead.
        """
        columns = join_pieces(pieces)
        if way is Way.RANGES and self.literals and depends(columns, self.tz):
            return Way.WHOLE
        with collect_told() as told:
            logs = columns.frame(name, self.tz, self.year)
        if way is Way.SEARCH and logs["timestamp"].isna().any():
            return Way.RANGES
        for warning in told:
            warnings.warn(warning, stacklevel=2)
        return logs


def read_parts(
    files: Sequence[SourceFile],
    reading: Reading,
    engine: Any,
    tell: Callable[[int], object],
) -> list[pd.DataFrame]:
    """Read logs in parts, on a cluster.

    Parameters
    ----------
    files
        The files.
    reading
        What is read of them.
    engine
        As for `map_parts`; None does the same here, part by part.
    tell
        Is told how many bytes are done.

    Returns
    -------
    list of pandas.DataFrame
        What `reading.whole` gives for each file.
    """
    frames: dict[int, pd.DataFrame] = {}
    ways = dict.fromkeys(range(len(files)), reading.first)
    with nullcontext() if engine is None else open_cluster(engine) as cluster:
        for way in Way:
            chosen = {n: files[n] for n in ways if ways[n] is way}
            for number, found in _read_in(way, chosen, reading, cluster, tell):
                if isinstance(found, Way):
                    ways[number] = found
                else:
                    frames[number] = found
    return [frames[number] for number in range(len(files))]


def _read_in(
    way: Way,
    files: dict[int, SourceFile],
    reading: Reading,
    cluster: Any,
    tell: Callable[[int], object],
) -> Iterator[tuple[int, pd.DataFrame | Way]]:
    """Read files in one way: give each, or the way that it needs, in their order."""
    refused: set[int] = set()
    asked: deque[tuple[int, Part]] = deque()

    def parts() -> Iterator[Part]:
        for number, file in files.items():
            for part in cut_file(file, whole=way is Way.WHOLE):
                # While some of its parts are under way, others may say it.
                if number in refused:
                    break
                asked.append((number, part))
                yield part

    work = partial(reading.read, way=way, formats=sign_formats() if cluster else "")
    pieces: list[Piece] = []
    done = 0
    for found in map_parts(work, parts(), cluster):
        number, part = asked.popleft()
        if number in refused:
            continue
        tell(part.count)
        done += part.count
        if isinstance(found, Piece):
            pieces.append(found)
            if not part.last:
                continue
            found = reading.join(pieces, part.file.name, way)
        if isinstance(found, Way):
            refused.add(number)
            tell(-done)
        pieces, done = [], 0
        yield number, found


def sign_formats() -> str:
    """Return a short text that is another one where other formats are known.

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> sign_formats() == sign_formats()
    True
    """
    registry = load_registry()
    known = [
        (f.name, f.pattern.pattern, f.follows, f.logger, f.level, sorted(f.joins))
        for f in registry.formats
    ]
    text = repr((known, registry.json_formats, registry.levels))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
