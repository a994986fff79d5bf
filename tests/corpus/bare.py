"""Small applications for servers with several workers: some requests kill one."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def serve_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer; or be killed, or block, as the path says."""
    path = environ["PATH_INFO"]
    if path.startswith("/import"):
        # What the kernel does to a process that takes too much memory.
        os.kill(os.getpid(), signal.SIGKILL)
    if path.startswith("/resize"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.startswith("/block"):
        time.sleep(30)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done\n"]


async def serve_asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer; or be killed, as the path says."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"].startswith("/import"):
        os.kill(os.getpid(), signal.SIGKILL)
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done\n"})
