"""Small applications for servers whose workers hang, or that are killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


def app(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Answer, hang, or die as the kernel lets a process die that is out of memory."""
    if environ["PATH_INFO"] == "/hang":
        time.sleep(30)
    if environ["PATH_INFO"] == "/eat":
        os.kill(os.getpid(), signal.SIGKILL)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


async def tiles(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer an ASGI server: tiles are there, and the health."""
    if scope["type"] == "lifespan":
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})
        return
    known = scope["path"].startswith(("/tiles/", "/health"))
    headers = [(b"content-type", b"text/plain")]
    status = 200 if known else 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
