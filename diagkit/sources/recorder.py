"""PoolRecorder: writes down who takes a connection out of a pool, and how it ends."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagkit.errors import SettingError
from diagkit.sources.holders import Holders
from diagkit.sources.ledger import Ledger
from diagkit.sources.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from diagkit.sources.watches import RecordingTail

# The pool's events, which are methods of `Ledger` by the same names.
EVENTS = (
    "connect",
    "checkout",
    "checkin",
    "reset",
    "invalidate",
    "soft_invalidate",
    "detach",
    "close",
    "close_detached",
)
_ATTACHED: weakref.WeakSet[PoolRecorder] = weakref.WeakSet()


class PoolRecorder:
    """Writes down who takes a connection out of a pool, and how that ends.

    SQLAlchemy says nothing about a connection that a program forgets, or names the
    place where the garbage collector found it. The recorder notes at every checkout
    the application's own line that asked, and at its end whether the connection was
    returned, or only found by the garbage collector.

    It takes part in the pool's public events and in ``Pool.connect``, and never raises
    into the application: what it cannot write it counts, and says so once through the
    logger ``diagkit.recorder``. A thread writes what there is four times a second, so
    that the application does not wait for the disk; a process that is killed has lost
    no more than the last second.

    Parameters
    ----------
    engine
        An SQLAlchemy ``Engine`` or ``AsyncEngine``.
    path
        The folder that it writes to. Every process and every recorder has its own
        files there; `read_checkouts` reads them together.
    name
        What the pool is called in the frames; the engine's ``logging_name``, or the
        name of its database, where none is given.
    own
        Names of packages that are the application's although they are installed among
        the libraries (as by ``pip install .``).
    stacks
        Also note the application's frames that led to the holder.
    max_bytes
        The size at which a new file is begun.
    max_files
        How many files a recorder keeps in a process; the oldest goes first. Checkouts
        that are still open are carried into every new file.
    clock
        Gives the time in nanoseconds since 1970.

    Raises
    ------
    SettingError
        If ``engine`` is no engine, or a bound is below 1.

    Examples
    --------
    >>> import pathlib, tempfile, sqlalchemy
    >>> engine = sqlalchemy.create_engine("sqlite://")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> def forgets():
    ...     engine.connect()
    >>> with PoolRecorder(engine, folder, name="app"):
    ...     forgets()
    >>> from diagkit.sources.checkouts import read_checkouts
    >>> read_checkouts(folder)[["pool", "outcome"]].values.tolist()
    [['app', 'garbage_collected']]
    >>> engine.dispose()
    """

    def __init__(
        self,
        engine: Any,
        path: str | PathLike[str],
        *,
        name: str | None = None,
        own: tuple[str, ...] = (),
        stacks: bool = False,
        max_bytes: int = 16 * 1024**2,
        max_files: int = 16,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        from sqlalchemy.engine import Engine

        engine = getattr(engine, "sync_engine", engine)
        if not isinstance(engine, Engine):
            kind = type(engine).__name__
            msg = f"engine is an SQLAlchemy Engine or AsyncEngine; a {kind} came"
            raise SettingError(msg)
        for setting, value in (("max_bytes", max_bytes), ("max_files", max_files)):
            if value < 1:
                msg = f"{setting} is at least 1; {value} came"
                raise SettingError(msg)
        # An engine with execution options shares the pool of the one it came from.
        self._engine: Any = getattr(engine, "_proxied", engine)
        self._folder = Path(path)
        self._name = name or _name_of(self._engine)
        self._holders = Holders(own)
        self._stacks = stacks
        self._limits = (max_bytes, max_files)
        self._clock = clock
        self._ledger: Ledger | None = None
        self._listened: Any = None
        self._tail: tuple[tuple[int, int, float], RecordingTail] | None = None

    def __repr__(self) -> str:
        state = "detached" if self._ledger is None else f"{self.checked_out} out"
        return f"<PoolRecorder {self._name!r}, {state}>"

    def __enter__(self) -> Self:
        """Attach."""
        return self.attach()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Detach."""
        self.detach()

    @property
    def checked_out(self) -> int:
        """How many connections of the engine's pool are out now; 0 when detached."""
        return self._ledger.checked_out if self._ledger is not None else 0

    @property
    def lost(self) -> int:
        """How many lines could not be written since it was attached."""
        recording = self._ledger.recording if self._ledger is not None else None
        return recording.lost if recording is not None else 0

    def flush(self) -> None:
        """Write down what has happened, now; `detach` does so too."""
        if self._ledger is not None and self._ledger.recording is not None:
            self._ledger.recording.flush()

    def look(self, last_s: float = 300.0) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what happened last, for one who watches while it goes on.

        Parameters
        ----------
        last_s
            How many seconds back; checkouts that are open are older where they are.

        Returns
        -------
        tuple of pandas.DataFrame
            POOL, with a sample of now, and CHECKOUTS, what is held counted until now.
        """
        from diagkit.frames.checkouts import CHECKOUTS
        from diagkit.frames.pool import POOL
        from diagkit.sources.watches import RecordingTail

        self.flush()
        recording = self._ledger.recording if self._ledger is not None else None
        if recording is not None and recording.number:
            whose = (os.getpid(), recording.number, last_s)
            if self._tail is None or self._tail[0] != whose:
                self._tail = whose, RecordingTail(self._folder, *whose)
        if self._tail is None:
            return POOL.empty(), CHECKOUTS.empty()
        out = None if recording is None else self.checked_out
        return self._tail[1].look(self._clock() // 1000, out)

    def attach(self) -> Self:
        """Begin to record. What is checked out already is known by number only.

        Returns
        -------
        PoolRecorder
            Itself.
        """
        from multiprocessing.util import register_after_fork

        from sqlalchemy import event

        if self._ledger is not None:
            return self
        pool = self._engine.pool
        ledger = Ledger(
            self._engine, self._name, self._holders, self._stacks, self._clock
        )
        ledger.write_to(self._new_recording(ledger))
        # As long as the pool tells the ledger, there is a recorder that forks find.
        ledger.recorder = self
        self._ledger, self._listened = ledger, pool
        for name in EVENTS:
            event.listen(pool, name, getattr(ledger, name))
        _ATTACHED.add(self)
        register_after_fork(self, _in_worker)
        ledger.begin()
        return self

    def detach(self) -> None:
        """Stop recording: the pool is left without a listener of this recorder."""
        from sqlalchemy import event

        ledger = self._ledger
        if ledger is None:
            return
        for name in EVENTS:
            event.remove(self._listened, name, getattr(ledger, name))
        _ATTACHED.discard(self)
        ledger.stop()
        recording = ledger.recording
        ledger.write_to(None)
        self._ledger = self._listened = None
        if recording is not None:
            recording.close()

    def _new_recording(self, ledger: Ledger) -> Recording:
        return Recording(self._folder, ledger.head, *self._limits)

    def _forked(self) -> None:
        if self._ledger is not None and self._ledger.recording is not None:
            self._ledger.recording.abandon()
            self._ledger.forked(self._new_recording(self._ledger))


def _name_of(engine: Any) -> str:
    named = engine.logging_name or engine.url.database
    if not named or named == ":memory:":
        return str(engine.dialect.name)
    # A database of SQLite is a path, which is nobody else's concern.
    return str(named).replace("\\", "/").rsplit("/", 1)[-1]


def _recordings() -> Iterator[Recording]:
    for recorder in list(_ATTACHED):
        if recorder._ledger is not None and recorder._ledger.recording is not None:
            yield recorder._ledger.recording


def _before_fork() -> None:
    # A child has no copy of a thread, and Python warns of forks beside threads.
    for recording in _recordings():
        recording.pause()


def _in_child() -> None:
    for recorder in list(_ATTACHED):
        recorder._forked()


def _in_worker(_: PoolRecorder) -> None:
    # A process of multiprocessing ends without what `atexit` has.
    from multiprocessing.util import Finalize

    Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    for recording in _recordings():
        recording.outlive()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
atexit.register(_at_exit)
