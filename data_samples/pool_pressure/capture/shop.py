"""A shop's back end under test: two pools, and three ways to keep a connection."""

from __future__ import annotations

import asyncio
import inspect
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger("shop")
TABLES = (
    "CREATE TABLE orders (id serial PRIMARY KEY, item integer, amount integer)",
    "CREATE TABLE reports (id integer PRIMARY KEY, lines integer)",
    "INSERT INTO orders (item, amount) SELECT n%50, n%7 FROM generate_series(1,2000) n",
    "INSERT INTO reports SELECT n, n % 4 FROM generate_series(0, 99) n",
)
# How long the supplier's service took, and the search without its index.
SUPPLIER_S, SEARCH_S = 15.0, 12.0


class Shop:
    """The application: requests on an async engine, jobs on a sync one."""

    def __init__(self, url: str) -> None:
        self.api = create_async_engine(
            url,
            pool_size=3,
            max_overflow=2,
            pool_timeout=3,
            connect_args={"application_name": "shop-api"},
        )
        self.jobs = sa.create_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_timeout=3,
            connect_args={"application_name": "shop-jobs"},
        )
        self.watched: list[sa.Connection] = []
        self.lost: list[dict[str, Any]] = []

    def create_tables(self) -> None:
        with self.jobs.begin() as connection:
            for statement in TABLES:
                connection.execute(sa.text(statement))

    async def show_order(self, order: int) -> None:
        async with self.api.connect() as connection:
            query = sa.text("SELECT amount, pg_sleep(0.03) FROM orders WHERE id = :id")
            await connection.execute(query, {"id": order})

    async def place_order(self, item: int) -> None:
        async with self.api.begin() as connection:
            insert = sa.text("INSERT INTO orders (item, amount) VALUES (:item, 1)")
            await connection.execute(insert, {"item": item})
            await asyncio.sleep(0.12)  # the payment

    async def search_orders(self) -> None:
        """Run one query for long: a slow query."""
        async with self.api.connect() as connection:
            query = "SELECT count(*) FROM (SELECT pg_sleep(:s)) slow, orders"
            await connection.execute(sa.text(query), {"s": SEARCH_S})

    async def import_orders(self) -> None:
        """Wait for somebody else within a transaction: a long transaction."""
        async with self.api.begin() as connection:
            insert = sa.text("INSERT INTO orders (item, amount) VALUES (1, 1)")
            await connection.execute(insert)
            await asyncio.sleep(SUPPLIER_S)  # the supplier's service

    def send_invoices(self, item: int) -> None:
        with self.jobs.connect() as connection:
            query = "SELECT sum(amount), pg_sleep(0.08) FROM orders WHERE item = :i"
            connection.execute(sa.text(query), {"i": item})

    def count_stock(self, item: int, *, delisted: bool) -> None:
        """Count an item; what is delisted is watched on, with its connection."""
        connection = self.jobs.connect()
        query = sa.text("SELECT count(*) FROM orders WHERE item = :item")
        connection.execute(query, {"item": item})
        if delisted:
            self.watched.append(connection)
            self.note("jobs", "job: count stock", Shop.count_stock, connection)
            return
        connection.close()

    def note(
        self, pool: str, operation: str, place: Callable[..., Any], connection: Any
    ) -> None:
        """Write down what was lost, by the application's own knowledge."""
        lines, first = inspect.getsourcelines(place)
        line = next(n for n, text in enumerate(lines, first) if ".connect()" in text)
        raw = connection.connection.driver_connection
        self.lost.append(
            {
                "at": datetime.now(UTC).isoformat(timespec="microseconds"),
                "pool": pool,
                "operation": operation,
                "holder": f"shop.py:{line} {place.__qualname__}",
                "connection": str(raw.info.backend_pid),
            }
        )


class Export:
    """A report on its way out; it refers to itself, as objects with callbacks do."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.finished = self.finish
        self.connection: AsyncConnection | None = None

    async def write(self, report: int) -> None:
        self.connection = await self.shop.api.connect()
        query = sa.text("SELECT lines, pg_sleep(0.1) FROM reports WHERE id = :id")
        lines = (await self.connection.execute(query, {"id": report})).scalar_one()
        if not lines:
            LOG.info("report %d is empty", report)
            # The fault: whoever returns here does not close what is open.
            lost = await self.connection.get_raw_connection()
            self.shop.note("api", "GET /reports/{id}", Export.write, _Raw(lost))
            return
        await self.finished()

    async def finish(self) -> None:
        if self.connection is not None:
            await self.connection.close()


class _Raw:
    """Gives a pool's proxy the shape of a connection."""

    def __init__(self, proxy: Any) -> None:
        self.connection = proxy
