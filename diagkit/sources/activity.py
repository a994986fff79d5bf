"""What PostgreSQL's sessions do, looked at again and again, to ACTIVITY."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from diagkit.errors import DiagkitWarning, SettingError, SourceError
from diagkit.frames.pool import ACTIVITY
from diagkit.sources.databases import open_looks
from diagkit.sources.samplefiles import SampleFile, find_unfinished
from diagkit.sources.sampletables import ACTIVITY_NAMES, read_samples
from diagkit.sources.urls import describe_url, parse_url, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    import sqlalchemy as sa

    from diagkit.sources.paths import Paths

__all__ = ["Recorded", "read_activity", "record_activity", "sample_activity"]

# pg_blocking_pids() takes the locks of the lock table: it is asked of those alone that
# wait for a lock. Times are the server's own, as those of the view are.
QUERY = """
SELECT statement_timestamp() AS timestamp, pid, application_name, state,
  wait_event_type, wait_event, backend_start, xact_start, query_start, state_change,
  query, datname, usename, host(client_addr) AS client_addr, backend_type,
  CASE WHEN wait_event_type = 'Lock' THEN nullif(array_to_string(ARRAY(
    SELECT DISTINCT blocker FROM unnest(pg_blocking_pids(pid)) AS blocker ORDER BY 1
  ), ' '), '') END AS blocked_by
FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY pid
"""
# What the view shows of a session that one may not look into.
HIDDEN = "<insufficient privilege>"
# A sample that comes later than this part of the time between two is told.
LATE = 0.5


@dataclass(frozen=True)
class Recorded:
    """What was recorded.

    Attributes
    ----------
    samples
        How often the server was looked at.
    rows
        How many rows that gave.
    redacted
        How many values and secrets in statements were replaced.
    """

    samples: int
    rows: int
    redacted: int


def read_activity(paths: Paths, tz: str | None = "UTC") -> pd.DataFrame:
    r"""Read snapshots of PostgreSQL's view ``pg_stat_activity``.

    Parameters
    ----------
    paths
        CSV files (plain or packed) or parquet files with a row a backend and snapshot;
        the columns are the view's own, and ``timestamp`` or ``sampled_at``.
    tz
        Zone of times without one.

    Returns
    -------
    pandas.DataFrame
        ACTIVITY, in order of time. Of a recording that was killed before it had its
        parquet file, what it had written.

    Raises
    ------
    SourceFormatError
        Naming the file, the row and the column that cannot be used.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "activity.csv"
    >>> _ = path.write_text("sampled_at,pid,state\n2025-11-24T10:00:00Z,17,idle\n")
    >>> read_activity(path)["state"].tolist()
    ['idle']
    """
    frame = read_samples(find_unfinished(paths), ACTIVITY, ACTIVITY_NAMES, tz)
    # PostgreSQL writes an array as {123,456}.
    blockers = frame["blocked_by"].str.replace(r"[{},\s]+", " ", regex=True).str.strip()
    frame["blocked_by"] = blockers.where(blockers != "")
    return frame.sort_values(["timestamp", "pid"], kind="stable", ignore_index=True)


def sample_activity(
    url: str,
    every_s: float = 1.0,
    for_s: float | None = 60.0,
    path: str | PathLike[str] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> pd.DataFrame:
    """Look at what the sessions of a PostgreSQL server do, at a steady rate.

    One session, read-only by the server's own means, looks each time in a short
    transaction, and holds none between two looks. A Ctrl-C ends the sampling early;
    what was seen by then is returned. Where the server goes away, it is tried again
    at each due time until it is back: the gap stays a gap, and a warning tells of it.
    So does one of samples that came late; those that were missed are not made up for.

    Parameters
    ----------
    url
        ``postgresql://user:password@host/database``. Without the rights of the role
        ``pg_monitor`` the sessions of others show little more than that they are there.
    every_s
        Seconds from one sample to the next.
    for_s
        For how long; 0 for one snapshot, None until a Ctrl-C.
    path
        A ``.csv`` or ``.parquet`` file to which each sample is also appended, its
        statements redacted.
    clock, sleep
        What tells the time for the rate, in seconds, and waits.

    Returns
    -------
    pandas.DataFrame
        ACTIVITY, a row a backend and sample; the statements are as they were run.
        ``timestamp`` is the server's time, as all the others are. The server's own
        processes are there too (``backend_type``), so that no sample is without rows:
        a time without rows is a gap. The session that looks is left out.

    Raises
    ------
    SettingError
        If the URL is none of PostgreSQL's, or a time is negative.
    SourceError
        If the server does not let one in at the start, or the file cannot be written.
    MissingExtraError
        If the driver is not installed.

    Examples
    --------
    >>> sample_activity("sqlite:///app.sqlite", for_s=0)
    Traceback (most recent call last):
        ...
    diagkit.errors.SettingError: pg_stat_activity is PostgreSQL's: write ...
    """
    frames: list[pd.DataFrame] = []
    _run(url, every_s, for_s, path, frames.append, clock, sleep)
    return pd.concat(frames, ignore_index=True) if frames else ACTIVITY.empty()


def record_activity(
    url: str,
    path: str | PathLike[str],
    every_s: float = 1.0,
    for_s: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Recorded:
    """Write what the sessions of a PostgreSQL server do into a file, for any time.

    Parameters
    ----------
    url, every_s, for_s, clock, sleep
        As for `sample_activity`.
    path
        A ``.csv`` or ``.parquet`` file. What it holds already stays.

    Returns
    -------
    Recorded
        How much it is; no row is kept in memory.

    Raises
    ------
    SettingError, SourceError, MissingExtraError
        As for `sample_activity`.
    """
    return _run(url, every_s, for_s, path, lambda _: None, clock, sleep)


def _run(
    url: str,
    every_s: float,
    for_s: float | None,
    path: str | PathLike[str] | None,
    take: Callable[[pd.DataFrame], object],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> Recorded:
    name = _check(url, every_s, for_s)
    samples = rows = redacted = 0
    with _Server(url, name) as server, SampleFile(path, ACTIVITY) as file:
        due = _Due(every_s, for_s, clock, sleep)
        try:
            for _ in due:
                frame = server.look()
                if frame is None:
                    continue
                with _uninterrupted():
                    redacted += file.append(frame)
                    take(frame)
                    samples, rows = samples + 1, rows + len(frame)
        except KeyboardInterrupt:
            # Whoever samples says so when it is enough.
            pass
        _tell(due.told())
    return Recorded(samples, rows, redacted)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold an interrupt back, so that what is written is also counted."""
    before = signal.getsignal(signal.SIGINT)
    # Python interrupts the main thread only, and lets no other one change that; a
    # handler that is not Python's could not be put back.
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def _check(url: str, every_s: float, for_s: float | None) -> str:
    if sqlite_path(url) is not None or parse_url(url).get_backend_name() != (
        "postgresql"
    ):
        msg = (
            "pg_stat_activity is PostgreSQL's: write "
            "postgresql://user:password@host/database"
        )
        raise SettingError(msg)
    # So that what is no number is refused too.
    if not every_s > 0:
        msg = f"every_s is more than 0 seconds; {every_s} came"
        raise SettingError(msg)
    if for_s is not None and not for_s >= 0:
        msg = f"for_s is at least 0 seconds, or None for no end; {for_s} came"
        raise SettingError(msg)
    return describe_url(url)


class _Due:
    """The times at which samples are due, counted from the first; those missed are."""

    def __init__(
        self,
        every_s: float,
        for_s: float | None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._every, self._for = every_s, for_s
        self._clock, self._sleep = clock, sleep
        self._late: list[float] = []
        self._missed = 0

    def __iter__(self) -> Iterator[None]:
        start = self._clock()
        turn = 0
        # A little more than a sum of floats may be off by.
        while self._for is None or turn * self._every <= self._for * (1 + 1e-9):
            due = start + turn * self._every
            while (wait := due - self._clock()) > 0:
                self._sleep(wait)
            if -wait > LATE * self._every:
                self._note(-wait)
            yield
            # What was missed is not made up for: a burst would be no steady rate.
            passed = int((self._clock() - start) // self._every)
            self._missed += max(0, passed - turn - 1)
            turn = max(turn + 1, passed)

    def _note(self, late: float) -> None:
        self._late.append(late)

    def told(self) -> str:
        said = []
        if self._missed:
            said.append(f"{self._missed} samples were missed")
        if self._late:
            worst = max(self._late)
            said.append(f"{len(self._late)} came late, by {worst:.2f} s at most")
        return ", ".join(said) and (
            f"{', '.join(said)}: to look, or to reach the server, took longer than the "
            f"{self._every:g} s between two samples"
        )


class _Server:
    """A session that looks, opened again where it was lost."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._look: Any = None
        self._open: ExitStack | None = None
        self._known = False
        self._lost_since: pd.Timestamp | None = None
        self._last: pd.Timestamp | None = None
        self._blind = False

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def look(self) -> pd.DataFrame | None:
        """Return a snapshot; None while the server is away."""
        try:
            frame = self._read()
        except SourceError as error:
            self._drop()
            if not self._known:
                raise
            if self._lost_since is None:
                self._lost_since = self._last
                _tell(f"{error}; it is tried again at each due time")
            return None
        self._known = True
        self._last = frame["timestamp"].iloc[0]
        if self._lost_since is not None:
            gap = (self._last - self._lost_since).total_seconds()
            _tell(f"{self._name} answers again; the samples have a gap of {gap:.1f} s")
            self._lost_since = None
        if not self._blind and (frame["query"] == HIDDEN).any():
            self._blind = True
            _tell(
                f"{self._name} does not show this user what others' sessions do; "
                "GRANT pg_monitor TO the user for more"
            )
        return frame

    def _read(self) -> pd.DataFrame:
        if self._look is None:
            stack = ExitStack()
            self._look = stack.enter_context(open_looks(self._url))
            self._open = stack
        with self._look() as connection:
            return _snapshot(connection)

    def _drop(self) -> None:
        stack, self._open, self._look = self._open, None, None
        if stack is not None:
            stack.close()


def _snapshot(connection: sa.Connection) -> pd.DataFrame:
    result = connection.exec_driver_sql(QUERY)
    rows = result.all()
    names = list(result.keys())
    return ACTIVITY.build(
        {name: [row[i] for row in rows] for i, name in enumerate(names)}
    )


def _tell(what: str) -> None:
    if what:
        warnings.warn(what, DiagkitWarning, stacklevel=5)
