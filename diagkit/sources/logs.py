"""Logs of any shape to LOGS."""

from __future__ import annotations

import warnings
from collections import deque
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diagkit.engine.arrowmemory import plain_memory
from diagkit.engine.told import collect_told
from diagkit.errors import DiagkitWarning, SourceFormatError
from diagkit.frames.logs import LEVELS, LOGS
from diagkit.sources.decoding import cut_lines
from diagkit.sources.envelopes import HEAD_LINES, find_envelope
from diagkit.sources.files import iterate_pieces, refuse_empty
from diagkit.sources.identify import identify_file
from diagkit.sources.literals import find_literals
from diagkit.sources.logframes import read_columns, search_columns
from diagkit.sources.parts import Reading, read_parts
from diagkit.sources.paths import SourceFile, find_files
from diagkit.sources.refilling import UnfitError, open_plain
from diagkit.sources.remote import RemoteFile
from diagkit.sources.times import find_zone, parse_times
from diagkit.sources.unwrapping import take_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from diagkit.signatures.catalogue import Signature
    from diagkit.sources.packers import Limits
    from diagkit.sources.paths import Paths
    from diagkit.sources.records import Record

FIELDS = ("level", "logger", "message", "exception", "traceback", "line", "lines")
FIELDS_OF = attrgetter(*FIELDS)
# One file that is smaller is read before a bar would be seen.
BAR_BYTES = 50 * 1000**2
# Records of several services come out of the order of their lines, by a few.
DISORDER = 16


def read_logs(
    paths: Paths,
    tz: str | None = None,
    matching: str | Signature | Iterable[str | Signature] | None = None,
    engine: Any = None,
    progress: bool = True,
    *,
    limits: Limits | None = None,
    year: int | None = None,
) -> pd.DataFrame:
    r"""Read logs, every record of every file.

    Formats are recognised line by line, so that output of several loggers in one file
    comes apart: Python text formats, JSON lines, uvicorn, bare warnings. Lines that
    begin no record belong to the one before them (tracebacks, messages of several
    lines); what no format explains is still a row.

    What a launcher puts before each line (docker, compose, Kubernetes, journald ...) is
    taken off first, so that a log reads the same bare and wrapped; the records of each
    service are put together by themselves. A record without a time of its own gets that
    of the wrapping, if it has one. Else it has none, and ``after`` and ``before`` say
    between which times of its file it was written.

    Parameters
    ----------
    paths
        A file, a folder, a glob, a URL (``s3://`` ..., with fsspec), or a list of
        these. Packed files (gz, bz2, xz, zstd) are unpacked; UTF-8 and UTF-16 are read,
        and bytes that are neither are kept, spelled out (``\xff``), with a warning.
        What is appended to a file while it is read is left for the next time. In a
        folder, files that are no logs are left out, with a warning that names them.
    tz
        Zone of times that are written without one, for example ``"Europe/Berlin"``.
        None: they are taken as UTC, with a warning.
    matching
        Ids of the catalogue, `Signature` objects, or plain literals: only records that
        hold one of them are kept.
    engine
        None, a `distributed.Client`, or the address of a Dask scheduler: files, and
        ranges of large ones, are read by its workers, and the answer is the same.
    progress
        Show a progress bar where there are several files, or much to read.
    limits
        How far a packed file may grow; None for the usual `Limits`.
    year
        Year of the first time that names none (syslog, logcat); without it such times
        are missing, with a warning.

    Returns
    -------
    pandas.DataFrame
        LOGS, in the order of the files (rotated ones in the order of their writing) and
        their lines.

    Raises
    ------
    SourceNotFoundError, SourceAccessError, SourceFormatError
        Naming the file and what is wrong with it.
    SettingError
        If `tz` or a catalogue id is unknown.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "api.log").write_text("2025-11-24 18:17:11 - root - INFO - up")
    >>> read_logs(folder / "api.log", tz="UTC")[["level", "message"]].values.tolist()
    [['INFO', 'up']]
    """
    if tz is not None:
        find_zone(tz)
    literals = find_literals(matching)
    files = _only_logs(find_files(paths), paths)
    whole = partial(read_log_file, tz=tz, literals=literals, limits=limits, year=year)
    reading = Reading(whole, tz, literals, year)
    frames = _read_all(files, reading, engine, show=progress)
    if not literals:
        _tell_unknown(frames)
    return join_logs(frames)


def read_log_file(
    file: SourceFile,
    tz: str | None,
    literals: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    tell: Callable[[int], object] | None = None,
    year: int | None = None,
) -> pd.DataFrame:
    """Read one log.

    Parameters
    ----------
    file
        The file.
    tz
        Zone of times without one.
    literals
        Where there are any, only records that hold one of them come.
    limits
        How far it may grow, if it is packed; None for the usual ones.
    tell
        Is told how many bytes were read from the disk, as they are.
    year
        Year of the first of the times that name none.

    Returns
    -------
    pandas.DataFrame
        LOGS.
    """
    with plain_memory():
        return _read(file, tz, literals, limits, tell, year)


def _read(
    file: SourceFile,
    tz: str | None,
    literals: Sequence[str],
    limits: Limits | None,
    tell: Callable[[int], object] | None,
    year: int | None,
) -> pd.DataFrame:
    if literals:
        found = _search(file, tz, literals, limits, tell, year)
        if found is not None:
            return found
    with suppress(UnfitError), open_plain(file.path, tell) as plain:
        if plain is not None:
            return read_columns(plain, literals).frame(file.name, tz, year)
    # Closed whatever happens: an interrupt leaves no file open.
    with closing(iterate_pieces(file.path, limits, tell)) as pieces:
        head, enveloped = _look_ahead(pieces)
        everything = chain(head, pieces)
        if not enveloped:
            return read_columns(everything, literals).frame(file.name, tz, year)
        texts = (piece.decode() for piece in everything)
        _, records = take_off(chain.from_iterable(cut_lines(texts)))
        batch = _Batch(literals)
        for service, record in records:
            batch.add(record, service)
    return batch.frame(file.name, tz, year)


def _search(
    file: SourceFile,
    tz: str | None,
    literals: Sequence[str],
    limits: Limits | None,
    tell: Callable[[int], object] | None,
    year: int | None,
) -> pd.DataFrame | None:
    """Look for literals without building every record, where that gives the same.

    It does without an envelope, if every record that is found has a time: one without
    it needs its neighbours', which only the whole file tells.
    """
    # What is no file can be opened once: nothing would be left for the slow way.
    if any("\n" in literal for literal in literals) or not file.path.is_file():
        return None
    # Where it is given up, the slow way warns of what it finds.
    with collect_told() as told:
        columns, plain = None, False
        with suppress(UnfitError), open_plain(file.path, tell) as log:
            if log is not None:
                columns = search_columns(log, literals)
                plain = True
        if not plain:
            with closing(iterate_pieces(file.path, limits, tell)) as pieces:
                head, enveloped = _look_ahead(pieces)
                if not enveloped:
                    columns = search_columns(chain(head, pieces), literals)
        if columns is None:
            return None
        logs = columns.frame(file.name, tz, year)
    if logs["timestamp"].isna().any():
        return None
    for warning in told:
        warnings.warn(warning, stacklevel=2)
    return logs


def _look_ahead(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Return the first pieces of a log, and whether it is in an envelope."""
    head: list[bytes] = []
    count = 0
    for piece in pieces:
        head.append(piece)
        count += piece.count(b"\n")
        if count >= HEAD_LINES:
            break
    lines = b"".join(head).decode().removesuffix("\n").split("\n", HEAD_LINES)
    first = [line.removesuffix("\r") for line in lines[:HEAD_LINES]]
    return head, find_envelope(first) is not None


def join_logs(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put LOGS frames together; levels become categories in order of severity.

    Parameters
    ----------
    frames
        LOGS, whose levels may still be text.

    Returns
    -------
    pandas.DataFrame
        LOGS.

    Examples
    --------
    >>> len(join_logs([]))
    0
    """
    whole = [frame for frame in frames if len(frame)]
    if not whole:
        return LOGS.empty()
    used: set[str] = set()
    for frame in whole:
        used |= set(frame["level"].dropna().unique())
    dtype = pd.CategoricalDtype([*LEVELS, *sorted(used - set(LEVELS))])
    parts = [frame.assign(level=frame["level"].astype(dtype)) for frame in whole]
    logs = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
    return LOGS.conform(logs)


class _Batch:
    """Records of one file, as columns.

    Of records that hold no literal the times are kept where they are needed: next to
    records without one.
    """

    def __init__(self, literals: Sequence[str]) -> None:
        self._literals = literals
        self._times: list[object] = []
        self._lines: list[int] = []
        self._kept: list[bool] = []
        self._rows: list[tuple[object, ...]] = []
        self._recent: deque[Record] = deque(maxlen=DISORDER)
        self._wanted = 0

    def add(self, record: Record, service: str | None = None) -> None:
        if self._literals and not record.holds(self._literals):
            self._pass(record)
            return
        if record.timestamp is None:
            for neighbour in self._recent:
                self._note(neighbour, kept=False)
            self._recent.clear()
            self._wanted = DISORDER
        self._note(record, kept=True)
        self._rows.append((*FIELDS_OF(record), service))

    def frame(self, name: str, tz: str | None, year: int | None) -> pd.DataFrame:
        kept = pd.Series(self._kept, dtype=bool)
        times = parse_times(self._times, tz, name, year)
        rows = pd.DataFrame(self._rows, columns=[*FIELDS, "service"])
        order = np.argsort(self._lines, kind="stable")
        kept, times = kept.iloc[order], times.iloc[order]
        rows = rows.sort_values("line", kind="stable")
        columns: dict[str, Any] = {str(key): rows[key].array for key in rows}
        columns["timestamp"] = times[kept].array
        columns["after"] = times.ffill()[kept].array
        columns["before"] = times.bfill()[kept].array
        columns["source"] = [name] * len(rows)
        return LOGS.build(columns)

    def _pass(self, record: Record) -> None:
        if record.timestamp is None:
            return
        if self._wanted:
            self._wanted -= 1
            self._note(record, kept=False)
        else:
            self._recent.append(record)

    def _note(self, record: Record, *, kept: bool) -> None:
        self._times.append(record.timestamp)
        self._lines.append(record.line)
        self._kept.append(kept)


def _tell_unknown(frames: list[pd.DataFrame]) -> None:
    for frame in frames:
        # Every format gives a record a time, a level or a logger.
        fields = ["timestamp", "level", "logger", "traceback"]
        known = frame[fields].notna().any(axis=None)
        if len(frame) and not known:
            warnings.warn(
                f"{frame['source'].iloc[0]}: no line is in a format that is known; "
                f"its {len(frame)} lines are kept as they are",
                DiagkitWarning,
                stacklevel=3,
            )


def _only_logs(files: list[SourceFile], asked: Paths) -> list[SourceFile]:
    if len(files) == 1:
        refuse_empty(files[0].path)
        return files
    kinds = {file: identify_file(file.path) for file in files}
    logs = [file for file in files if kinds[file].kind == "logs"]
    left = [file for file in files if kinds[file].kind != "logs"]
    if not logs:
        where = _say(asked)
        msg = f"{where}: holds no log that can be read (" + _list(left, kinds) + ")"
        raise SourceFormatError(msg)
    if left:
        warnings.warn(
            f"left out, for they are no logs: {_list(left, kinds)}",
            DiagkitWarning,
            stacklevel=3,
        )
    return logs


def _say(asked: Paths) -> str:
    # A URL may carry a password.
    url = isinstance(asked, str) and "://" in asked
    return str(RemoteFile(str(asked))) if url else str(asked)


def _list(files: list[SourceFile], kinds: dict[SourceFile, Any]) -> str:
    shown = [
        f"{file.name}: {kinds[file].note or kinds[file].kind}" for file in files[:5]
    ]
    more = f", and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(shown) + more


def _read_all(
    files: list[SourceFile], reading: Reading, engine: Any, *, show: bool
) -> list[pd.DataFrame]:
    """Read the files, with a bar of bytes: here one by one, in parts on a cluster."""
    from tqdm.auto import tqdm

    size = sum(file.path.stat().st_size for file in files) if show else 0
    with tqdm(
        total=size,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc="read_logs",
        leave=False,
        disable=not show or (len(files) < 2 and size < BAR_BYTES),
    ) as bar:
        if engine is not None:
            return read_parts(files, reading, engine, bar.update)
        return [reading.whole(file, tell=bar.update) for file in files]
