"""Clients that note what they saw, as a browser's developer tools do."""

from __future__ import annotations

import http.client
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def ask(method: str, url: str, timeout_s: float = 10) -> dict[str, Any]:
    """Ask, and return an entry of a HAR file; a status of 0 is no answer."""
    began, clock = datetime.now(UTC), time.monotonic()
    parts = urlsplit(url)
    status, error = 0, ""
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=timeout_s
    )
    try:
        connection.request(method, parts.path + (parts.query and f"?{parts.query}"))
        answer = connection.getresponse()
        status = answer.status
        answer.read()
    except (OSError, http.client.HTTPException) as caught:
        error = f"net::{type(caught).__name__}"
    finally:
        connection.close()
    return {
        "startedDateTime": began.isoformat(timespec="milliseconds"),
        "time": round((time.monotonic() - clock) * 1000, 1),
        "request": {"method": method, "url": url},
        "response": {"status": status, **({"_error": error} if error else {})},
    }


def write_har(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write what was seen as a HAR file."""
    creator = {"name": "corpus", "version": "1"}
    log = {"version": "1.2", "creator": creator, "entries": list(entries)}
    path.write_text(json.dumps({"log": log}, indent=1), encoding="utf-8")
