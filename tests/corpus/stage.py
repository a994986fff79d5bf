"""Plays a case with real servers, and writes the folder that is left of it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.corpus.client import Client
from tests.corpus.processes import (
    Nursery,
    await_that,
    end,
    free_port,
    is_alive,
    is_open,
    says,
    start,
)
from tests.corpus.servers import Deaf, Nginx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.corpus.servers import Postgres

    Step = Callable[["Stage"], None]

# Where the proxy passes requests on, by its name.
LOCATIONS = {
    "plain": "location / { proxy_pass http://127.0.0.1:@target; }",
    "hasty": "location / { proxy_pass http://127.0.0.1:@target;"
    " proxy_read_timeout 400ms; }",
    "group": "location / { proxy_pass http://shop; }",
    "strict": "location / { proxy_pass http://api.shop.invalid:@target; }",
    "late": "resolver 127.0.0.1:@resolver ipv6=off; set $api api.shop.invalid;"
    " location / { proxy_pass http://$api:@target; }",
    "elsewhere": "location / { proxy_pass http://127.0.0.2:@target; }",
    "two": "location / { proxy_pass http://127.0.0.1:@target; }"
    " location /admin/ { proxy_pass http://127.0.0.1:@nobody/; }",
}
GROUP = (
    "upstream shop { server 127.0.0.1:@target max_fails=1 fail_timeout=30s;"
    " server 127.0.0.1:@nobody max_fails=1 fail_timeout=30s; }"
)


@dataclass(frozen=True)
class Case:
    """An incident with one cause.

    `code` is the right hypothesis, `steps` is what happens, `keep` are the sources that
    are left: of ``access``, ``error``, ``console``, ``har``, ``lines``, ``postgres``,
    ``recording``, ``progress``. `backend` are settings of the application, `proxy` is a
    name of `LOCATIONS`, `log` the format of the proxy's access log, `files` are texts
    that lie in the folder besides: compose files. `toml` are further lines of
    ``incident.toml``. `held_out` says whether it was left aside while weights were
    chosen, where the hash of its name does not (`tests.corpus.cases.name_part`).
    """

    name: str
    code: str
    steps: tuple[Step, ...]
    keep: tuple[str, ...]
    backend: Mapping[str, Any] = field(default_factory=dict)
    proxy: str = ""
    log: str = "combined"
    files: Mapping[str, str] = field(default_factory=dict)
    toml: str = ""
    held_out: bool | None = None

    @property
    def origin(self) -> str:
        """What clients name where compose files publish ports; empty: what they use."""
        if not self.files:
            return ""
        return "http://localhost" if self.proxy else "http://localhost:8000"


@dataclass
class Stage:
    """What a case is played on."""

    case: Case
    folder: Path
    scratch: Path
    nursery: Nursery
    postgres: Postgres
    exits: ExitStack = field(default_factory=ExitStack)
    client: Client = field(default_factory=Client)
    nginx: Nginx | None = None
    pids: list[int] = field(default_factory=list)
    held: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port, self.nobody = free_port(), free_port()
        self.console = self.scratch / "console.log"
        self.since = self.postgres.log.stat().st_size

    def play(self) -> None:
        """Do all steps, end all that runs, and write the folder."""
        with self.exits:
            for step in self.case.steps:
                step(self)
        self._write()

    def start_backend(self, host: str = "127.0.0.1", **more: Any) -> None:
        """Start the application, and wait until it answers or has ended."""
        settings = {
            "database": self.postgres.url,
            "port": self.port,
            "host": host,
            "log": str(self.console),
            "supplier": f"http://127.0.0.1:{self.nobody}",
            "record": str(self.scratch / "recording")
            if "recording" in self.case.keep
            else "",
        }
        settings |= dict(self.case.backend) | more
        log, up = Path(settings["log"]), "Uvicorn running on"
        times = log.read_text().count(up) + 1 if log.exists() else 1
        pid = self.nursery.fork(settings)
        self.exits.callback(self._end, pid, signal.SIGKILL)
        # That the port is open does not tell who listens.
        await_that(lambda: not is_alive(pid) or says(log, up, times), "it runs")
        self.pids.append(pid)

    def end_backend(self, sent: int = signal.SIGTERM, pid: int | None = None) -> None:
        """End the application that was started last: told to, or killed."""
        self._end(self.pids[-1] if pid is None else pid, sent)

    def _end(self, pid: int, sent: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
        await_that(lambda: not is_alive(pid), "the backend has ended")

    def start_workers(self, *words: str) -> None:
        """Start a server with several workers: ``python -m`` these words."""
        words = tuple(self.fill(word) for word in words)
        process = start([sys.executable, "-m", *words], self.console)
        # Its log was copied while it ran: it says nothing of an end.
        self.exits.callback(end, process, signal.SIGKILL)
        await_that(
            lambda: process.poll() is not None or is_open(self.port), "workers run"
        )

    def start_proxy(self) -> None:
        """Start nginx before the backend."""
        where = LOCATIONS[self.case.proxy]
        extra = GROUP if self.case.proxy == "group" else ""
        if "@resolver" in where:
            resolver = Deaf()
            self.exits.callback(resolver.close)
            where = where.replace("@resolver", str(resolver.port))
        nginx = Nginx(self.scratch, self.fill(where), self.case.log, self.fill(extra))
        self.exits.callback(nginx.close)
        nginx.start()
        self.nginx = nginx

    def fill(self, text: str) -> str:
        """Put this stage's ports into a text."""
        known = {
            "@target": self.port,
            "@public": self.nginx.port if self.nginx else self.port,
            "@database": self.postgres.port,
            "@nobody": self.nobody,
        }
        for name, port in known.items():
            text = text.replace(name, str(port))
        return text

    def _write(self) -> None:
        keep = self.case.keep
        self.folder.mkdir(parents=True)
        toml = f'zone = "UTC"\n{self.case.toml}'
        (self.folder / "incident.toml").write_text(toml, encoding="ascii")
        for name, text in self.case.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.fill(text), encoding="utf-8")
        logs = {"console": self.console, "access": self.scratch / "access.log"}
        logs["error"] = self.scratch / "error.log"
        for name in ("console", "access", "error"):
            if name in keep:
                logs[name].rename(self.folder / logs[name].name)
        if "postgres" in keep:
            said = self.postgres.log.read_bytes()[self.since :]
            (self.folder / "postgresql.log").write_bytes(said)
        for name in ("recording", "progress"):
            if name in keep:
                (self.scratch / name).rename(self.folder / name)
        if "har" in keep:
            self.client.write_har(self.folder / "browser.har", self.case.origin)
        if "lines" in keep:
            self.client.write_lines(self.folder / "curl.jsonl", self.case.origin)
