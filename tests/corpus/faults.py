"""The faults: what is done to the servers, and what they leave behind.

Each is a function of a `Scene`; its name is the fault's. What it returns are the parts
of a folder by name; a case says which of them the person on call had.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import psycopg

from corpus.clients import ask
from corpus.servers import (
    DEADLINE_S,
    HERE,
    HOST,
    answers,
    find_nginx,
    find_port,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corpus.servers import Process, Servers

# What a folder may have. Text, entries of a HAR file, or a folder that is copied.
Parts = dict[str, Any]
# What is out for so long is held, and more than slow.
HELD_S = 62.0
FAULTS: dict[str, Callable[[Scene], Parts]] = {}


def fault(function: Callable[[Scene], Parts]) -> Callable[[Scene], Parts]:
    """Put a fault into the table."""
    FAULTS[function.__name__] = function
    return function


class Scene:
    """The service, its proxies, and what clients saw of them."""

    # By name: which of the ports is behind it; `None` for one where nobody listens.
    PROXIES = (
        *("good", "slow", "boom", "aborted", "pool", "impatient", "archive"),
        *("nowhere", "dying", "back", "workers"),
    )

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.port, self.dying, self.back, self.workers = (find_port() for _ in range(4))
        self.service = servers.run_service(self.port, "service.log", "service:app")
        self.dying_service = servers.run_service(self.dying, "dying.log")
        self.back_service = servers.run_service(self.back, "back.log")
        self.gunicorn = servers.run_workers(
            self.workers, "workers.log", "--timeout", "1"
        )
        behind = {
            "dying": self.dying,
            "back": self.back,
            "workers": self.workers,
            "nowhere": find_port(),
        }
        self.proxies = {
            name: (find_port(), behind.get(name, self.port)) for name in self.PROXIES
        }
        servers.run_nginx(self.proxies, timeout="500ms")
        for port in (self.port, self.dying, self.back, self.workers):
            wait_for(lambda port=port: answers(port), "a service did not answer")
        self.seen: list[dict[str, Any]] = []
        # These are to be out for a minute when they are looked at, at the end.
        self.began = time.monotonic()
        for number in range(1, 6):
            self.get(f"/export/{number}")

    def get(self, path: str, times: int = 1, proxy: str = "", timeout_s: float = 10):
        """Ask the service, or one of its proxies, and note it."""
        port = self.proxies[proxy][0] if proxy else self.port
        for _ in range(times):
            self.seen.append(ask("GET", f"http://{HOST}:{port}{path}", timeout_s))

    def warm(self, proxy: str = "") -> None:
        """Be an ordinary morning: tiles are shown, and somebody mistypes a URL."""
        for tile in range(6):
            self.get(f"/tiles/{tile}", proxy=proxy)
        self.get("/tilse", 2, proxy=proxy)

    def run(self, name: str) -> Parts:
        """Inject a fault, and gather what it left."""
        self.seen = []
        began = self._mark(f"{name}-begins")
        postgres = _size(self.servers.postgres_log)
        parts = FAULTS[name](self)
        ended = self._mark(f"{name}-ends")
        log = self.service.log.read_text(encoding="utf-8")
        start = log.partition("Application startup complete.\n")
        between = log[log.index(began) : log.index(ended)]
        for entry in self.seen:
            # What clients used is what the compose files publish.
            url = entry["request"]["url"]
            entry["request"]["url"] = re.sub(r"//[^/]*", "//localhost:8000", url)
        usual: Parts = {
            # Without the line of the mark itself.
            "backend.log": "".join(start[:2]) + between.partition("\n")[2],
            "browser.har": self.seen,
            "postgresql.log": _read_from(self.servers.postgres_log, postgres),
        }
        return usual | parts

    def logs_of(self, proxy: str) -> Parts:
        """Return what nginx wrote of one of its servers."""
        folder = self.servers.folder
        return {
            f"{kind}.log": (folder / f"{proxy}.{kind}.log").read_text(encoding="utf-8")
            for kind in ("access", "error")
        }

    def recording(self, name: str) -> Parts:
        """Return what the recorder of an engine wrote."""
        return {"recording": self.servers.recordings / name}

    def _mark(self, name: str) -> str:
        """Leave a mark in the service's log, and wait until it is there."""
        ask("GET", f"http://{HOST}:{self.port}/health?mark={name}")
        mark = f"/health?mark={name} "
        wait_for(lambda: mark in self._log(), f"the log did not say {mark}")
        line = next(line for line in self._log().splitlines() if mark in line)
        return f"{line}\n"

    def _log(self) -> str:
        return self.service.log.read_text(encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read_from(path: Path, start: int) -> str:
    return path.read_bytes()[start:].decode("utf-8") if path.exists() else ""


def _says(process: Process, text: str) -> Callable[[], bool]:
    return lambda: text in process.log.read_text(encoding="utf-8")


# -- nothing is wrong ------------------------------------------------------------------


@fault
def healthy(scene: Scene) -> Parts:
    """Show tiles; a query is slow, a URL mistyped."""
    scene.warm(proxy="good")
    scene.get("/slow-query", proxy="good")
    return {**scene.logs_of("good"), **scene.recording("tiles"), "compose": STACKS}


# -- infrastructure --------------------------------------------------------------------

STACKS = {
    "prod": """
services:
  backend:
    image: shop
    ports: ["8000:8000"]
    healthcheck: {test: ["CMD", "curl", "-f", "http://127.0.0.1:8000/health"]}
""",
    "tools": """
services:
  metrics:
    image: prom/prometheus
    ports: ["9090:9090"]
    healthcheck: {test: ["CMD", "true"]}
""",
}
TAKEN = {
    "shop": """
services:
  backend: {image: shop, ports: ["8000:8000"], healthcheck: {test: ["CMD", "true"]}}
  mock:
    image: mock
    ports: ["${MOCK_PORT:-8000}:80"]
    healthcheck: {test: ["CMD", "true"]}
"""
}
WANTED = {
    "shop": """
services:
  backend: {image: shop, ports: ["8000:8000"], healthcheck: {test: ["CMD", "true"]}}
""",
    "other": """
services:
  api: {image: other, ports: ["0.0.0.0:8000:80"], healthcheck: {test: ["CMD", "true"]}}
""",
}
LOCAL = {
    "prod": """
services:
  backend:
    image: shop
    environment: {DATABASE_URL: "postgresql://shop@localhost:5432/shop"}
    ports: ["8000:8000"]
    healthcheck: {test: ["CMD", "true"]}
  db: {image: postgres, healthcheck: {test: ["CMD", "pg_isready"]}}
"""
}
CLOSED = {
    "dev": WANTED["shop"],
    "prod": """
services:
  backend: {image: shop, healthcheck: {test: ["CMD", "true"]}}
  web: {image: nginx, ports: ["80:80"], healthcheck: {test: ["CMD", "true"]}}
""",
}


@fault
def port_taken(scene: Scene) -> Parts:
    """Start a second service on the port of the first."""
    second = scene.servers.run_service(scene.port, "second.log")
    second.popen.wait(timeout=DEADLINE_S)
    text = second.log.read_text(encoding="utf-8").replace(str(scene.port), "8000")
    scene.get("/health", 3)
    return {"backend.log": text, "compose": TAKEN, "stacks": WANTED}


@fault
def workers_without_port(scene: Scene) -> Parts:
    """Start gunicorn on a port that is taken."""
    other = scene.servers.run_workers(scene.workers, "taken.log")
    other.popen.wait(timeout=DEADLINE_S)
    return {"backend.log": other.log.read_text(encoding="utf-8")}


@fault
def local_database(scene: Scene) -> Parts:
    """Name the database ``localhost`` in a container that has none."""
    scene.get("/users", 3)
    return {"compose": LOCAL}


@fault
def not_published(scene: Scene) -> Parts:
    """Ask a port of this host that nobody published; health checks go on inside."""
    closed = find_port()
    for path in ("/tiles/1", "/tiles/2", "/login"):
        scene.seen.append(ask("GET", f"http://{HOST}:{closed}{path}"))
    for _ in range(5):
        ask("GET", f"http://{HOST}:{scene.port}/health")
    return {"compose": CLOSED}


@fault
def wrong_upstream(scene: Scene) -> Parts:
    """Ask a proxy whose upstream is a port where nobody listens."""
    scene.warm(proxy="nowhere")
    return scene.logs_of("nowhere")


@fault
def wrong_database(scene: Scene) -> Parts:
    """Ask a database at an address where nobody listens."""
    scene.warm()
    scene.get("/users", 4)
    return {}


@fault
def proxy_without_name(scene: Scene) -> Parts:
    """Start a proxy whose upstream has a name that nobody knows."""
    folder = scene.servers.folder / "nameless"
    folder.mkdir()
    conf = (HERE / "nginx.conf").read_text(encoding="utf-8").replace("# ---\n", "")
    named = {"name": "nameless", "listen": f"{HOST}:{find_port()}", "timeout": "1s"}
    named |= {"upstream": "backend.invalid:8000", "folder": str(folder)}
    for key, value in named.items():
        conf = conf.replace(f"@{key}@", value)
    (folder / "nginx.conf").write_text(conf, encoding="utf-8")
    command = [find_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, text=True)
    assert done.returncode != 0
    scene.seen.append(ask("GET", f"http://{named['listen']}/tiles/1"))
    # What a container's log has of it: the file is not open yet.
    return {"error.log": done.stderr.replace(str(folder), "/etc/nginx")}


@fault
def database_without_name(scene: Scene) -> Parts:
    """Ask a database of a name that nobody knows."""
    scene.get("/tiles/1", 3)
    scene.get("/invoices", 3)
    return {}


@fault
def service_without_name(scene: Scene) -> Parts:
    """Ask another service of a name that nobody knows."""
    scene.get("/tiles/1", 3)
    scene.get("/catalog", 4)
    return {}


# -- service ---------------------------------------------------------------------------


@fault
def killed(scene: Scene) -> Parts:
    """Kill the service behind a proxy."""
    scene.warm(proxy="dying")
    scene.dying_service.end(signal.SIGKILL)
    scene.get("/tiles/7", 8, proxy="dying")
    log = scene.dying_service.log.read_text(encoding="utf-8")
    return {**scene.logs_of("dying"), "backend.log": log}


@fault
def restarted(scene: Scene) -> Parts:
    """Stop the service behind a proxy, and start it again."""
    scene.warm(proxy="back")
    scene.back_service.end()
    scene.get("/tiles/7", 6, proxy="back")
    scene.back_service.start()
    wait_for(lambda: answers(scene.back), "it did not come back")
    scene.get("/tiles/8", 4, proxy="back")
    log = scene.back_service.log.read_text(encoding="utf-8")
    return {**scene.logs_of("back"), "backend.log": log}


@fault
def hanging_worker(scene: Scene) -> Parts:
    """Let a worker hang until its master kills it."""
    scene.get("/", 6, proxy="workers")
    scene.get("/hang", 2, proxy="workers")
    wait_for(_says(scene.gunicorn, "WORKER TIMEOUT"), "no worker timed out")
    wait_for(lambda: answers(scene.workers, "/"), "no worker came again")
    log = scene.gunicorn.log.read_text(encoding="utf-8")
    return {**scene.logs_of("workers"), "backend.log": log}


@fault
def killed_worker(scene: Scene) -> Parts:
    """Kill a worker as the kernel does that has no memory left."""
    port = find_port()
    other = scene.servers.run_workers(port, "killed.log")
    wait_for(lambda: answers(port, "/"), "gunicorn did not answer")
    for path in ("/", "/", "/eat", "/"):
        scene.seen.append(ask("GET", f"http://{HOST}:{port}{path}"))
    wait_for(_says(other, "SIGKILL"), "nobody told of the kill")
    wait_for(lambda: answers(port, "/"), "no worker came again")
    return {"backend.log": other.log.read_text(encoding="utf-8")}


@fault
def ended_by_server(scene: Scene) -> Parts:
    """End the service's sessions at the server, as a restart of it does."""
    for _ in range(3):
        scene.get("/orders", 2)
        with psycopg.connect(scene.servers.postgres, autocommit=True) as db:
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'orders'"
            )
        scene.get("/orders", 2)
    return {}


@fault
def role_limit(scene: Scene) -> Parts:
    """Open more connections than the role may have."""
    scene.get("/tiles/1", 3)
    scene.get("/limited", 6)
    return {}


@fault
def slots_taken(scene: Scene) -> Parts:
    """Take all slots of the server."""
    scene.get("/tiles/1", 3)
    with ExitStack() as stack:
        with suppress(psycopg.OperationalError):
            for _ in range(40):
                stack.enter_context(psycopg.connect(scene.servers.postgres))
        scene.get("/crowded", 5)
    return {}


@fault
def small_pool(scene: Scene) -> Parts:
    """Ask at once for what has one connection."""
    scene.get("/report", 2, proxy="pool")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            list(pool.map(lambda _: scene.get("/report", proxy="pool"), range(8)))
    return {**scene.logs_of("pool"), **scene.recording("small")}


@fault
def locked(scene: Scene) -> Parts:
    """Wait for a lock that another transaction keeps."""
    scene.warm()
    scene.get("/update", 4)
    return {}


@fault
def slow_upstream(scene: Scene) -> Parts:
    """Answer later than the proxy waits."""
    scene.warm(proxy="slow")
    scene.get("/slow", 3, proxy="slow")
    return scene.logs_of("slow")


@fault
def gave_up(scene: Scene) -> Parts:
    """Wait for a proxy less long than it waits itself."""
    scene.warm(proxy="impatient")
    scene.get("/slow", 4, proxy="impatient", timeout_s=0.2)
    gone = scene.servers.folder / "impatient.access.log"
    wait_for(lambda: gone.read_text().count(" 499 ") == 4, "nginx saw nobody go")
    return scene.logs_of("impatient")


@fault
def deadlock(scene: Scene) -> Parts:
    """Let two transactions wait for each other."""
    scene.warm()
    scene.get("/swap", 3)
    return {}


# -- code ------------------------------------------------------------------------------


@fault
def async_leak(scene: Scene) -> Parts:
    """Forget connections of an asynchronous engine."""
    for number in range(8):
        scene.get(f"/forget/{number}")
        scene.get(f"/tiles/{number}")
    return scene.recording("forgetting")


@fault
def leak_until_dry(scene: Scene) -> Parts:
    """Forget connections until the pool has none."""
    for _ in range(3):
        scene.get("/run-out", 4)
        scene.get("/collect", 2)
    return scene.recording("running_out")


@fault
def poisoned_session(scene: Scene) -> Parts:
    """Use a session on after a failed flush."""
    scene.get("/items/lamp", 5)
    return {}


@fault
def aborted_transaction(scene: Scene) -> Parts:
    """Use a transaction of PostgreSQL's on after an error."""
    scene.warm(proxy="aborted")
    scene.get("/aborted", 4, proxy="aborted")
    return scene.logs_of("aborted")


@fault
def lazy_load(scene: Scene) -> Parts:
    """Load outside of await."""
    scene.get("/tiles/1", 2)
    scene.get("/lazy", 3)
    return {}


@fault
def shared_session(scene: Scene) -> Parts:
    """Use one session in two tasks."""
    scene.get("/tiles/1", 2)
    scene.get("/shared", 3)
    scene.get("/collect", 2)
    return {}


@fault
def uncaught(scene: Scene) -> Parts:
    """Raise what nobody catches."""
    scene.warm(proxy="boom")
    scene.get("/boom", 5, proxy="boom")
    return scene.logs_of("boom")


@fault
def broken_stream(scene: Scene) -> Parts:
    """Break off when the status is out."""
    scene.get("/tiles/1", 3)
    scene.get("/stream", 4)
    return {}


# -- data ------------------------------------------------------------------------------


@fault
def missing_column(scene: Scene) -> Parts:
    """Ask for a column that the migration has not added."""
    scene.get("/tiles/1", 3)
    scene.get("/settings", 4)
    return {}


@fault
def missing_table(scene: Scene) -> Parts:
    """Ask for a table that the migration has not made."""
    scene.warm(proxy="archive")
    scene.get("/archive", 3, proxy="archive")
    return scene.logs_of("archive")


@fault
def missing_starts(scene: Scene) -> Parts:
    """Show percentages of projects whose starts a migration left empty."""
    for number in range(4):
        scene.get(f"/percent/project-{number}")
    return {"progress": dict(_write_projects())}


def _write_projects() -> Iterator[tuple[str, str]]:
    projects = ["project_id,created_at,execution_status,execution_started_at"]
    tasks = ["task_id,project_id,task_name,agent_type,status,created_at,started_at"]
    for number in range(12):
        old = number < 7
        day = f"2025-11-{10 + number:02d}"
        start = "" if old else f"{day} 09:00:00"
        projects.append(f"project-{number},{day} 08:00:00,running,{start}")
        for task in range(8):
            status = "completed" if task < 5 else "running"
            at = f"{day} 09:{10 + task}:00Z"
            tasks.append(
                f"t{number}-{task},project-{number},n{task},a,{status},{at},{at}"
            )
    yield "llm_project_config.csv", "\n".join(projects) + "\n"
    yield "agent_tasks.csv", "\n".join(tasks) + "\n"


@fault
def sync_leak(scene: Scene) -> Parts:
    """Look at connections kept since the beginning: nothing is logged."""
    wait_for(lambda: time.monotonic() > scene.began + HELD_S, "time did not pass")
    for number in range(3):
        scene.get("/export/0")
        scene.get(f"/tiles/{number}")
    return scene.recording("keeping")
