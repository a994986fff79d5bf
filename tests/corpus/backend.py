"""A shop's backend with a route a fault, and routes that have none.

No `annotations` from the future here: FastAPI reads them.
"""

# ruff: noqa: I002
import asyncio
import gc
import logging
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import fastapi
import sqlalchemy as sa
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

LOG = logging.getLogger("shop")
# What the database has before anything goes wrong.
TABLES = (
    "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL UNIQUE)",
    "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL,"
    " amount integer NOT NULL)",
    "INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 20) n",
    "INSERT INTO orders SELECT n, 1 + n % 20, n FROM generate_series(1, 200) n",
)


class Base(DeclarativeBase):
    """Tables of the shop."""


class Customer(Base):
    """Who orders."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Order(Base):
    """What is ordered."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customers.id"))
    amount: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="orders")


class Cart:
    """What a customer is about to order; it refers to itself, as objects do."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.done = self.close

    def close(self) -> None:
        """Give the connection back; nobody calls it."""
        self.link.close()


class Calm:
    """Logs what a handler raises, and answers for it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            LOG.exception("request failed: %s", scope.get("path"))
            await JSONResponse({"detail": "sorry"}, 503)(scope, receive, send)


def build(settings: dict[str, Any]) -> Any:
    """Return the application; `settings` says which database and which pool."""
    shop = Shop(settings)
    app = fastapi.FastAPI(lifespan=shop.live)
    if settings.get("calm"):
        app.add_middleware(Calm)
    for add in (add_healthy, add_leaks, add_waits, add_misuse, add_strangers):
        add(app, shop)
    return app


class Shop:
    """Engines, and what outlives a request."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        url = settings.get("database", "postgresql+psycopg://shop@127.0.0.1:1/shop")
        pool = {
            "pool_size": settings.get("pool_size", 5),
            "max_overflow": settings.get("max_overflow", 0),
            "pool_timeout": settings.get("pool_timeout", 0.5),
            "pool_pre_ping": settings.get("pre_ping", False),
        }
        self.sync = sa.create_engine(url, **pool)
        driver = f"+{settings.get('driver', 'asyncpg')}"
        self.later = create_async_engine(url.replace("+psycopg", driver), **pool)
        self.plain = url.replace("+psycopg", "")
        # What is older than the migration to PostgreSQL.
        self.single = create_async_engine("sqlite+aiosqlite://", poolclass=sa.NullPool)
        self.archive = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        # The session that a developer meant to save.
        self.session = Session(self.sync)
        self.kept: list[Any] = []
        self.lanes: Any = None
        self.link: Any = None

    @asynccontextmanager
    async def live(self, app: Any) -> AsyncIterator[None]:
        """Record the pools for as long as the application runs, where asked to."""
        with ExitStack() as ends:
            if where := self.settings.get("record"):
                from diagkit.sources.recorder import PoolRecorder

                which = self.settings.get("recorded", "sync")
                engine = {"sync": self.sync, "later": self.later}[which]
                clock = make_clock(self.settings.get("haste", 1))
                ends.enter_context(
                    PoolRecorder(engine, where, name="shop", clock=clock)
                )
            yield


def make_clock(haste: int) -> Callable[[], int]:
    """Return a clock on which so many seconds pass in one.

    What is kept for a minute need not keep the tests waiting for as long.
    """
    began = time.time_ns()
    return lambda: began + haste * (time.time_ns() - began)


def add_healthy(app: Any, shop: Shop) -> None:
    """Routes in which nothing is wrong."""

    @app.get("/health")
    async def health() -> str:
        return "up"

    @app.get("/orders/{order}")
    def show_order(order: int) -> int:
        with Session(shop.sync) as session:
            return session.get_one(Order, order).amount

    @app.get("/tiles/{tile}")
    async def show_tile(tile: int) -> int:
        async with AsyncSession(shop.later) as session:
            return (await session.get_one(Order, tile)).amount

    @app.get("/search")
    def search(s: float = 0.2) -> int:
        with shop.sync.connect() as link:
            query = "SELECT count(*) FROM orders, (SELECT pg_sleep(:s)) slow"
            return int(link.scalar(sa.text(query), {"s": s}) or 0)

    @app.get("/report")
    async def report(s: float = 1.0) -> str:
        await asyncio.sleep(s)
        return "done"


def add_leaks(app: Any, shop: Shop) -> None:
    """Routes that do not return what they take."""

    @app.get("/carts/{cart}")
    def fill_cart(cart: int) -> int:
        basket = Cart(shop.sync.connect())
        return int(basket.link.scalar(sa.text("SELECT 1")))

    @app.get("/exports/{export}")
    async def start_export(export: int) -> int:
        session = AsyncSession(shop.later)
        return (await session.get_one(Order, export)).amount

    @app.get("/feeds/{feed}")
    async def read_feed(feed: int) -> int:
        link = await shop.later.connect()
        return int(await link.scalar(sa.text("SELECT 1")) or 0)

    @app.get("/invoices/{invoice}")
    def keep_invoice(invoice: int) -> int:
        link = shop.sync.connect()
        shop.kept.append(link)
        return int(link.scalar(sa.text("SELECT 1")) or 0)

    @app.post("/collect")
    async def collect() -> int:
        # Python does it by itself, when it thinks that it is worth it.
        return gc.collect()


def add_waits(app: Any, shop: Shop) -> None:
    """Routes that wait for a connection, a lock or somebody else."""

    @app.get("/mails/{mail}")
    def send_mail(mail: int, s: float = 0.3) -> int:
        with shop.sync.connect() as link:
            return int(link.scalar(sa.text("SELECT 1 FROM pg_sleep(:s)"), {"s": s}))

    @app.get("/lanes/{lane}")
    async def take_lane(lane: int, s: float = 0.3) -> int:
        if shop.lanes is None:
            shop.lanes = asyncpg.create_pool(shop.plain, min_size=0, max_size=2)
            await shop.lanes
        async with shop.lanes.acquire(timeout=0.15) as link:
            return int(await link.fetchval("SELECT 1 FROM pg_sleep($1)", s))

    @app.get("/transfers/{order}")
    def transfer(order: int, timeout: str = "0") -> int:
        with shop.sync.begin() as link:
            link.execute(sa.text(f"SET LOCAL lock_timeout = '{timeout}'"))
            query = "UPDATE orders SET amount = amount + 1 WHERE id = :id"
            return link.execute(sa.text(query), {"id": order}).rowcount

    @app.get("/swaps/{first}/{second}")
    def swap(first: int, second: int) -> int:
        with shop.sync.begin() as link:
            query = sa.text("UPDATE orders SET amount = amount + 1 WHERE id = :id")
            link.execute(query, {"id": first})
            link.execute(sa.text("SELECT pg_sleep(0.2)"))
            return link.execute(query, {"id": second}).rowcount


def add_misuse(app: Any, shop: Shop) -> None:
    """Routes that use sessions as one must not."""

    @app.get("/customers/{customer}/orders")
    async def show_orders(customer: int) -> int:
        async with AsyncSession(shop.later) as session:
            found = await session.get_one(Customer, customer)
            return len(found.orders)

    @app.get("/customers/{customer}/name")
    async def rename(customer: int) -> str:
        async with AsyncSession(shop.later) as session:
            found = await session.get_one(Customer, customer)
            await session.commit()
            return found.name

    @app.get("/dashboard")
    async def show_dashboard() -> int:
        async with AsyncSession(shop.later) as session:

            async def read(number: int) -> int:
                # So slow that the next comes upon it, however fast the server is.
                await session.execute(sa.text("SELECT pg_sleep(0.02)"))
                return (await session.get_one(Order, number)).amount

            return sum(await asyncio.gather(*map(read, (1, 2, 3))))

    @app.get("/bundle")
    async def show_bundle() -> int:
        # An engine that keeps no connection: what a task loses is for the collector.
        async with AsyncSession(shop.single) as session:
            query = sa.text("SELECT 1")
            await asyncio.gather(session.execute(query), session.execute(query))
        return 1

    @app.get("/ticker")
    async def show_ticker() -> int:
        if shop.link is None:
            shop.link = await asyncpg.connect(shop.plain)
        query = "SELECT 1 FROM pg_sleep(0.05)"
        await asyncio.gather(*(shop.link.fetchval(query) for _ in range(2)))
        return 1

    @app.get("/signup/{customer}")
    def sign_up(customer: int) -> str:
        shop.session.add(Customer(id=customer, name=f"customer {customer}"))
        shop.session.flush()
        return "welcome"

    @app.get("/ledger/{order}")
    async def book(order: int) -> int:
        async with AsyncSession(shop.later) as session:
            with suppress(sa.exc.DBAPIError):
                await session.execute(sa.text("SELECT 1 / 0"))
            return (await session.get_one(Order, order)).amount


def add_strangers(app: Any, shop: Shop) -> None:
    """Routes that fail by themselves, or because of somebody else."""

    @app.get("/totals/{order}")
    def total(order: int) -> int:
        prices = {"1": 10}
        return prices[f"item {order}"]

    @app.get("/rates/{day}")
    async def rate(day: str) -> float:
        return float(day.partition("-")[2])

    @app.get("/stream")
    async def stream() -> Any:
        def lines() -> Iterator[str]:
            yield "id;amount\n"
            msg = "an order without an amount"
            raise ValueError(msg)

        return StreamingResponse(lines())

    @app.get("/runs/{run}")
    def show_run(run: int) -> int:
        with shop.sync.connect() as link:
            query = sa.text("SELECT execution_started_at FROM orders WHERE id = :id")
            return int(link.scalar(query, {"id": run}) or 0)

    @app.get("/audits/{audit}")
    async def show_audit(audit: int) -> int:
        async with shop.later.connect() as link:
            query = sa.text("SELECT steps FROM order_audits WHERE id = :id")
            return int(await link.scalar(query, {"id": audit}) or 0)

    @app.get("/archive/{order}")
    def show_archived(order: int) -> int:
        with shop.archive.connect() as link:
            query = sa.text("SELECT amount FROM archived_orders WHERE id = :id")
            return int(link.scalar(query, {"id": order}) or 0)

    @app.get("/stock/{item}")
    def ask_supplier(item: int) -> str:
        url = f"{shop.settings['supplier']}/stock/{item}"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.read().decode()

    @app.get("/progress/{project}")
    async def show_progress(project: int) -> dict[str, Any]:
        stats = {"total_tasks": 7, "completion_percentage": 100 * project / 7}
        LOG.info("Project stats: %s", stats)
        return stats
