"""What a checkout is for: the request or the GraphQL operation that is being served."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from diagkit.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]

# Clients choose the names of GraphQL operations, and may choose long ones.
_LONGEST = 200
# A part of a path that names one thing rather than a kind of thing.
_ONE_THING = re.compile(
    r"\d+|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-\w{12}"
)


class _Named(Protocol):
    def text(self) -> str: ...


# What is being done; `current_operation` says it in words.
OPERATION: ContextVar[str | _Named | None] = ContextVar(
    "diagkit_operation", default=None
)


def current_operation() -> str | None:
    """Return what is being done here and now.

    Returns
    -------
    str or None
        As `recorded_operation` or a middleware named it; at most 200 characters.

    Examples
    --------
    >>> with recorded_operation("nightly report"):
    ...     current_operation()
    'nightly report'
    >>> current_operation() is None
    True
    """
    named = OPERATION.get()
    if named is None:
        return None
    return (named if isinstance(named, str) else named.text())[:_LONGEST]


@contextmanager
def recorded_operation(name: str) -> Iterator[None]:
    """Name what is being done: a job, a command, a message from a queue.

    Parameters
    ----------
    name
        What checkouts in this block, and in the tasks that it starts, are for.

    Examples
    --------
    >>> with recorded_operation("job: refresh tiles"):
    ...     current_operation()
    'job: refresh tiles'
    """
    token = OPERATION.set(name)
    try:
        yield
    finally:
        _forget(token)


class OperationMiddleware:
    """ASGI middleware: a checkout is for the method and route of its request.

    Parameters
    ----------
    app
        The ASGI application.

    Examples
    --------
    With FastAPI or Starlette: ``app.add_middleware(OperationMiddleware)``.

    >>> import asyncio
    >>> async def app(scope, receive, send):
    ...     scope["path_params"] = {"project": "17"}
    ...     print(current_operation())
    >>> scope = {"type": "http", "method": "GET", "path": "/projects/17/tiles"}
    >>> asyncio.run(OperationMiddleware(app)(scope, None, None))
    GET /projects/{project}/tiles
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        """Serve one connection of a client."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        token = OPERATION.set(_Request(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            _forget(token)


class _Request:
    """A request's name is known only when a router has looked at it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def text(self) -> str:
        scope = self._scope
        method = scope.get("method") or "WEBSOCKET"
        route = getattr(scope.get("route"), "path", None)
        if not isinstance(route, str):
            route = self._folded()
        return f"{method} {route}"

    def _folded(self) -> str:
        names = {
            str(value): name
            for name, value in (self._scope.get("path_params") or {}).items()
        }
        parts = str(self._scope.get("path", "")).split("/")
        return "/".join(
            f"{{{names[part]}}}"
            if part in names
            else "{id}"
            if _ONE_THING.fullmatch(part)
            else part
            for part in parts
        )


@cache
def strawberry_operations() -> Any:
    """Return a Strawberry extension: a checkout is for its GraphQL operation.

    Returns
    -------
    type
        A ``SchemaExtension``: pass it in ``strawberry.Schema(..., extensions=[...])``.
        Operations are named ``query Tiles``; ``query`` where the client gave no name.

    Raises
    ------
    MissingExtraError
        If ``strawberry-graphql`` is not installed.

    Examples
    --------
    ``schema = strawberry.Schema(Query, extensions=[strawberry_operations()])``

    >>> strawberry_operations.__name__
    'strawberry_operations'
    """
    try:
        extensions: Any = import_module("strawberry.extensions")
    except ImportError:
        msg = (
            "strawberry_operations needs strawberry-graphql: install it beside diagkit"
        )
        raise MissingExtraError(msg) from None

    class RecordedOperations(extensions.SchemaExtension):  # type: ignore[misc]
        def on_operation(self) -> Iterator[None]:
            token = OPERATION.set(_GraphQL(self.execution_context))
            try:
                yield
            finally:
                _forget(token)

    return RecordedOperations


class _GraphQL:
    """An operation's name is known only when its document has been parsed."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def text(self) -> str:
        try:
            kind = self._context.operation_type.value
        except Exception:  # noqa: BLE001 - not parsed, or not to be parsed
            kind = "graphql"
        try:
            name = self._context.operation_name
        except Exception:  # noqa: BLE001
            name = None
        return f"{kind} {name}" if name else str(kind)


def _forget(token: Any) -> None:
    # A generator that is closed from somewhere else: that place has its own.
    with suppress(ValueError):
        OPERATION.reset(token)
