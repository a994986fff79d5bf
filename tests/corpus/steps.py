"""What may happen in a case, each as a function of its stage."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from tests.corpus.processes import await_that, says

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus.stage import Stage

    Step = Callable[[Stage], None]


def ask(
    path: str,
    times: int = 1,
    *,
    to: str = "",
    method: str = "GET",
    timeout_s: float = 10.0,
    together: bool = False,
    unheard: bool = False,
) -> Step:
    """Have the client ask, ``#`` standing for 1, 2, 3 ...

    It asks the proxy where there is one, else the backend; `to` says otherwise:
    ``backend``, ``nobody``, ``other`` (an address of its own). What is `unheard` is
    asked by somebody whose browser nobody looked into.
    """

    def step(stage: Stage) -> None:
        port = stage.nginx.port if stage.nginx else stage.port
        address = {
            "": ("127.0.0.1", port),
            "backend": ("127.0.0.1", stage.port),
            "nobody": ("127.0.0.1", stage.nobody),
            "other": ("127.0.0.2", stage.port),
        }[to]
        paths = [path.replace("#", str(number)) for number in range(1, times + 1)]
        before = list(stage.client.asked)
        stage.client.ask(address, paths, method, timeout_s, together)
        if unheard:
            stage.client.asked = before

    return step


def ask_both(*paths: str) -> Step:
    """Have the client ask for several paths at once."""
    return lambda stage: stage.client.ask(
        ("127.0.0.1", stage.port), list(paths), together=True
    )


def start_backend(host: str = "127.0.0.1", **more: Any) -> Step:
    """Start the application."""

    def step(stage: Stage) -> None:
        filled = {key: stage.fill(str(value)) for key, value in more.items()}
        if "port" in filled:
            filled["port"] = int(filled["port"])
        stage.start_backend(host, **filled)

    return step


def start_other(**more: Any) -> Step:
    """Start an application of somebody else on the port that this one wants."""

    def step(stage: Stage) -> None:
        stage.start_backend(log=str(stage.scratch / "other.log"), record="", **more)

    return step


def start_proxy() -> Step:
    """Start nginx."""
    return lambda stage: stage.start_proxy()


def start_workers(*words: str) -> Step:
    """Start a server with several workers."""
    return lambda stage: stage.start_workers(*words)


def stop() -> Step:
    """Tell the backend to end."""
    return lambda stage: stage.end_backend()


def kill() -> Step:
    """Kill the backend."""
    return lambda stage: stage.end_backend(signal.SIGKILL)


def end_all() -> Step:
    """Kill all backends."""

    def step(stage: Stage) -> None:
        for pid in stage.pids:
            stage.end_backend(signal.SIGKILL, pid)

    return step


def kill_during(path: str, times: int = 3) -> Step:
    """Kill the backend while requests are under way."""

    def step(stage: Stage) -> None:
        asking = threading.Thread(
            target=ask(path, times, together=True), args=(stage,), daemon=True
        )
        asking.start()
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%'"
        with stage.postgres.admin("shop") as link:
            # The one that counts names what it looks for, too.
            await_that(
                lambda: link.execute(query).fetchone()[0] > times, "they are asked"
            )
        stage.end_backend(signal.SIGKILL)
        asking.join()

    return step


def wait_for_database(text: str, times: int = 1) -> Step:
    """Wait until PostgreSQL's log says something, in this case."""

    def step(stage: Stage) -> None:
        await_that(
            lambda: (
                stage.postgres.log.read_bytes()[stage.since :].count(text.encode())
                >= times
            ),
            f"PostgreSQL says {text!r}",
        )

    return step


def wait_for(text: str, times: int = 1, log: str = "console.log") -> Step:
    """Wait until a log says something."""
    return lambda stage: await_that(
        lambda: says(stage.scratch / log, text, times), f"{log} says {text!r}"
    )


def let_pass(seconds: float) -> Step:
    """Let time pass: what is kept has to be kept for a while."""
    return lambda stage: time.sleep(seconds)


def run_sql(*statements: str) -> Step:
    """Run statements as the administrator."""

    def step(stage: Stage) -> None:
        with stage.postgres.admin("shop") as link:
            for statement in statements:
                link.execute(statement)

    return step


def hold(statement: str) -> Step:
    """Run a statement in a transaction that stays open until the case ends."""

    def step(stage: Stage) -> None:
        link = stage.exits.enter_context(stage.postgres.admin("shop"))
        link.execute("BEGIN")
        link.execute(statement)
        stage.held.append(link)

    return step


def release() -> Step:
    """End the transactions that are held."""

    def step(stage: Stage) -> None:
        while stage.held:
            stage.held.pop().close()

    return step


def take_slots() -> Step:
    """Take all that the server has for ordinary users, as a batch job does."""

    def step(stage: Stage) -> None:
        where = stage.postgres.url.replace("+psycopg", "")
        with suppress(psycopg.OperationalError):
            while True:
                link = psycopg.connect(where, application_name="nightly-batch")
                stage.held.append(stage.exits.enter_context(link))

    return step


def stop_database(mode: str = "fast") -> Step:
    """Stop PostgreSQL."""
    return lambda stage: stage.postgres.control("-m", mode, "stop")


def start_database() -> Step:
    """Start PostgreSQL again."""
    return lambda stage: stage.postgres.start()


def export(*tables: str) -> Step:
    """Export tables as CSV into the folder of progress."""

    def step(stage: Stage) -> None:
        folder = stage.scratch / "progress"
        folder.mkdir()
        with stage.postgres.admin("shop") as link, link.cursor() as cursor:
            for table in tables:
                query = f"COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)"
                with cursor.copy(query) as rows:
                    (folder / f"{table}.csv").write_bytes(b"".join(rows))

    return step
