"""The files of a recorder: append-only, whole lines, bounded.

Every line is handed to the operating system as it is made, by one call. A process
that is killed loses nothing that had happened, no thread has to come round later, and
a fork has no buffer that both sides would write.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger("diagkit.recorder")
# pool-<process>-<recording of that process id>.<part>.jsonl
NAME = re.compile(r"pool-(\d+)-(\d+)\.(\d{6})\.jsonl")
_RETRY_S = 1.0
_write = os.write
_TORN = "the disk took only a part of a line"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Recording:
    """What one recorder writes in one process.

    Parameters
    ----------
    folder
        Where the files go; it is made where it is missing.
    opening
        Gives the lines that a file begins with: what it must say by itself when the
        files before it are gone.
    max_bytes
        The size at which a new file is begun.
    max_files
        How many files are kept; the oldest goes first.
    """

    def __init__(
        self,
        folder: Path,
        opening: Callable[[], list[str]],
        max_bytes: int,
        max_files: int,
    ) -> None:
        self.lost = 0
        self._folder = folder
        self._opening = opening
        self._max_bytes = max_bytes
        self._max_files = max_files
        # Reentrant: the garbage collector may run a pool's events inside of `write`.
        self._lock = threading.RLock()
        self._file: int | None = None
        self._room = -1  # bytes until the next file; none before the first
        self._number = 0
        self._part = 0
        self._retry_at = 0.0
        self._told = False
        self._turning = False
        self._closed = False

    @property
    def number(self) -> int:
        """Which recording of this process id it is, from 1; 0 before it has a file."""
        return self._number

    @property
    def part(self) -> int:
        """Which of its files is the last one, from 1."""
        return self._part

    def write(self, line: str) -> None:
        """Append a line; never raise.

        Parameters
        ----------
        line
            The line, with its end.
        """
        data = line.encode()
        size = len(data)
        with self._lock:
            try:
                if self._room < size and not self._ready():
                    self.lost += not self._closed
                    return
                self._room -= size
                if _write(self._file, data) != size:  # type: ignore[arg-type]
                    raise OSError(_TORN)
            except OSError as error:
                self.lost += 1
                self._give_up(error)

    def close(self) -> None:
        """Close the file; what comes later is not written."""
        with self._lock:
            self._closed = True
            self._drop()

    def abandon(self) -> None:
        """Let go of the file in a forked child: the parent goes on writing it."""
        # The lock may have been held by a thread that this process does not have.
        self._lock = threading.RLock()
        self.close()

    def _ready(self) -> bool:
        """Begin the first file, or the next one; say whether there is one."""
        if self._turning:
            return self._file is not None
        if self._closed or (self._file is None and time.monotonic() < self._retry_at):
            return False
        self._turning = True
        try:
            self._turn()
        finally:
            self._turning = False
        return True

    def _turn(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path, file = self._next_file()
        self._drop()
        self._file, self._room = file, self._max_bytes
        try:
            opening = "".join(self._opening()).encode()
            self._room -= len(opening)
            if os.write(file, opening) != len(opening):
                raise OSError(_TORN)
        except OSError:
            self._drop()
            path.unlink(missing_ok=True)
            self._part -= 1
            raise
        # What is carried over must not fill every file by itself.
        self._room = max(self._room, self._max_bytes // 2)
        if self._part > self._max_files:
            self._path(self._part - self._max_files).unlink(missing_ok=True)

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
