"""The application as a process of its own, and the ports that it needs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(scratch: Path, port: int, database_port: int) -> Iterator[None]:
    """Run uvicorn until the block ends; its output is appended to one file."""
    command = [sys.executable, "-m", "uvicorn", "dashboard.server:app"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (scratch / "console.log").open("ab") as console:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env=_environment(scratch, database_port),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_up(f"http://127.0.0.1:{port}/health", process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def _environment(scratch: Path, database_port: int) -> dict[str, str]:
    url = f"postgresql+psycopg://dashboard@127.0.0.1:{database_port}/dashboard"
    return {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DASHBOARD_DATABASE_URL": url,
        "DASHBOARD_API_LOG": str(scratch / "api.log"),
        "DASHBOARD_LEDGER": str(scratch / "ledger.jsonl"),
        "DASHBOARD_POOL_SAMPLES": str(scratch / "pool_samples.csv"),
    }


def _wait_until_up(url: str, process: subprocess.Popen) -> None:
    while process.poll() is None:
        try:
            httpx.get(url, timeout=1)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    message = f"the server ended with code {process.returncode}; see console.log"
    raise RuntimeError(message)
