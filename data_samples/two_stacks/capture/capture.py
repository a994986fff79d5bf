"""Capture the sample: two stacks' backends on one host, and what a browser sees.

``uv run --group capture python data_samples/two_stacks/capture/capture.py``

The development stack's backend has port 8000 of the host, and no database. The
production stack's runs as in its container: on an address of its own, where nothing but
its health check asks it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
# A second of loopback's addresses stands for the container's own.
HOST, CONTAINER, PORT = "127.0.0.1", "127.0.0.2", 8000
ROUNDS, PAUSE_S = 24, 0.9
NOWHERE = "postgresql+psycopg://app@127.0.0.1:5999/app?connect_timeout=2"
# What the page asks for, how often, and as what.
PAGE = (
    ("POST", "/api/v1/auth/login", 1.0),
    ("GET", "/api/v1/tiles/{tile}", 0.9),
    ("PATCH", "/api/v1/projects/reef-014", 0.25),
)


def start(address: str, url: str, log: Path | None) -> subprocess.Popen[bytes]:
    """Start a backend, and wait until it answers."""
    stream = subprocess.DEVNULL if log is None else log.open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "app:app", "--no-use-colors"),
            *("--host", address, "--port", str(PORT)),
        ],
        cwd=HERE,
        env={**os.environ, "DATABASE_URL": url},
        stdout=stream,
        stderr=subprocess.STDOUT,
    )
    for _ in range(100):
        try:
            httpx.get(f"http://{address}:{PORT}/health")
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    msg = f"no backend answers on {address}:{PORT}"
    raise SystemExit(msg)


def ask(client: httpx.Client, method: str, path: str) -> dict[str, Any]:
    """Ask as the page does, and note it as a browser's developer tools do."""
    began = datetime.now(UTC)
    answer = client.request(method, f"http://localhost:{PORT}{path}")
    return {
        "startedDateTime": began.isoformat(timespec="milliseconds"),
        "time": round(answer.elapsed.total_seconds() * 1000, 3),
        "request": {
            "method": method,
            "url": str(answer.url),
            "httpVersion": "HTTP/1.1",
        },
        "response": {"status": answer.status_code, "statusText": answer.reason_phrase},
    }


def visit(seed: int) -> list[dict[str, Any]]:
    """Visit the page again and again, while the container's health is checked."""
    draw = random.Random(seed)
    entries = []
    with httpx.Client(transport=httpx.HTTPTransport(local_address=HOST)) as client:
        for _ in range(ROUNDS):
            client.get(f"http://{CONTAINER}:{PORT}/health")
            for method, path, share in PAGE:
                if draw.random() < share:
                    tile = draw.randint(1, 40)
                    entries.append(ask(client, method, path.format(tile=tile)))
            time.sleep(PAUSE_S)
    return entries


def main() -> None:
    """Capture, and write the files beside this folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=3)
    seed = parser.parse_args().seed
    to = HERE.parent
    backends = [
        start(CONTAINER, "sqlite://", to / "backend.log"),
        start(HOST, NOWHERE, None),
    ]
    try:
        entries = visit(seed)
    finally:
        for backend in backends:
            backend.terminate()
            backend.wait(timeout=30)
    creator = {"name": "capture.py", "version": "1"}
    body = {"log": {"version": "1.2", "creator": creator, "entries": entries}}
    (to / "browser.har").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    statuses = [entry["response"]["status"] for entry in entries]
    truth = {
        "cause": "not_exposed",
        "requests": len(entries),
        "statuses": {str(one): statuses.count(one) for one in sorted(set(statuses))},
        "seen_by_the_backend": 0,
        "health_checks": ROUNDS + 1,
        "seed": seed,
    }
    (to / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
