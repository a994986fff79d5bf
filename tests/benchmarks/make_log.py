"""Write a log of a given size, in the mixed shapes of the case study.

    uv run python tests/benchmarks/make_log.py build/bench/1g.log 1000

Text records, JSON records and uvicorn's lines interleaved; a tenth of the lines stand
in tracebacks. The same size and seed give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START = dt.datetime(2025, 11, 24, tzinfo=dt.UTC)
TIMEOUT = (
    "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout "
    "30.00 (Background on this error at: https://sqlalche.me/e/20/3o7r)"
)
LEAK = (
    "The garbage collector is trying to clean up non-checked-in connection "
    "<AdaptedConnection <psycopg.AsyncConnection [INTRANS] (host=127.0.0.1 port=5432 "
    "user=app database=app) at 0x{:012x}>>, which will be dropped, as it cannot be "
    "safely terminated.  Please ensure that SQLAlchemy pooled connections are returned "
    "to the pool explicitly, either by calling ``close()`` or by using appropriate "
    "context managers to manage their lifecycle."
)
POOL = "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"
LOGGERS = (
    "api.graphql.resolvers",
    "api.graphql.context",
    "api.main",
    "api.services.tenant_service",
    "strawberry.execution",
    "api.routers.admin_api",
)
MESSAGES = (
    "Querying project with id: project-{}",
    "Found project: project-{}, execution_status: running",
    "list_tenants_request page={} size=20",
    "Task task-{} updated: status=completed progress=100",
    "Stats for tenant {}: {{'completion_percentage': 51.69491525423729}}",
    "subscription tick {} sent to 14 clients, 0 dropped",
)
FRAMES = 19
TRACEBACK = "\n".join(
    [
        "Traceback (most recent call last):",
        *(
            f'  File "/srv/venv/lib/python3.12/site-packages/sqlalchemy/{n}.py", line '
            f"{100 + n}, in step\n    result = await self.step(arguments, **options)"
            for n in range(FRAMES)
        ),
        f"sqlalchemy.exc.TimeoutError: {TIMEOUT}",
    ]
)
TRACEBACK_LINES = TRACEBACK.count("\n") + 1
TRACEBACK_SHARE = 0.1


def write_log(path: Path, megabytes: int, seed: int = 1) -> None:
    """Write a log of about so many million bytes; nothing, if it is there already."""
    if path.exists() and path.stat().st_size >= megabytes * 1_000_000:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for text in _records(random.Random(seed)):
            stream.write(text)
            written += len(text)
            if written >= megabytes * 1_000_000:
                break


def _records(rng: random.Random) -> Iterator[str]:
    at, lines, in_tracebacks, number = START, 0, 0, 0
    while True:
        number += 1
        at += dt.timedelta(milliseconds=rng.randrange(20))
        chance = rng.random()
        if in_tracebacks < TRACEBACK_SHARE * lines:
            yield _text(at, "ERROR", "strawberry.execution", f"{TIMEOUT}\n{TRACEBACK}")
            lines += TRACEBACK_LINES
            in_tracebacks += TRACEBACK_LINES
        elif chance < 0.002:
            yield _text(at, "ERROR", POOL, LEAK.format(rng.getrandbits(44)))
        elif chance < 0.25:
            yield _json(at, rng, number)
        elif chance < 0.45:
            port = 40000 + number % 20000
            yield f'INFO:     127.0.0.1:{port} - "POST /graphql HTTP/1.1" 200 OK\n'
        else:
            message = rng.choice(MESSAGES).format(number)
            yield _text(at, "INFO", rng.choice(LOGGERS), message)
        lines += 1


def _text(at: dt.datetime, level: str, logger: str, message: str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} [{level:8}] {logger}: {message}\n"


def _json(at: dt.datetime, rng: random.Random, number: int) -> str:
    message = rng.choice(MESSAGES).format(number)
    return (
        f'{{"timestamp": "{at.isoformat()}", "level": "INFO", '
        f'"logger": "{rng.choice(LOGGERS)}", "message": "{message}", '
        f'"taskName": "Task-{number}"}}\n'
    )


if __name__ == "__main__":
    write_log(Path(sys.argv[1]), int(sys.argv[2]))
