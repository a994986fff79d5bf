"""Forks backends: to load the libraries takes longer than all that a backend does."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

import asyncpg  # noqa: F401 (loaded once, for all)
import psycopg  # noqa: F401
import uvicorn
from sqlalchemy.dialects import postgresql  # noqa: F401
from uvicorn.config import LOGGING_CONFIG

import diagkit.sources.recorder  # noqa: F401
from tests.corpus import backend

DATED = "%(asctime)s - %(levelname)s - %(name)s - %(message)s"


def serve(settings: dict[str, Any]) -> None:
    """Be a backend, as `python -m uvicorn` is, until somebody ends it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    out = os.open(settings["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    logging.basicConfig(format=DATED, level=logging.INFO, stream=sys.stdout)
    uvicorn.run(
        backend.build(settings),
        host=settings.get("host", "127.0.0.1"),
        port=settings["port"],
        timeout_graceful_shutdown=2,
        # Its own has no times; many change that.
        log_config=None if settings.get("dated") else LOGGING_CONFIG,
    )


def main() -> None:
    """Fork a backend for every line that comes; end them all at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                serve(json.loads(line))
            except SystemExit:
                pass  # uvicorn has said why
            except Exception:  # noqa: BLE001 (its log is all that can say it)
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(0)
        children.append(pid)
        print(pid, flush=True)  # noqa: T201 (the answer)
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
