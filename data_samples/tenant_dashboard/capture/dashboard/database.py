"""Engines and sessions: an async engine for the API, a sync one for reports."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from .ledger import LEDGER, Lease, caller_place
from .settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

SESSION_OPTIONS = "-c timezone=UTC"

engine = create_async_engine(
    SETTINGS.database_url,
    pool_size=SETTINGS.pool_size,
    max_overflow=SETTINGS.max_overflow,
    pool_timeout=SETTINGS.pool_timeout_s,
    connect_args={"application_name": "dashboard-api", "options": SESSION_OPTIONS},
)
reports_engine = create_engine(
    SETTINGS.database_url,
    pool_size=SETTINGS.reports_pool_size,
    max_overflow=SETTINGS.reports_max_overflow,
    pool_timeout=SETTINGS.pool_timeout_s,
    pool_logging_name="reports",
    connect_args={
        "application_name": "dashboard-reports",
        "options": SESSION_OPTIONS,
    },
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
TENANT = text("SELECT set_config('app.tenant', 'demo', true)")


async def take(session: AsyncSession, depth: int = 1) -> Lease:
    """Give `session` its connection and tell PostgreSQL the tenant.

    Returns
    -------
    Lease
        Which connection it is, and the place `depth` frames up that took it.
    """
    place = caller_place(depth)
    try:
        connection = await session.connection()
    except PoolTimeoutError:
        LEDGER.note("pool_timeout", pool="api", place=place)
        raise
    raw = await connection.get_raw_connection()
    address = hex(id(raw.driver_connection))
    await connection.execute(TENANT)
    return Lease(place, address, connection)


def take_sync(depth: int = 1) -> tuple[Connection, Lease]:
    """Take a connection of the reports' pool."""
    place = caller_place(depth)
    try:
        connection = reports_engine.connect()
    except PoolTimeoutError:
        LEDGER.note("pool_timeout", pool="reports", place=place)
        raise
    address = hex(id(connection.connection.driver_connection))
    return connection, Lease(place, address, connection)


@asynccontextmanager
async def session_scope() -> AsyncIterator[AsyncSession]:
    """Yield a session that is closed whatever happens."""
    async with sessions() as session:
        await take(session, depth=3)
        yield session
