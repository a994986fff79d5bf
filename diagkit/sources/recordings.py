"""The files of a recorder: append-only, whole lines, bounded.

Lines are handed to the operating system some at a time, at the latest a second after
what they tell of: a process that is killed has lost no more than that.
"""

from __future__ import annotations

import logging
import os
import re
import time
from typing import TYPE_CHECKING

from diagkit.sources.entries import CHECKOUT, END, NOTE
from diagkit.sources.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from diagkit.sources.entries import Entry

VERSION = 1
LOG = logging.getLogger("diagkit.recorder")
# pool-<process>-<recording of that process id>.<part>.jsonl
NAME = re.compile(r"pool-(\d+)-(\d+)\.(\d{6})\.jsonl")
_RETRY_S = 1.0
# So much is written by one call.
_CHUNK = 64 * 1024
_TORN = "the disk took only a part of a line"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Recording:
    """What one recorder writes in one process.

    Parameters
    ----------
    folder
        Where the files go; it is made where it is missing.
    head
        Gives what every file begins with, as a part of its first line.
    max_bytes
        The size at which a new file is begun.
    max_files
        How many files are kept; the oldest goes first.
    """

    def __init__(
        self, folder: Path, head: Callable[[], str], max_bytes: int, max_files: int
    ) -> None:
        self._outbox = Outbox(self._deliver)
        self.put = self._outbox.put
        self._lost = 0
        self._folder = folder
        self._head = head
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._file: int | None = None
        self._room = -1  # bytes until the next file; none before the first
        self._number = 0
        self._part = 0
        self._retry_at = 0.0
        self._told = False
        self._closed = False
        # The lines of checkouts without an end, by id: a file must say by itself what
        # is open when it begins, for the files before it may be gone.
        self._open: dict[int, bytes] = {}
        self._last: Entry | None = None

    @property
    def lost(self) -> int:
        """How many entries could not be written."""
        return self._lost + self._outbox.lost

    @property
    def number(self) -> int:
        """Which recording of this process id it is, from 1; 0 before it has a file."""
        return self._number

    @property
    def part(self) -> int:
        """Which of its files is the last one, from 1."""
        return self._part

    def flush(self) -> None:
        """Write what waits, and return when it is done."""
        self._outbox.flush()

    def pause(self) -> None:
        """Write what waits, and have no thread until the next entry."""
        self._outbox.stop()

    def outlive(self) -> None:
        """Write what waits, and from now on every entry when it comes."""
        self._outbox.close()

    def close(self) -> None:
        """Write what waits and close the file; what comes later is not written."""
        self._outbox.close()
        self._closed = True
        self._drop()

    def abandon(self) -> None:
        """Let go of the file in a forked child: the parent goes on writing it."""
        self._closed = True
        self._drop()

    def _deliver(self, entries: Iterator[Entry]) -> None:
        """Write entries, as many by one call as a file has room for."""
        batch: list[bytes] = []
        size = 0
        most = min(self._room, _CHUNK)
        for entry in entries:
            line = (entry[0] % entry[1:]).encode()
            written = True
            if size + len(line) > most:
                self._write(batch, size)
                batch, size = [], 0
                written = self._room >= len(line) or self._ready(entry)
                most = min(self._room, _CHUNK)
            if written:
                batch.append(line)
                size += len(line)
            else:
                self._lost += not self._closed
            self._last = entry
            # What is open is known although its line may not have been written.
            if entry[0] is CHECKOUT:
                self._open[entry[5]] = line
            elif entry[0] is END:
                self._open.pop(entry[5], None)
        self._write(batch, size)

    def _write(self, batch: list[bytes], size: int) -> None:
        if not batch:
            return
        try:
            self._room -= size
            written = os.write(self._file, b"".join(batch))  # type: ignore[arg-type]
            if written != size:
                raise OSError(_TORN)
        except OSError as error:
            self._lost += len(batch)
            self._give_up(error)

    def _ready(self, entry: Entry) -> bool:
        """Begin the first file, or the next one; say whether there is one."""
        if self._closed or (self._file is None and time.monotonic() < self._retry_at):
            return False
        try:
            self._turn(entry)
        except OSError as error:
            self._give_up(error)
            return False
        return True

    def _turn(self, entry: Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path, file = self._next_file()
        self._drop()
        self._file, self._room = file, self._max_bytes
        try:
            opening = self._opening(entry)
            if os.write(file, opening) != len(opening):
                raise OSError(_TORN)
        except OSError:
            self._drop()
            path.unlink(missing_ok=True)
            self._part -= 1
            raise
        # What is carried over must not fill every file by itself.
        self._room = max(self._room - len(opening), self._max_bytes // 2)
        if self._part > self._max_files:
            self._path(self._part - self._max_files).unlink(missing_ok=True)

    def _opening(self, entry: Entry) -> bytes:
        """Return the lines before an entry: the pool, and what is open at that time."""
        _, at, out, waiting, *more = self._last or entry
        # Later files follow one that told what is idle.
        idle = f'"in":{more[1]},' if self._last is None and entry[0] is NOTE else ""
        start = (
            f'{{"event":"start","at":{at},"out":{out},{idle}"waiting":{waiting},'
            f'"version":{VERSION},{self._head()},"part":{self._part},'
            f'"carried":{len(self._open)}}}\n'
        )
        carried = (
            line.replace(b'"checkout"', b'"carried"', 1) for line in self._open.values()
        )
        return b"".join([start.encode(), *carried])

    def _next_file(self) -> tuple[Path, int]:
        if self._number:
            path = self._path(self._part + 1)
            file = os.open(path, _FLAGS, 0o640)
            self._part += 1
            return path, file
        # Process ids come back, and containers that share a folder are all process 1.
        number = 0
        while True:
            number += 1
            if any(self._folder.glob(f"pool-{os.getpid()}-{number}.*.jsonl")):
                continue
            path = self._folder / f"pool-{os.getpid()}-{number}.000001.jsonl"
            try:
                file = os.open(path, _FLAGS, 0o640)
            except FileExistsError:
                continue
            self._number, self._part = number, 1
            return path, file

    def _path(self, part: int) -> Path:
        return self._folder / f"pool-{os.getpid()}-{self._number}.{part:06d}.jsonl"

    def _give_up(self, error: OSError) -> None:
        # The next attempt begins a new file, so a torn line stays the last of its own.
        self._drop()
        self._retry_at = time.monotonic() + _RETRY_S
        if not self._told:
            self._told = True
            reason = error.strerror or str(error)
            LOG.warning(
                "the pool recorder cannot write (%s); it goes on trying, and what "
                "happens meanwhile is lost",
                reason,
            )

    def _drop(self) -> None:
        file, self._file, self._room = self._file, None, -1
        if file is not None:
            os.close(file)
