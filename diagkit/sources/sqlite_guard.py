"""What keeps a connection to a SQLite file from writing, and from running for ever.

``mode=ro`` stops a write to the file itself, and nothing else: such a connection can
still ``ATTACH`` another file (and so make one), write a copy with ``VACUUM INTO``, keep
temporary tables and change how the file is read. SQLite's authorizer stops those.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Watch", "connect_readonly"]

# A denied action fails with "not authorized". What writes to the file itself is left
# to mode=ro, whose message says more.
DENIED = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_CREATE_TEMP_INDEX,
    sqlite3.SQLITE_CREATE_TEMP_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
    sqlite3.SQLITE_CREATE_TEMP_VIEW,
}
DENIED_FUNCTIONS = {"load_extension", "fts3_tokenizer"}
# Pragmas that tell something of a table or index, and those that tell a setting as long
# as no value is given.
ASKING = {
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
}
SETTINGS = {
    "database_list",
    "encoding",
    "foreign_keys",
    "journal_mode",
    "query_only",
    "read_uncommitted",
    "user_version",
}
# How many steps of SQLite's machine pass between two looks at the clock: about 1 ms.
STEPS = 50_000


@dataclass
class Watch:
    """The clock over a connection's statements: each may run for `limit_s`.

    Attributes
    ----------
    limit_s
        Seconds that one statement may run.
    clock
        What tells the time.
    ends
        When the running statement is over.
    """

    limit_s: float
    clock: Callable[[], float] = time.monotonic
    ends: float = field(default=0.0, init=False)

    def start(self, *_: object) -> None:
        """Begin with a statement."""
        self.ends = self.clock() + self.limit_s

    @property
    def expired(self) -> bool:
        """Whether the running statement has had its time."""
        return self.clock() > self.ends

    def look(self) -> int:
        """Tell SQLite whether to stop. Python also sees to a Ctrl-C only here."""
        return int(self.expired)


def connect_readonly(path: Path, busy_s: float, watch: Watch) -> sqlite3.Connection:
    """Connect to a file so that nothing anywhere can be written through it.

    Parameters
    ----------
    path
        The file.
    busy_s
        Seconds to wait for a lock that a writer holds.
    watch
        Ends a statement that takes too long.

    Returns
    -------
    sqlite3.Connection
        Without transactions of the driver's own making.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.sqlite"
    >>> sqlite3.connect(path).close()
    >>> link = connect_readonly(path, 1.0, Watch(1.0))
    >>> link.execute("ATTACH 'other.sqlite' AS other")
    Traceback (most recent call last):
        ...
    sqlite3.DatabaseError: not authorized
    >>> link.close()
    """
    link = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
    )
    link.set_authorizer(_judge)
    watch.start()
    link.set_progress_handler(watch.look, STEPS)
    return link


def _judge(
    action: int,
    first: str | None,
    second: str | None,
    database: str | None,
    trigger: str | None,
) -> int:
    """Decide on one action of a statement, as SQLite asks when it prepares it."""
    if action == sqlite3.SQLITE_PRAGMA:
        name = (first or "").lower()
        fine = name in ASKING or (name in SETTINGS and second is None)
    elif action == sqlite3.SQLITE_FUNCTION:
        fine = (second or "").lower() not in DENIED_FUNCTIONS
    elif action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT):
        fine = True
    else:
        fine = action not in DENIED and database != "temp"
    return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY
