"""What waits to be written, and the thread that writes it.

An application that waits for the disk at every checkout is slower for it, and stands
still when the disk does. Here it only puts an entry down; a thread comes by four times
a second while there is something. Where no thread runs (an interpreter that ends, a
server that was built without them), whoever puts down the next entry writes.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from diagkit.sources.entries import Entry

PAUSE_S = 0.25
# Something that waits for so long is not waited with any more.
_LATE_S = 0.75
# A thread that has had nothing to do for so long ends; another one starts when needed.
_IDLE_S = 10.0
# How many may wait: some 20 MB.
MOST = 50_000


class Outbox:
    """Entries on their way to a file.

    Parameters
    ----------
    deliver
        Writes entries; never raises. Only one call of it runs at a time.

    Examples
    --------
    >>> outbox = Outbox(lambda entries: print(list(entries)))
    >>> outbox.put(("one",))
    >>> outbox.put(("two",))
    >>> outbox.flush()
    [('one',), ('two',)]
    >>> outbox.close()
    """

    def __init__(self, deliver: Callable[[Iterator[Entry]], None]) -> None:
        self.lost = 0
        self._deliver = deliver
        self._waiting: deque[Entry] = deque()
        self._put = self._waiting.append
        # When the next entry has to look after the delivery; 0 where nothing waits.
        self._due = 0.0
        self._lock = threading.Lock()
        self._something = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._threaded = True

    def put(self, entry: Entry) -> None:
        """Put an entry down; this is all that the application waits for.

        Parameters
        ----------
        entry
            The entry.
        """
        self._put(entry)
        now = monotonic()
        if now >= self._due:
            self._look_after(now)

    def flush(self) -> None:
        """Deliver what waits, and return when it is done."""
        with self._lock:
            self._empty()

    def stop(self) -> None:
        """Deliver what waits and end the thread; the next entry starts another."""
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._ended.set()
            self._something.set()
            # A disk that stands still must not hold up a fork for ever.
            thread.join(timeout=2 * _LATE_S)
        if self._lock.acquire(timeout=2 * _LATE_S):
            try:
                self._empty()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Deliver what waits; from now on every entry is delivered when it is put."""
        self._threaded = False
        self.stop()

    def _look_after(self, now: float) -> None:
        """Call the thread; where it does not come in time, do its work."""
        if not self._due and self._call():
            self._due = now + _LATE_S
            return
        # The thread is at it, or this is a garbage collection within the delivery.
        if not self._lock.acquire(blocking=False):
            while len(self._waiting) > MOST:
                with suppress(IndexError):
                    self._waiting.popleft()
                    self.lost += 1
            return
        try:
            self._empty()
        finally:
            self._lock.release()

    def _call(self) -> bool:
        thread = self._thread
        here = thread is not None and thread.is_alive()
        if here or (self._threaded and self._start()):
            self._something.set()
            return True
        return False

    def _start(self) -> bool:
        self._something, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._come_by,
            args=(self._something, self._ended),
            name="diagkit.recorder",
            daemon=True,
        )
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter ends, or the system has no thread left
            self._thread = None
            return False
        return True

    def _come_by(self, something: threading.Event, ended: threading.Event) -> None:
        while not ended.is_set():
            if not something.wait(_IDLE_S):
                # In this order: whoever still saw a thread has put something down.
                self._thread = None
                if not self._waiting:
                    return
            something.clear()
            ended.wait(PAUSE_S)
            self.flush()

    def _empty(self) -> None:
        # First: what is put down from now on calls again.
        self._due = 0.0
        if self._waiting:
            self._deliver(self._take())

    def _take(self) -> Iterator[Entry]:
        waiting = self._waiting
        while waiting:
            yield waiting.popleft()
