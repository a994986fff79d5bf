"""Which checkouts of one pool are open, kept by the pool's own events, one by one."""

from __future__ import annotations

import sys
import weakref
from itertools import count
from json.encoder import encode_basestring_ascii as _quoted
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from diagkit.sources.backends import backend_of
from diagkit.sources.callers import ASKED, Callers
from diagkit.sources.entries import CHECKOUT, END, NOTE
from diagkit.sources.figures import figure_of, idle_of
from diagkit.sources.recordings import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from diagkit.sources.entries import Entry
    from diagkit.sources.holders import Holders
    from diagkit.sources.recordings import Recording

# Where a connection's `info` keeps how lines name it.
_KEY = "diagkit.connection"


class _Checkout:
    """A checkout that has not ended."""

    __slots__ = ("connection", "id", "outcome", "proxy", "reset", "since")

    def __init__(self, number: int, connection: object, proxy: Any, since: int) -> None:
        self.id: int | None = number
        self.connection = id(connection)
        # With a callback: such references are dead before anybody's callbacks run.
        self.proxy = weakref.ref(proxy, _nothing)
        self.since = since
        self.reset = 0
        self.outcome = ""

    def ended(self, otherwise: str) -> str:
        """Say how it ended: what was first known of its end stands."""
        if not self.outcome:
            self.outcome = "garbage_collected" if self.proxy() is None else otherwise
        return self.outcome


def _nothing(_: object) -> None:
    """Do nothing: see `_Checkout`."""


def _guarded(work: Callable[..., None]) -> Callable[..., None]:
    """Keep what goes wrong in a ledger out of the application."""

    def guarded(self: Ledger, *args: Any) -> None:
        try:
            work(self, *args)
        except Exception as error:  # noqa: BLE001 - the application must not notice
            self.tell(error)

    guarded.__name__ = work.__name__
    guarded.__doc__ = work.__doc__
    return guarded


class Ledger:
    """The open checkouts of an engine's pool; its public methods are the pool's events.

    Parameters
    ----------
    engine
        The engine; `dispose` gives it a new pool, which is noticed.
    name
        What it is called.
    holders
        Finds who asked.
    stacks
        Whether to note the application's frames above the holder too.
    clock
        Gives the time in nanoseconds since 1970.
    """

    def __init__(
        self,
        engine: Any,
        name: str,
        holders: Holders,
        stacks: bool,
        clock: Callable[[], int],
    ) -> None:
        self.recorder: object = None
        self.recording: Recording | None = None
        self._write: Callable[[Entry], None] = _nothing
        self._name = name
        self._clock = clock
        # By the record that lends the connection: the pool knows it while it is out.
        self._open: dict[int, _Checkout] = {}
        # Those of pools that were replaced, by record; those whose record was lent
        # again before their own end was told, by connection.
        self._older: dict[int, _Checkout] = {}
        self._passed: dict[int, _Checkout] = {}
        self._callers = Callers(holders, stacks, self._refused)
        self._waiting = self._callers.waiting
        self._ids = count(1)
        self._told = False
        self._engine = engine
        self._pool: Any = None
        self._take(engine.pool)
        # Checked out before anybody looked: known by number only.
        self._unknown = figure_of(self._pool, "checkedout") or 0

    @property
    def checked_out(self) -> int:
        """How many connections of the pool are checked out."""
        self._follow()
        return len(self._open) + self._unknown

    def head(self) -> str:
        """Return what every file says of the pool, as a part of its first line."""
        most = getattr(self._pool, "_max_overflow", None)
        most = _null(None if most is None or most < 0 else most)
        name, size = _quoted(self._name), _null(self._size)
        return f'"pool":{name},"size":{size},"max_overflow":{most}'

    def write_to(self, recording: Recording | None) -> None:
        """Write to a recording from now on, or to none."""
        self.recording = recording
        self._write = _nothing if recording is None else recording.put
        self._callers.active = recording is not None

    def forked(self, recording: Recording) -> None:
        """Go on in a child process: what it inherited is its parent's to tell."""
        self.write_to(recording)
        self._waiting.clear()
        for held in (self._open, self._older, self._passed):
            for one in list(held.values()):
                one.id = None

    @_guarded
    def connect(self, connection: Any, record: Any) -> None:
        """Note that a connection to the database was made."""
        self._follow()
        self._note("connect", _backend(connection, record))

    def checkout(self, connection: Any, record: Any, proxy: Any) -> None:
        """Note that the pool hands a connection out."""
        # The two events of every checkout, this and `checkin`, do without `_guarded`.
        try:
            since = perf_counter_ns()
            key = id(record)
            held = self._open
            if proxy._pool is not self._pool:
                self._follow()
                held = self._open if proxy._pool is self._pool else self._older
            if key in held and self._again(held[key], connection, proxy):
                return
            number = next(self._ids)
            held[key] = _Checkout(number, connection, proxy, since)
            asked = ASKED.get()
            waiting = len(self._waiting)
            wait: int | str = "null"
            if asked is None:
                who = self._callers.who(sys._getframe())
            else:
                # The one who is being served waits no more.
                waiting -= 1
                wait, who = (since - asked[0]) // 1000, asked[1]
            self._write(
                (
                    CHECKOUT,
                    self._clock() // 1000,
                    len(self._open) + self._unknown,
                    waiting,
                    self._idle(),
                    number,
                    wait,
                    record.info.get(_KEY) or _backend(connection, record),
                    who,
                )
            )
        except Exception as error:  # noqa: BLE001 - the application must not notice
            self.tell(error)

    def checkin(self, connection: Any, record: Any) -> None:
        """Note that the pool takes a connection back, or the place of one."""
        try:
            key = id(record)
            one = self._open.pop(key, None)
            if one is None:
                one = self._older.pop(key, None)
            if one is not None:
                self._end(one, "checkin", "returned")
            elif connection is not None or ASKED.get() is None:
                # Not of a caller who is refused: that one had nothing yet.
                self._unknown = max(0, self._unknown - 1)
                self._note("checkin", _backend(connection, record))
        except Exception as error:  # noqa: BLE001 - the application must not notice
            self.tell(error)

    def reset(self, _connection: Any, *rest: Any) -> None:
        """Note that a connection that comes back is about to be rolled back."""
        # One parameter and the rest: SQLAlchemy takes (connection, record) for the
        # signature of version 1, and warns.
        one = self._open.get(id(rest[0]))
        if one is not None:
            one.reset = perf_counter_ns()

    @_guarded
    def invalidate(self, connection: Any, record: Any, error: Any) -> None:
        """Note that a connection is closed because it is broken."""
        one = self._of(record)
        if one is not None:
            one.ended("invalidated")
        self._invalidated("invalidate", connection, record, error)

    @_guarded
    def soft_invalidate(self, connection: Any, record: Any, error: Any) -> None:
        """Note that a connection will be replaced when it is next asked for."""
        self._invalidated("soft_invalidate", connection, record, error)

    @_guarded
    def detach(self, connection: Any, record: Any) -> None:
        """Note that a connection has left the pool for good."""
        for held in (self._open, self._older):
            one = held.get(id(record))
            if one is not None and one.connection == id(connection):
                del held[id(record)]
                break
        else:
            one = self._passed.pop(id(connection), None)
        if one is not None:
            self._end(one, "detach", "detached")
        else:
            self._unknown = max(0, self._unknown - 1)
            self._note("detach", _backend(connection, None))

    @_guarded
    def close(self, connection: Any, record: Any) -> None:
        """Note that a connection to the database is closed."""
        self._note("close", _backend(connection, record))

    @_guarded
    def close_detached(self, connection: Any) -> None:
        """Note that a connection that had left the pool is closed."""
        self._note("close_detached", _backend(connection, None))

    @_guarded
    def begin(self) -> None:
        """Note that recording begins."""
        self._note("attach", f'"unknown":{self._unknown}')

    @_guarded
    def stop(self) -> None:
        """Note that recording ends, and leave the pool."""
        self._follow()
        self._note("stop")
        self._callers.leave()

    def tell(self, error: Exception) -> None:
        """Say once that something could not be recorded."""
        if not self._told:
            self._told = True
            LOG.warning(
                "the pool recorder missed an event (%s); it goes on",
                type(error).__name__,
            )

    @_guarded
    def _refused(self, error: BaseException) -> None:
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        event = "timeout" if isinstance(error, PoolTimeout) else "failure"
        asked = ASKED.get()
        now = perf_counter_ns()
        assert asked is not None
        wait, who = (now - asked[0]) // 1000, asked[1]
        kind = _quoted(type(error).__name__)
        self._note(event, f'"error":{kind},"wait_us":{wait},{who}', served=1)

    def _follow(self) -> None:
        """Notice that the engine has a new pool; the old one takes back what is out.

        SQLAlchemy has an event for it, which would make every connection that an
        engine hands out dearer: an engine with listeners of its own joins them.
        """
        pool = self._engine.pool
        if pool is self._pool:
            return
        self._callers.leave()
        self._take(pool)
        self._unknown = 0
        for key, one in list(self._open.items()):
            if getattr(one.proxy(), "_pool", None) is not pool:
                self._older[key] = one
                self._open.pop(key, None)
        self._note("dispose")

    def _take(self, pool: Any) -> None:
        self._pool = pool
        self._size = figure_of(pool, "size")
        # Not every class of pool counts what is idle in it.
        self._idle = idle_of(pool)
        self._callers.meet(pool)

    def _of(self, record: Any) -> _Checkout | None:
        return self._open.get(id(record)) or self._older.get(id(record))

    def _again(self, before: _Checkout, connection: Any, proxy: Any) -> bool:
        """Say whether a record is handed out to the one who has it."""
        if before.proxy() is proxy:
            # A listener had the connection replaced by a fresh one.
            before.outcome = ""
            before.connection = id(connection)
            return True
        self._pass(before)
        return False

    def _pass(self, one: _Checkout) -> None:
        # A detached record is back in the pool before its event comes. A StaticPool
        # lends one connection to several, and tells of one return.
        other = self._passed.pop(one.connection, None)
        self._passed[one.connection] = one
        if other is not None:
            self._end(other, "checkin", "returned")

    def _end(self, one: _Checkout, event: str, otherwise: str) -> None:
        now = perf_counter_ns()
        self._write(
            (
                END,
                self._clock() // 1000,
                len(self._open) + self._unknown,
                len(self._waiting),
                event,
                one.id or "null",
                (now - one.since) // 1000,
                (now - one.reset) // 1000 if one.reset else "null",
                one.outcome or one.ended(otherwise),
            )
        )

    def _invalidated(
        self, event: str, connection: Any, record: Any, error: Any
    ) -> None:
        one = self._of(record)
        kind = _or_null(type(error).__name__ if error is not None else None)
        number = _null(one.id if one is not None else None)
        self._note(
            event, f'"id":{number},"error":{kind},{_backend(connection, record)}'
        )

    def _note(self, event: str, more: str = "", served: int = 0) -> None:
        out = len(self._open) + self._unknown
        waiting = len(self._waiting) - served
        more = f",{more}" if more else ""
        at = self._clock() // 1000
        self._write((NOTE, at, out, waiting, event, self._idle(), more))


def _backend(connection: Any, record: Any) -> str:
    """Return which connection it is, as a part of a line; found once a connection."""
    info = getattr(record, "info", None)
    if info is None or connection is None:
        return _said(connection)
    said = info.get(_KEY)
    if said is None:
        said = info[_KEY] = _said(connection)
    return str(said)


def _said(connection: Any) -> str:
    number, address = backend_of(connection)
    return f'"connection":{_or_null(number)},"address":{_or_null(address)}'


def _or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def _null(number: int | None) -> str:
    return "null" if number is None else str(number)
