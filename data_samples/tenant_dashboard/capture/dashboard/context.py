"""The GraphQL context: a session opened at first use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from starlette.requests import HTTPConnection  # noqa: TC002 (FastAPI reads it)
from strawberry.fastapi import BaseContext

from .database import sessions, take
from .ledger import LEDGER, Lease

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession

logger = logging.getLogger("api.graphql.context")


class GraphQLContext(BaseContext):
    """Holds one lazily opened session for one GraphQL connection."""

    def __init__(self) -> None:
        super().__init__()
        self._session: AsyncSession | None = None
        self._lease: Lease | None = None
        self._exited = False

    async def __aenter__(self) -> Self:
        """Begin; nothing is opened yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session, if one was opened."""
        self._exited = True
        await self.close()

    def __del__(self) -> None:
        """Complain when nobody has called `__aexit__`."""
        if not self._exited:
            logger.warning(
                "GraphQL context deleted without __aexit__ being called"
                " - potential connection leak"
            )

    @property
    def lost_lease(self) -> Lease | None:
        """The lease whose connection is out with nobody left to return it."""
        return self._lease if self._lease and self._lease.is_held() else None

    async def open_session(self) -> AsyncSession:
        """Return this context's session, connected."""
        if self._session is None:
            session = sessions()
            self._lease = await take(session, depth=2)
            self._session = session
        return self._session

    async def close(self) -> None:
        """Return the connection to the pool."""
        session, self._session, self._lease = self._session, None, None
        if session is not None:
            await session.close()


async def get_context(connection: HTTPConnection) -> AsyncIterator[GraphQLContext]:
    """Yield the context of a request or of a WebSocket."""
    context = GraphQLContext()
    if connection.scope["type"] == "http":
        async with context:
            yield context
        return
    # FAULT 1: "subscriptions outlive their request and close what they open".
    # They do when they run to their end; cut off or failed, nobody does.
    try:
        yield context
    finally:
        lease = context.lost_lease
        LEDGER.note("websocket_context_abandoned", with_connection=lease is not None)
        if lease is not None:
            LEDGER.leaked(lease, trace=True)
