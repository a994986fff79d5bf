"""Background work of the server: pool samples and housekeeping."""

from __future__ import annotations

import asyncio
import csv
import gc
import os
from datetime import UTC, datetime

from .database import engine, reports_engine
from .settings import SETTINGS

COLUMNS = (
    "sampled_at",
    "instance",
    "pid",
    "size",
    "checkedin",
    "checkedout",
    "overflow",
    "status",
    "max_overflow",
)
POOLS = (
    ("api", engine, SETTINGS.max_overflow),
    ("reports", reports_engine, SETTINGS.reports_max_overflow),
)


async def sample_pools() -> None:
    """Write a row a pool every second, the pool's own figures untouched."""
    loop = asyncio.get_running_loop()
    path = SETTINGS.pool_samples
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        due = loop.time()
        while True:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            for name, source, limit in POOLS:
                pool = source.pool
                figures = (pool.size(), pool.checkedin(), pool.checkedout())
                row = (now, name, os.getpid(), *figures, pool.overflow())
                writer.writerow((*row, pool.status(), limit))
            file.flush()
            due += 1.0
            await asyncio.sleep(max(0.0, due - loop.time()))


async def keep_house() -> None:
    """Collect garbage now and then.

    Automatic collections are made rare at start, for shorter pauses under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    while True:
        await asyncio.sleep(SETTINGS.housekeeping_s)
        gc.collect()


async def collect_everything() -> None:
    """Collect until nothing is left that a finished request has lost."""
    gc.unfreeze()
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.1)
