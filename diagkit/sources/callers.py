"""Those who ask a pool for a connection: who they are, and how long they wait."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextvars import ContextVar
from functools import wraps
from json.encoder import encode_basestring_ascii
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from diagkit.sources.operations import OPERATION, current_operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from diagkit.sources.holders import Holders

# Who is being served: since when, by `perf_counter_ns`, and what `Callers.who` says.
Asked = tuple[int, str]
ASKED: ContextVar[Asked | None] = ContextVar("diagkit_asked", default=None)
_NOBODY = '"holder":null,"operation":null,"thread":null,"task":null'


class Callers:
    """Stands in front of ``Pool.connect``: no event of a pool tells of who waits.

    Parameters
    ----------
    holders
        Finds who asked.
    stacks
        Whether to say the application's frames above the holder too.
    refused
        Is told of an exception that a caller gets instead of a connection.
    """

    def __init__(
        self, holders: Holders, stacks: bool, refused: Callable[[BaseException], None]
    ) -> None:
        self.waiting: set[int] = set()
        self.active = True
        self._holders = holders
        self._stacks = stacks
        self._refused = refused
        self._thread = threading.local()
        self._pool: Any = None
        self._connect: Any = None

    def meet(self, pool: Any) -> None:
        """Stand in front of a pool."""
        self._pool = pool
        self._connect = pool.connect = self._asks(pool.connect)

    def leave(self) -> None:
        """Go away from the pool, as if nobody had been there."""
        pool, connect = self._pool, self._connect
        if pool.__dict__.get("connect") is not connect:
            return  # somebody else stands in front of this: it stays, and does nothing
        inner = connect.__wrapped__
        if getattr(inner, "__func__", None) is type(pool).connect:
            del pool.connect
        else:
            pool.connect = inner

    def who(self, frame: FrameType) -> str:
        """Say who asks from a frame, as a part of a line.

        Parameters
        ----------
        frame
            Where the asking has come to.

        Returns
        -------
        str
            Members of a JSON object.
        """
        holder = self._holders.asked(frame)
        said = "null"
        if OPERATION.get() is not None:
            said = encode_basestring_ascii(current_operation() or "")
        task = "null"
        if asyncio._get_running_loop() is not None:
            current = asyncio.current_task()
            if current is not None:
                task = encode_basestring_ascii(current.get_name())
        try:
            thread = self._thread.name
        except AttributeError:
            name = threading.current_thread().name
            thread = self._thread.name = encode_basestring_ascii(name)
        who = f'"holder":{holder},"operation":{said},"thread":{thread},"task":{task}'
        if not self._stacks:
            return who
        holders = self._holders
        stack = map(encode_basestring_ascii, map(holders.text, holders.stack(frame)))
        return f'{who},"stack":[{",".join(stack)}]'

    def _asks(self, connect: Callable[[], Any]) -> Callable[[], Any]:
        waiting = self.waiting

        @wraps(connect)
        def asking() -> Any:
            if not self.active:
                return connect()
            since = perf_counter_ns()
            # Here the frames are few that lie before the application's own.
            try:
                who = self.who(sys._getframe(1))
            except Exception:  # noqa: BLE001 - the application must not notice
                who = _NOBODY
            token = ASKED.set((since, who))
            key = id(token)
            waiting.add(key)
            try:
                return connect()
            except BaseException as error:
                self._refused(error)
                raise
            finally:
                waiting.discard(key)
                try:  # noqa: SIM105 - contextlib's way costs as much as the rest
                    ASKED.reset(token)
                except ValueError:
                    pass  # a greenlet that a garbage collector ends, somewhere else

        return asking
