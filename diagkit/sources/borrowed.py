"""Which connections are out of any pool of this process, and who took them.

For tools that watch a program from within, a test run or a notebook, and are told no
engine: they listen to the class of all pools.
"""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagkit.sources.holders import Holders

if TYPE_CHECKING:
    from collections.abc import Callable

_EVENTS = ("checkout", "checkin", "detach")


@dataclass(eq=False)
class Borrowed:
    """A connection that is out, or was.

    Attributes
    ----------
    holder
        Who asked, as ``file:line function``.
    file
        The file of that place, as the interpreter calls it.
    line
        Its line.
    owner
        What `Borrowings.owner` was at that time.
    proxy
        SQLAlchemy's stand-in for the connection.
    lost
        Whether the garbage collector found it, not returned.
    """

    holder: str
    file: str
    line: int
    owner: object
    proxy: weakref.ref[Any]
    lost: bool = False

    @property
    def connection(self) -> Any:
        """The driver's connection, or SQLAlchemy's adaption of an async one."""
        proxy = self.proxy()
        return None if proxy is None else proxy.dbapi_connection


class Borrowings:
    """Notes what leaves the pools of this process, and what comes back.

    Attributes
    ----------
    owner
        Whose the checkouts are from now on: the test that runs.

    Examples
    --------
    >>> import sqlalchemy
    >>> engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
    >>> borrowings = Borrowings()
    >>> borrowings.begin()
    >>> connection = engine.connect()
    >>> len(borrowings.out())
    1
    >>> connection.close()
    >>> len(borrowings.out())
    0
    >>> borrowings.end()
    >>> engine.dispose()
    """

    def __init__(self, own: tuple[str, ...] = ()) -> None:
        self.owner: object = None
        self._holders = Holders(own)
        self._out: dict[int, Borrowed] = {}
        self._lost: list[Borrowed] = []

    def begin(self) -> None:
        """Listen to every pool, those that come later too."""
        for name, heard in self._heard():
            _event().listen(_pools(), name, heard)

    def end(self) -> None:
        """Listen no more."""
        for name, heard in self._heard():
            _event().remove(_pools(), name, heard)

    def out(self) -> list[Borrowed]:
        """Return what is out, the earliest first."""
        return list(self._out.values())

    def take_lost(self) -> list[Borrowed]:
        """Return what the garbage collector found since this was last asked."""
        lost, self._lost = self._lost, []
        return lost

    def forget(self, owner: object) -> None:
        """Leave alone what somebody has taken.

        Parameters
        ----------
        owner
            Whose.
        """
        for key, one in list(self._out.items()):
            if one.owner == owner:
                self._out.pop(key, None)

    def _heard(self) -> list[tuple[str, Callable[..., None]]]:
        return [(name, getattr(self, f"_{name}")) for name in _EVENTS]

    def _checkout(self, _connection: Any, record: Any, proxy: Any) -> None:
        place = self._holders.find(sys._getframe(1))
        if place is None:
            where = ("an unknown place", "", 0)
        else:
            where = (self._holders.text(place), place[0].co_filename, place[1])
        # With a callback: such references are dead before anybody's callbacks run.
        self._out[id(record)] = Borrowed(
            *where, self.owner, weakref.ref(proxy, lambda _: None)
        )

    def _checkin(self, _connection: Any, record: Any) -> None:
        one = self._out.pop(id(record), None)
        if one is not None and one.proxy() is None:
            one.lost = True
            self._lost.append(one)

    def _detach(self, connection: Any, record: Any) -> None:
        # What is lost of an async engine is detached, and then dropped.
        self._checkin(connection, record)


def _event() -> Any:
    from sqlalchemy import event

    return event


def _pools() -> Any:
    from sqlalchemy.pool import Pool

    return Pool
