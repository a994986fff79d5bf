"""``%load_ext diagkit``: a notebook says when a cell left a connection in transaction.

``pandas.read_sql(query, connection)`` begins a transaction that nobody ends: the kernel
of the one who diagnoses then holds the server's locks and snapshot all day.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from diagkit.sources.backends import in_transaction
from diagkit.sources.borrowed import Borrowings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

# Drivers whose own connections, kept in a variable of the notebook, are looked at.
DRIVERS = frozenset({"psycopg", "psycopg2", "asyncpg", "sqlite3", "pymysql"})


class TransactionWatch:
    """Looks after every cell at the connections that are out.

    Parameters
    ----------
    shell
        IPython's shell.
    output
        Where the warnings go; standard error, which a notebook shows below the cell.

    Examples
    --------
    ``%load_ext diagkit`` in a notebook attaches one; here one stands alone.

    >>> import sqlite3, sys
    >>> from types import SimpleNamespace
    >>> connection = sqlite3.connect(":memory:")
    >>> shell = SimpleNamespace(user_ns={"db": connection}, execution_count=3)
    >>> watch = TransactionWatch(shell, sys.stdout)
    >>> _ = connection.execute("create table t (x)").execute("insert into t values (1)")
    >>> watch.look()
    diagkit: cell [3] left a connection in transaction: the variable db. Until it is
    closed, or rolled back, the server keeps its locks and its snapshot.
    >>> watch.look()
    >>> connection.close()
    """

    def __init__(self, shell: Any, output: TextIO | None = None) -> None:
        self._shell = shell
        self._output = output
        self._borrowings = Borrowings()
        self._told: dict[int, Any] = {}

    def attach(self) -> None:
        """Look after every cell from now on."""
        self._borrowings.begin()
        self._shell.events.register("post_run_cell", self._after)

    def detach(self) -> None:
        """Look no more."""
        self._shell.events.unregister("post_run_cell", self._after)
        self._borrowings.end()

    def look(self, number: int | None = None) -> None:
        """Say what is in a transaction and was not at the last look.

        Parameters
        ----------
        number
            The number of the cell that has run; the shell's own where it is not given.
        """
        number = self._shell.execution_count if number is None else number
        found = {id(raw): (raw, where) for raw, where in self._in_transaction()}
        for key, (raw, where) in found.items():
            if self._told.get(key) is not raw:
                out = self._output or sys.stderr
                out.write(
                    f"diagkit: cell [{number}] left a connection in transaction: "
                    f"{where}. Until it is\nclosed, or rolled back, the server keeps "
                    "its locks and its snapshot.\n"
                )
        self._told = {key: raw for key, (raw, _) in found.items()}

    def _after(self, result: Any) -> None:
        try:
            self.look(getattr(result, "execution_count", None))
        except Exception as error:  # noqa: BLE001 - a cell must not fail of a watch
            kind = type(error).__name__
            sys.stderr.write(f"diagkit: could not look at connections ({kind})\n")

    def _in_transaction(self) -> Iterator[tuple[Any, str]]:
        seen = set()
        for one in self._borrowings.out():
            connection = one.connection
            raw = getattr(connection, "driver_connection", None) or connection
            if raw is not None and in_transaction(raw):
                seen.add(id(raw))
                yield raw, f"taken {self._place(one.file, one.line, one.holder)}"
        for name, value in list(self._shell.user_ns.items()):
            if name.startswith("_") or id(value) in seen:
                continue
            top = type(value).__module__.partition(".")[0]
            if top in DRIVERS and in_transaction(value):
                seen.add(id(value))
                yield value, f"the variable {name}"

    def _place(self, file: str, line: int, holder: str) -> str:
        # IPython knows which cell it had compiled under the name of a file.
        named = getattr(self._shell.compile, "format_code_name", lambda _: None)(file)
        return f"in {' '.join(named)}, line {line}" if named else f"at {holder}"


_WATCHES: dict[int, TransactionWatch] = {}


def load(shell: Any) -> None:
    """Begin to look: what ``%load_ext diagkit`` calls.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    if id(shell) not in _WATCHES:
        watch = TransactionWatch(shell)
        watch.attach()
        _WATCHES[id(shell)] = watch


def unload(shell: Any) -> None:
    """Look no more: what ``%unload_ext diagkit`` calls.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    watch = _WATCHES.pop(id(shell), None)
    if watch is not None:
        watch.detach()
