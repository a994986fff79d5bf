"""A service with a fault a route, run by a real uvicorn.

Every fault has an engine of its own, so that its recording and its records are its own.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import diagkit as dk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logging.basicConfig(
    stream=sys.stdout,
    level=logging.INFO,
    format="%(asctime)s [%(levelname)-7s] %(name)s: %(message)s",
)
logging.Formatter.converter = time.gmtime
LOG = logging.getLogger("shop")
POSTGRES = os.environ["SHOP_POSTGRES"]
RECORDINGS = os.environ["SHOP_RECORDINGS"]
ONE = sa.text("select 1")
app = FastAPI()


def make(name: str, url: str = POSTGRES, **options: Any) -> sa.Engine:
    """Make an engine that is recorded."""
    engine = sa.create_engine(url, **options)
    dk.PoolRecorder(engine, f"{RECORDINGS}/{name}", name=name).attach()
    return engine


def make_async(name: str, **options: Any) -> Any:
    """Make an asynchronous engine that is recorded."""
    options = {"poolclass": sa.AsyncAdaptedQueuePool, **options}
    engine = create_async_engine("sqlite+aiosqlite://", **options)
    dk.PoolRecorder(engine, f"{RECORDINGS}/{name}", name=name).attach()
    return engine


tiles = make("tiles", pool_size=5)
small = make("small", pool_size=1, max_overflow=0, pool_timeout=0.2)
keeping = make("keeping", pool_size=10)
locking = make("locking", pool_size=5)
ended = make("ended", connect_args={"application_name": "orders"})
limited = make("limited", os.environ["SHOP_LIMITED"], pool_size=10)
crowded = make("crowded", os.environ["SHOP_PLAIN"])
nowhere = make("nowhere", os.environ["SHOP_NOWHERE"])
nameless = make("nameless", os.environ["SHOP_NAMELESS"])
forgetting = make_async("forgetting", pool_size=20)
running_out = make_async("running_out", pool_size=2, max_overflow=0, pool_timeout=0.2)
tasks = make_async("tasks", poolclass=sa.NullPool)
KEPT: list[Any] = []


class Base(orm.DeclarativeBase):
    """The tables of what is mapped."""


class Item(Base):
    """A thing with a name of its own."""

    __tablename__ = "item"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(unique=True)


poisoned = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
Base.metadata.create_all(poisoned)
session = orm.Session(poisoned)


@app.get("/health")
def health() -> str:
    """Say that the process runs."""
    return "ok"


@app.get("/tiles/{tile}")
def show_tile(tile: int) -> int:
    """Ask the database, and give the connection back."""
    with tiles.connect() as connection:
        connection.execute(ONE)
    LOG.info("tile %d shown", tile)
    return tile


@app.get("/slow-query")
def slow_query() -> None:
    """Take long, once, with nobody waiting for it."""
    with tiles.connect() as connection:
        connection.execute(sa.text("select pg_sleep(0.3)"))
    LOG.warning("slow query: 300 ms")


@app.get("/boom")
def boom() -> None:
    """Raise what nobody catches."""
    prices: dict[str, float] = {}
    LOG.info("price %s", prices["tile"])


@app.get("/stream")
def stream() -> StreamingResponse:
    """Break off when the status is out."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"first;"
        await asyncio.sleep(0)
        msg = "the second part is missing"
        raise ValueError(msg)

    return StreamingResponse(parts())


@app.get("/slow")
async def slow() -> None:
    """Answer too late."""
    await asyncio.sleep(1.2)


@app.get("/report")
def report() -> None:
    """Need the one connection for a while."""
    with small.connect() as connection:
        connection.execute(sa.text("select pg_sleep(0.4)"))


@app.get("/export/{number}")
def export(number: int) -> None:
    """Keep a connection for ever, but that of number 0: nothing logs it."""
    connection = keeping.connect()
    connection.execute(ONE)
    if number:
        KEPT.append(connection)
    else:
        connection.close()


@app.get("/limited")
def connect_limited() -> None:
    """Open connections as a role that may have two."""
    connection = limited.connect()
    KEPT.append(connection)


@app.get("/crowded")
def connect_crowded() -> None:
    """Open a connection as anybody, where all slots may be taken."""
    with crowded.connect() as connection:
        connection.execute(ONE)


@app.get("/users")
def users() -> None:
    """Ask a database where nobody listens."""
    with nowhere.connect() as connection:
        connection.execute(ONE)


@app.get("/invoices")
def invoices() -> None:
    """Ask a database of a name that nobody knows."""
    with nameless.connect() as connection:
        connection.execute(ONE)


@app.get("/catalog")
def catalog() -> None:
    """Ask a service of a name that nobody knows."""
    urlopen("http://catalog.invalid:8080/items", timeout=5)


@app.get("/update")
def update() -> None:
    """Wait for a lock that another transaction keeps."""
    with locking.connect() as first, locking.connect() as second:
        first.execute(sa.text("update shop_item set price = 1 where id = 1"))
        second.execute(sa.text("set lock_timeout = '150ms'"))
        second.execute(sa.text("update shop_item set price = 2 where id = 1"))


@app.get("/orders")
def orders() -> None:
    """Ask with a connection that an administrator may have ended."""
    with ended.connect() as connection:
        connection.execute(ONE)


@app.get("/settings")
def settings() -> None:
    """Ask for a column that the migration has not added."""
    with tiles.connect() as connection:
        connection.execute(sa.text("select execution_started_at from shop_item"))


@app.get("/archive")
def archive() -> None:
    """Ask for a table that the migration has not made."""
    with poisoned.connect() as connection:
        connection.execute(sa.text("select * from archived_item"))


@app.get("/swap")
def swap() -> None:
    """Take the same two locks as somebody else, the other way round."""
    with locking.connect() as first, locking.connect() as second:
        first.execute(sa.text("update shop_item set price = 1 where id = 1"))
        second.execute(sa.text("update shop_item set price = 2 where id = 2"))
        with ThreadPoolExecutor(1) as other:
            asked = sa.text("update shop_item set price = 3 where id = 2")
            waiting = other.submit(first.execute, asked)
            second.execute(sa.text("update shop_item set price = 4 where id = 1"))
            waiting.result()


@app.get("/items/{name}")
def add_item(name: str) -> None:
    """Add an item twice, and go on with the session as if nothing had happened."""
    try:
        session.add(Item(name=name))
        session.flush()
    except sa.exc.IntegrityError:
        LOG.warning("%s is there", name)


@app.get("/aborted")
def aborted() -> None:
    """Use a transaction of PostgreSQL's on after an error."""
    with tiles.connect() as connection:
        try:
            connection.execute(sa.text("select 1 / 0"))
        except sa.exc.DataError:
            LOG.warning("no ratio")
        connection.execute(ONE)


@app.get("/forget/{number}")
async def forget(number: int) -> int:
    """Forget a connection; the collector finds it."""
    await forgetting.connect()
    gc.collect()
    return number


@app.get("/run-out")
async def run_out() -> None:
    """Forget connections until none is left."""
    connection = await running_out.connect()
    # In a cycle, so that it stays out until the collector comes.
    cycle: list[Any] = [connection]
    cycle.append(cycle)


@app.get("/collect")
def collect() -> int:
    """Let the collector come."""
    return gc.collect()


@app.get("/lazy")
async def lazy() -> str:
    """Load what has expired outside of await."""
    async with AsyncSession(tasks) as own:
        await own.run_sync(lambda s: Base.metadata.create_all(s.connection()))
        item = Item(name="lamp")
        own.add(item)
        await own.commit()
        return item.name


@app.get("/shared")
async def shared() -> None:
    """Use one session in two tasks."""
    async with AsyncSession(tasks) as own:
        await asyncio.gather(own.execute(ONE), own.execute(ONE))


@app.get("/percent/{project}")
def percent(project: str) -> None:
    """Log a percentage with all its digits."""
    LOG.info("Project %s: completion_percentage=%s", project, 20 / 39 * 100)
