"""The ledger of planted faults: what really happened, written as it happens.

It knows nothing of the garbage collector or of any log. A lease is opened where
a connection is taken; whoever loses the connection says so with `Ledger.leaked`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Lease:
    """A connection taken from a pool: by whom, and which one.

    ``holder`` is SQLAlchemy's own connection, asked for its state when the
    lease ends; it is never kept after that.
    """

    place: str
    address: str
    holder: Any

    def is_held(self) -> bool:
        """Tell whether the pool still counts this connection as checked out."""
        return not (self.holder.closed or self.holder.invalidated)


def caller_place(depth: int) -> str:
    """Return ``file:line function`` of the frame `depth` above this call."""
    frame = sys._getframe(depth + 1)
    path = Path(frame.f_code.co_filename).relative_to(ROOT).as_posix()
    return f"{path}:{frame.f_lineno} {frame.f_code.co_qualname}"


class Ledger:
    """An append-only file of JSON lines, flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def leaked(self, lease: Lease, *, trace: bool) -> None:
        """Note a connection that nobody will return; `trace`: will a log say so."""
        self.note("leak", place=lease.place, connection=lease.address, trace=trace)

    def note(self, event: str, **fields: Any) -> None:
        """Write one event with its UTC time and the process id."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        row = {"event": event, "at": at, "pid": os.getpid(), **fields}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()


LEDGER = Ledger(SETTINGS.ledger)
