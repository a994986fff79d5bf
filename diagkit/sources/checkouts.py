"""What recorders wrote, as frames: checkouts, samples of the pool, events."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import DiagkitWarning, SourceFormatError, SourceNotFoundError
from diagkit.frames.checkouts import CHECKOUTS, OUTCOMES, POOL_EVENTS
from diagkit.frames.pool import POOL
from diagkit.sources.recordings import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    Line = dict[str, Any]

# What a line says without being an event of the pool.
_BOOKKEEPING = frozenset({"start", "carried"})


def read_checkouts(path: str | PathLike[str]) -> pd.DataFrame:
    """Read who held a connection, and how that ended.

    Parameters
    ----------
    path
        The folder of one or several `PoolRecorder` objects.

    Returns
    -------
    pandas.DataFrame
        CHECKOUTS, in order of time, and further ``ended_at`` (also of those that were
        not returned), ``reset_s`` (how long the rollback on return took), ``address``
        (of the connection, as log lines have it), ``process``, and ``stack`` where
        stacks were recorded. The ``held_s`` of what is held is that at the last line
        of its recording: it is held at least so long. ``outcome`` is missing where
        the end fell into a gap: a full disk, a file that went with the rotation.

    Raises
    ------
    SourceNotFoundError
        If there is no such folder.
    SourceFormatError
        If no recorder wrote there, or a newer one.

    Examples
    --------
    >>> import pathlib, tempfile, sqlalchemy
    >>> from diagkit.sources.recorder import PoolRecorder
    >>> engine = sqlalchemy.create_engine("sqlite://")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with PoolRecorder(engine, folder):
    ...     connection = engine.connect()
    >>> read_checkouts(folder)["outcome"].tolist()
    ['held']
    >>> connection.close()
    >>> engine.dispose()
    """
    return frame_checkouts(_recordings(path))


def frame_checkouts(recordings: list[Read]) -> pd.DataFrame:
    """Return the checkouts of recordings, as `read_checkouts` does."""
    frame = pd.DataFrame([row for one in recordings for row in one.checkouts()])
    for name in ("checked_out_at", "checked_in_at", "ended_at"):
        frame[name] = _times(frame.get(name))
    if "outcome" in frame:
        frame["outcome"] = pd.Categorical(frame["outcome"], categories=OUTCOMES)
    frame = CHECKOUTS.conform(frame)
    for name, dtype in _FURTHER.items():
        values = frame[name] if name in frame else pd.Series(dtype=object)
        frame[name] = values.astype(pd.api.types.pandas_dtype(dtype))
    return frame.sort_values(
        ["checked_out_at", "checkout_id"], kind="stable", ignore_index=True
    )


def read_recorded_pool(path: str | PathLike[str]) -> pd.DataFrame:
    """Read the samples that recorders took of their pools: one at every event.

    Parameters
    ----------
    path
        The folder of one or several `PoolRecorder` objects.

    Returns
    -------
    pandas.DataFrame
        POOL, in order of time. Where several processes have a pool of one name, the
        name says which: ``app (4711-1)``.

    Raises
    ------
    SourceNotFoundError
        If there is no such folder.
    SourceFormatError
        If no recorder wrote there, or a newer one.

    Examples
    --------
    >>> import pathlib, tempfile, sqlalchemy
    >>> from diagkit.sources.recorder import PoolRecorder
    >>> engine = sqlalchemy.create_engine(
    ...     "sqlite://", poolclass=sqlalchemy.QueuePool, pool_size=3
    ... )
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with PoolRecorder(engine, folder):
    ...     with engine.connect():
    ...         pass
    >>> read_recorded_pool(folder)["checked_out"].max()
    np.int64(1)
    >>> engine.dispose()
    """
    return frame_samples(_recordings(path))


def frame_samples(recordings: list[Read]) -> pd.DataFrame:
    """Return the samples of recordings, as `read_recorded_pool` does."""
    frame = pd.DataFrame([row for one in recordings for row in one.samples()])
    frame["timestamp"] = _times(frame.get("timestamp"))
    frame = POOL.conform(frame)
    above = frame["checked_out"] + frame["checked_in"] - frame["size"]
    frame["overflow"] = above.clip(lower=0)
    return frame.sort_values(["timestamp", "pool"], kind="stable", ignore_index=True)


def read_pool_events(path: str | PathLike[str]) -> pd.DataFrame:
    """Read every event that recorders wrote, timeouts and failures to connect too.

    Parameters
    ----------
    path
        The folder of one or several `PoolRecorder` objects.

    Returns
    -------
    pandas.DataFrame
        POOL_EVENTS, in order of time.

    Raises
    ------
    SourceNotFoundError
        If there is no such folder.
    SourceFormatError
        If no recorder wrote there, or a newer one.

    Examples
    --------
    >>> import pathlib, tempfile, sqlalchemy
    >>> from diagkit.sources.recorder import PoolRecorder
    >>> engine = sqlalchemy.create_engine("sqlite://")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with PoolRecorder(engine, folder):
    ...     with engine.connect():
    ...         pass
    >>> read_pool_events(folder)["event"].tolist()
    ['attach', 'connect', 'checkout', 'checkin', 'stop']
    >>> engine.dispose()
    """
    rows = [row for one in _recordings(path) for row in one.events()]
    frame = pd.DataFrame(rows)
    frame["timestamp"] = _times(frame.get("timestamp"))
    return POOL_EVENTS.conform(frame).sort_values(
        "timestamp", kind="stable", ignore_index=True
    )


def is_recording(path: str | PathLike[str]) -> bool:
    """Tell the folder of a recorder from other folders and files.

    Parameters
    ----------
    path
        A path, which need not exist.

    Returns
    -------
    bool
        Whether it is a folder with a recorder's files.

    Examples
    --------
    >>> is_recording("no/such/folder")
    False
    """
    folder = Path(path)
    return folder.is_dir() and any(NAME.fullmatch(f.name) for f in folder.iterdir())


# Columns of read_checkouts beyond the contract.
_FURTHER = {
    "ended_at": "datetime64[us, UTC]",
    "reset_s": "float64",
    "address": "str",
    "process": "Int64",
    "stack": "object",
}


@dataclass
class Read:
    """One recording: the lines of its files, in order."""

    id: str
    pool: str = ""
    lines: list[Line] = field(default_factory=list)
    shared: bool = False

    @property
    def named(self) -> str:
        """The pool's name, with the recording's where others have the same."""
        return f"{self.pool} ({self.id})" if self.shared else self.pool

    def checkouts(self) -> Iterator[Line]:
        """Put the lines of one checkout together."""
        every: dict[int, Line] = {}
        held: set[int] = set()
        carried: set[int] | None = None
        due = 0
        for line in self.lines:
            event, number = line["event"], line.get("id", 0)
            if event == "start":
                carried, due = set(), line.get("carried", 0)
            elif event in ("carried", "checkout"):
                every.setdefault(number, self._row(line))
                held.add(number)
                if carried is not None:
                    carried.add(number)
            elif "outcome" in line and number in every:
                held.discard(number)
                _end(every[number], line)
            if carried is not None and len(carried) >= due:
                # What is open and was not carried over had ended, nobody knows how.
                held &= carried
                carried = None
        last = max((line["at"] for line in self.lines), default=0)
        for number in held:
            row = every[number]
            row["outcome"] = "held"
            row["held_s"] = max(0, last - row["checked_out_at"]) / 1e6
        yield from every.values()

    def samples(self) -> Iterator[Line]:
        """Return what each line says of the pool."""
        size = most = idle = None
        for line in self.lines:
            event = line["event"]
            if event == "start":
                size, most = line["size"], line["max_overflow"]
            if "in" in line:
                idle = line["in"]
            elif idle is not None and event == "checkin":
                # Told before the pool puts it into its queue, which holds `size`.
                idle = idle + 1 if not size or idle < size else idle
            if "out" in line and event != "carried":
                yield {
                    "timestamp": line["at"],
                    "pool": self.named,
                    "size": size,
                    "max_overflow": most,
                    "checked_in": idle,
                    "checked_out": line["out"],
                    "waiting": line["waiting"],
                }

    def events(self) -> Iterator[Line]:
        """Return what happened, a line an event."""
        for line in self.lines:
            if line["event"] not in _BOOKKEEPING:
                number = line.get("id")
                yield {
                    "timestamp": line["at"],
                    "pool": self.named,
                    "event": line["event"],
                    "checkout_id": None if number is None else f"{self.id}-{number}",
                    "wait_s": _seconds(line.get("wait_us")),
                    **{
                        name: line.get(name)
                        for name in ("connection", "holder", "operation", "error")
                    },
                }

    def _row(self, line: Line) -> Line:
        return {
            "checkout_id": f"{self.id}-{line['id']}",
            "pool": self.named,
            "checked_out_at": line["at"],
            "checked_in_at": None,
            "ended_at": None,
            "held_s": None,
            "outcome": None,
            "reset_s": None,
            "process": int(self.id.partition("-")[0]),
            **{
                name: line.get(name)
                for name in (
                    *("connection", "address", "holder", "operation"),
                    *("thread", "task", "stack"),
                )
            },
            "wait_s": _seconds(line.get("wait_us")),
        }


def _end(row: Line, line: Line) -> None:
    row["ended_at"] = line["at"]
    row["held_s"] = _seconds(line.get("held_us"))
    row["outcome"] = line["outcome"]
    row["reset_s"] = _seconds(line.get("reset_us"))
    if line["outcome"] != "garbage_collected":
        row["checked_in_at"] = line["at"]


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


def _times(values: Any) -> pd.Series:
    """Return microseconds since 1970 as times; floats would not hold them."""
    whole = pd.array([] if values is None else list(values), dtype="Int64")
    return pd.Series(pd.to_datetime(pd.Series(whole), unit="us", utc=True))


def _recordings(path: str | PathLike[str]) -> list[Read]:
    folder = Path(path)
    if not folder.is_dir():
        msg = f"{folder}: no such folder; give the one that a PoolRecorder writes to"
        raise SourceNotFoundError(msg)
    parts = [
        (int(found[1]), int(found[2]), int(found[3]), file)
        for file in folder.iterdir()
        if (found := NAME.fullmatch(file.name))
    ]
    if not parts:
        msg = f"{folder}: no recording of a pool (pool-<process>-<number>.<part>.jsonl)"
        raise SourceFormatError(msg)
    read: dict[str, Read] = {}
    for process, number, _, file in sorted(parts):
        one = read.setdefault(f"{process}-{number}", Read(f"{process}-{number}"))
        for line in _lines(file):
            one.pool = line.get("pool", one.pool)
            one.lines.append(line)
    found_ = list(read.values())
    for one in found_:
        one.shared = sum(other.pool == one.pool for other in found_) > 1
    return found_


def _lines(file: Path) -> Iterator[Line]:
    bad: list[int] = []
    number = 0
    with file.open("rb") as stream:
        for number, data in enumerate(stream, 1):
            line = read_line(data)
            if line is None:
                bad.append(number)
                continue
            if line.get("version", 1) > 1:
                msg = f"{file}:{number}: written by a newer diagkit; update this one"
                raise SourceFormatError(msg)
            yield line
    if bad == [number]:
        msg = f"{file}:{number}: the last line was cut off; it is left out"
        warnings.warn(msg, DiagkitWarning, stacklevel=5)
    elif bad:
        msg = f"{file}:{bad[0]}: no line of a recorder ({len(bad)} left out)"
        warnings.warn(msg, DiagkitWarning, stacklevel=5)


def read_line(data: bytes) -> Line | None:
    """Return the entry that a line of a recording holds; None where it holds none."""
    if not data.endswith(b"\n"):
        return None
    try:
        line = json.loads(data)
    except ValueError:
        return None
    usable = isinstance(line, dict) and isinstance(line.get("at"), int)
    return line if usable and isinstance(line.get("event"), str) else None
