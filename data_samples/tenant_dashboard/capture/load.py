"""The load: people and pages that use the dashboard, seeded and bounded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

if TYPE_CHECKING:
    import random

PROTOCOL = "graphql-transport-ws"
METRICS = "subscription M($n: Int!) { systemMetrics(ticks: $n) { activeTasks } }"
PROGRESS = (
    "subscription P($id: String!, $n: Int!) { projectProgress(projectId: $id,"
    " ticks: $n) }"
)
PROJECT = (
    "query ($id: String!) { project(projectId: $id) { projectId executionStatus"
    " totalTasks completedTasks completionPercentage } }"
)
SET_STATUS = (
    "mutation ($id: String!, $s: String!) { setExecutionStatus(projectId: $id,"
    " status: $s) }"
)
EXPORT = "mutation ($id: String!) { exportTasks(projectId: $id) }"
MOST_AT_ONCE = 24


@dataclass(frozen=True)
class Phase:
    """A stretch of time and how often each action begins in it."""

    name: str
    seconds: float
    actions: dict[str, int]


@dataclass
class Load:
    """Runs phases against one server; `outcomes` counts what came back."""

    base_url: str
    rng: random.Random
    project_ids: list[str]
    empty_ids: list[str]
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Open the client; its slots bound what runs at once."""
        self.client = httpx.AsyncClient(base_url=self.base_url, timeout=15)
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self, phase: Phase) -> None:
        """Begin each action at its drawn second; wait for all that began."""
        plan = sorted(
            (self.rng.uniform(0.0, phase.seconds), name)
            for name, times in sorted(phase.actions.items())
            for _ in range(times)
        )
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tasks = []
        for second, name in plan:
            await asyncio.sleep(max(0.0, begun + second - loop.time()))
            tasks.append(asyncio.create_task(self._act(name)))
        await asyncio.sleep(max(0.0, begun + phase.seconds - loop.time()))
        await asyncio.gather(*tasks)

    async def _act(self, name: str) -> None:
        async with self.slots:
            try:
                outcome = await getattr(self, name)()
            except (httpx.HTTPError, WebSocketException, OSError) as error:
                outcome = type(error).__name__
        self.outcomes[f"{name}: {outcome}"] += 1

    async def ask(self, query: str, **variables: object) -> dict:
        """Post a GraphQL document and return the whole answer."""
        body = {"query": query, "variables": variables}
        return (await self.client.post("/graphql", json=body)).json()

    async def _verdict(self, query: str, **variables: object) -> str:
        return "errors" if "errors" in await self.ask(query, **variables) else "ok"

    async def query_project(self) -> str:
        """Look at one project."""
        return await self._verdict(PROJECT, id=self.rng.choice(self.project_ids))

    async def query_unknown(self) -> str:
        """Look at a project that is not there."""
        name = self.rng.choice(("old-bookmark", "日本語-project", "line one\nline two"))
        return await self._verdict(PROJECT, id=name)

    async def query_typo(self) -> str:
        """Ask for a field that does not exist."""
        return await self._verdict("{ projectIdz }")

    async def list_projects(self) -> str:
        """Read the REST list."""
        return str((await self.client.get("/api/projects")).status_code)

    async def health(self) -> str:
        """Ask whether the process is alive."""
        return str((await self.client.get("/health")).status_code)

    async def report(self) -> str:
        """Read the monthly report (leaks without a trace)."""
        return str((await self.client.get("/admin/reports/monthly")).status_code)

    async def watch(self) -> str:
        """Begin to watch a project (kept for ever)."""
        project_id = self.rng.choice(self.project_ids)
        answer = await self.client.post(f"/admin/watch/{project_id}")
        return str(answer.status_code)

    async def bad_status(self) -> str:
        """Set a status that the check constraint forbids."""
        project_id = self.rng.choice(self.project_ids)
        return await self._verdict(SET_STATUS, id=project_id, s="archived")

    async def export(self) -> str:
        """Export a project that has tasks."""
        return await self._verdict(EXPORT, id=self.rng.choice(self.project_ids))

    async def export_empty(self) -> str:
        """Export a project without tasks (leaks)."""
        return await self._verdict(EXPORT, id=self.rng.choice(self.empty_ids))

    async def stream_whole(self) -> str:
        """Listen until the stream ends by itself."""
        return await self._stream(METRICS, None, n=2)

    async def stream_cut(self) -> str:
        """Lose the network in the middle of a stream (leaks)."""
        seconds = self.rng.uniform(1.0, 5.0)
        if self.rng.random() < 0.5:
            return await self._stream(METRICS, seconds, n=200)
        project_id = self.rng.choice(self.project_ids)
        return await self._stream(PROGRESS, seconds, id=project_id, n=200)

    async def stream_long(self) -> str:
        """Listen for longer, through whatever happens, then close the page."""
        return await self._stream(METRICS, 22.0, n=200)

    async def stream_missing(self) -> str:
        """Listen to a project that is not there (leaks)."""
        return await self._stream(PROGRESS, 4.0, id="deleted-project", n=200)

    async def _stream(
        self, query: str, cut_after_s: float | None, **variables: object
    ) -> str:
        url = self.base_url.replace("http", "ws", 1) + "/graphql"
        async with connect(url, subprotocols=[PROTOCOL]) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()
            payload = {"query": query, "variables": variables}
            message = {"id": "1", "type": "subscribe", "payload": payload}
            await socket.send(json.dumps(message))
            try:
                async with asyncio.timeout(cut_after_s):
                    return await self._listen(socket)
            except TimeoutError:
                # No closing handshake: as when a laptop is shut.
                socket.transport.abort()
                return "cut"

    async def _listen(self, socket: object) -> str:
        async for text in socket:
            if json.loads(text)["type"] in {"complete", "error"}:
                return json.loads(text)["type"]
        return "closed"
