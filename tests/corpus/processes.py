"""Processes that are always ended, and waiting for what they do."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0
# Times in logs are written in this zone; nobody's proxy is asked.
ENVIRONMENT = {
    "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")),
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHONPATH": str(ROOT),
}


# Below those that the system gives to clients. None is given out twice: where nobody is
# to listen in one incident, no other may put a server that is played at the same time.
_FIRST, _PORTS = 12_000, 18_000
_ports = itertools.count(os.getpid() * 97)
_forking = threading.Lock()


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is given."""
    for turn in itertools.islice(_ports, _PORTS):
        port = _FIRST + turn % _PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    msg = "no port is free"
    raise OSError(msg)


def await_that(what: Callable[[], Any], said: str) -> None:
    """Wait until something is true; fail loudly where it does not become so."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > deadline:
            msg = f"after {PATIENCE_S:g} s still not so: {said}"
            raise TimeoutError(msg)
        time.sleep(0.005)


def is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def says(path: Path, text: str, times: int = 1) -> bool:
    """Tell whether a log holds a text so often."""
    return path.exists() and path.read_bytes().count(text.encode()) >= times


def is_alive(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def start(command: list[str], log: Path, **more: str) -> subprocess.Popen[bytes]:
    """Start a program whose output is added to a file."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=ENVIRONMENT | more,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], sent: int = signal.SIGTERM) -> None:
    """End a program and all that it started."""
    if process.poll() is None:
        process.send_signal(sent)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


class Nursery:
    """One process that has loaded what backends need, and forks them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.corpus.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
        )

    def fork(self, settings: Mapping[str, Any]) -> int:
        """Start a backend; return its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with _forking:
            self._process.stdin.write(json.dumps(settings) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and the backends that are left."""
        self._process.communicate(timeout=10)
