"""Logs of any shape to LOGS."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.engine.spread import map_parts
from diagkit.errors import DiagkitWarning, SettingError, SourceFormatError
from diagkit.frames.logs import LEVELS, LOGS
from diagkit.signatures.catalogue import Signature, find_signature, load_signatures
from diagkit.sources.files import iterate_lines, refuse_empty
from diagkit.sources.identify import identify_file
from diagkit.sources.paths import SourceFile, find_files
from diagkit.sources.records import Record, iterate_records
from diagkit.sources.times import find_zone, parse_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from diagkit.sources.paths import Paths

FIELDS = ("level", "logger", "message", "exception", "traceback", "line", "lines")


def read_logs(
    paths: Paths,
    tz: str | None = None,
    matching: str | Signature | Iterable[str | Signature] | None = None,
    engine: Any = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Read logs, every record of every file.

    Formats are recognised line by line, so that output of several loggers in one file
    comes apart: Python text formats, JSON lines, uvicorn, bare warnings. Lines that
    begin no record belong to the one before them (tracebacks, messages of several
    lines); what no format explains is still a row.

    Parameters
    ----------
    paths
        A file, a folder, a glob, or a list of these. Packed files (gz, bz2, xz) are
        unpacked. In a folder, files that are no logs are left out, with a warning that
        names them.
    tz
        Zone of times that are written without one, for example ``"Europe/Berlin"``.
        None: they are taken as UTC, with a warning.
    matching
        Ids of the catalogue, `Signature` objects, or plain literals: only records that
        hold one of them are kept.
    engine
        None, a `distributed.Client`, or the address of a Dask scheduler.
    progress
        Show a progress bar where there are several files.

    Returns
    -------
    pandas.DataFrame
        LOGS, in the order of the files and their lines.

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
    work = partial(read_log_file, tz=tz, literals=literals)
    parts = map_parts(work, files, engine)
    frames = list(_with_bar(parts, len(files), show=progress))
    if not literals:
        _tell_unknown(frames)
    return join_logs(frames)


def read_log_file(
    file: SourceFile, tz: str | None, literals: Sequence[str] = ()
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

    Returns
    -------
    pandas.DataFrame
        LOGS.
    """
    batch = _Batch()
    for record in iterate_records(iterate_lines(file.path), literals):
        batch.add(record)
    return batch.frame(file.name, tz)


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
    logs = pd.concat(whole, ignore_index=True) if whole else LOGS.empty()
    others = sorted(set(logs["level"].dropna().astype("str")) - set(LEVELS))
    logs["level"] = (
        logs["level"].astype("str").astype(pd.CategoricalDtype([*LEVELS, *others]))
    )
    return LOGS.conform(logs)


def find_literals(
    matching: str | Signature | Iterable[str | Signature] | None,
) -> tuple[str, ...]:
    """Return the literals that records must hold.

    Parameters
    ----------
    matching
        Ids of the catalogue, signatures, plain literals, or None.

    Returns
    -------
    tuple of str
        Without repetition; of a signature its first literal. Empty for None.

    Raises
    ------
    SettingError
        If a literal is empty, or looks like an id and the catalogue has none such.

    Examples
    --------
    >>> find_literals("sqlalchemy.queuepool_timeout")
    ('QueuePool limit of size ',)
    """
    if matching is None:
        return ()
    wanted = [matching] if isinstance(matching, str | Signature) else list(matching)
    libraries = {s.id.split(".")[0] for s in load_signatures()}
    out: dict[str, None] = {}
    for item in wanted:
        if isinstance(item, Signature):
            out[item.text[0]] = None
        elif not item:
            msg = "matching: an empty literal matches every record; leave it out"
            raise SettingError(msg)
        elif " " not in item and item.split(".")[0] in libraries and "." in item:
            out[find_signature(item).text[0]] = None
        else:
            out[item] = None
    return tuple(out)


class _Batch:
    """Records of one file, as columns."""

    def __init__(self) -> None:
        self._times: list[object] = []
        self._columns: dict[str, list[object]] = {name: [] for name in FIELDS}

    def add(self, record: Record) -> None:
        self._times.append(record.timestamp)
        for name in FIELDS:
            self._columns[name].append(getattr(record, name))

    def frame(self, name: str, tz: str | None) -> pd.DataFrame:
        columns: dict[str, Any] = dict(self._columns)
        columns["timestamp"] = parse_times(self._times, tz, name)
        columns["source"] = [name] * len(self._times)
        return LOGS.build(columns)


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
        msg = f"{asked}: holds no log that can be read (" + _list(left, kinds) + ")"
        raise SourceFormatError(msg)
    if left:
        warnings.warn(
            f"left out, for they are no logs: {_list(left, kinds)}",
            DiagkitWarning,
            stacklevel=3,
        )
    return logs


def _list(files: list[SourceFile], kinds: dict[SourceFile, Any]) -> str:
    shown = [
        f"{file.name}: {kinds[file].note or kinds[file].kind}" for file in files[:5]
    ]
    more = f", and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(shown) + more


def _with_bar(
    parts: Iterator[pd.DataFrame], total: int, *, show: bool
) -> Iterator[pd.DataFrame]:
    if not show or total < 2:
        yield from parts
        return
    from tqdm.auto import tqdm

    yield from tqdm(parts, total=total, unit="file", desc="read_logs", leave=False)
