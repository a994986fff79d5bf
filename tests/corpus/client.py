"""A client that asks for real, and what its tools write of that."""

from __future__ import annotations

import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """A request and how it ended; a status of 0 for no answer."""

    at: datetime
    took_s: float
    method: str
    url: str
    status: int
    error: str

    def name(self, origin: str) -> str:
        """Write the URL, with another origin where one is given."""
        return re.sub(r"^http://[^/]*", origin, self.url) if origin else self.url


@dataclass
class Client:
    """Asks, one after another or all at once, and remembers."""

    asked: list[Asked] = field(default_factory=list)

    def ask(
        self,
        address: tuple[str, int],
        paths: list[str],
        method: str = "GET",
        timeout_s: float = 10.0,
        together: bool = False,
    ) -> list[int]:
        """Ask for paths; return the statuses."""

        def one(path: str) -> Asked:
            return _ask(address, path, method, timeout_s)

        with ThreadPoolExecutor(len(paths) if together else 1) as pool:
            found = list(pool.map(one, paths))
        self.asked += found
        return [one.status for one in found]

    def write_har(self, path: Path, origin: str = "") -> None:
        """Write what a browser exports."""
        entries = [
            {
                "startedDateTime": one.at.isoformat(timespec="milliseconds"),
                "time": 1000 * one.took_s,
                "request": {
                    "method": one.method,
                    "url": one.name(origin),
                    "headers": [],
                },
                "response": {
                    "status": one.status,
                    "statusText": "",
                    "content": {"size": 0},
                    "_error": one.error or None,
                },
            }
            for one in self.asked
        ]
        body = {"version": "1.2", "creator": {"name": "client"}, "entries": entries}
        path.write_text(json.dumps({"log": body}, indent=1), encoding="utf-8")

    def write_lines(self, path: Path, origin: str = "") -> None:
        """Write what a script that calls ``curl -w '%{json}'`` leaves."""
        with path.open("w", encoding="utf-8") as out:
            for one in self.asked:
                line = {
                    "timestamp": one.at.isoformat(timespec="milliseconds"),
                    "url_effective": one.name(origin),
                    "method": one.method,
                    "http_code": one.status,
                    "time_total": round(one.took_s, 6),
                    "errormsg": one.error or None,
                }
                out.write(json.dumps(line) + "\n")


def _ask(address: tuple[str, int], path: str, method: str, timeout_s: float) -> Asked:
    host, port = address
    at, began = datetime.now(UTC), time.monotonic()
    link = http.client.HTTPConnection(host, port, timeout=timeout_s)
    status, error = 0, ""
    try:
        link.request(method, path)
        answer = link.getresponse()
        status = answer.status
        answer.read()
    except (OSError, http.client.HTTPException) as why:
        error = type(why).__name__
    finally:
        link.close()
    took = time.monotonic() - began
    return Asked(at, took, method, f"http://{host}:{port}{path}", status, error)
