"""Which request and which GraphQL operation a checkout was for, in a real application.

No `annotations` from the future here: FastAPI and Strawberry read them.
"""

# ruff: noqa: I002
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from diagkit.sources.checkouts import read_checkouts
from diagkit.sources.operations import OperationMiddleware, strawberry_operations
from diagkit.sources.recorder import PoolRecorder

fastapi = pytest.importorskip("fastapi")
strawberry = pytest.importorskip("strawberry")
pytest.importorskip("aiosqlite")
pytest.importorskip("httpx")

one = sa.text("select 1")


def build(engine: sa.Engine, later: Any) -> Any:
    from strawberry.fastapi import GraphQLRouter

    async def leaks() -> int:
        link = await later.connect()
        return int(await link.scalar(one))

    @strawberry.type
    class Query:
        @strawberry.field
        async def tiles(self) -> int:
            async with later.connect() as link:
                return int(await link.scalar(one))

        @strawberry.field
        async def lost(self) -> int:
            return await leaks()

    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def feed(self) -> AsyncIterator[int]:
            async with later.connect() as link:
                yield int(await link.scalar(one))

    schema = strawberry.Schema(
        Query, subscription=Subscription, extensions=[strawberry_operations()]
    )
    app = fastapi.FastAPI()
    app.add_middleware(OperationMiddleware)
    app.include_router(GraphQLRouter(schema), prefix="/graphql")

    def lent() -> Iterator[sa.Connection]:
        with engine.connect() as link:
            yield link

    @app.get("/projects/{project_id}/tiles")
    def tiles(project_id: int, link: sa.Connection = fastapi.Depends(lent)) -> int:  # noqa: B008
        link.execute(one)
        return project_id

    @app.get("/lost/{name}")
    async def lost(name: str) -> int:
        return await leaks()

    return app


@pytest.mark.filterwarnings("ignore")
def test_checkouts_name_their_request(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sa.QueuePool)
    later = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    with (
        warnings.catch_warnings(),
        PoolRecorder(engine, tmp_path / "rec", name="sync"),
        PoolRecorder(later, tmp_path / "rec", name="async"),
        TestClient(build(engine, later)) as client,
    ):
        warnings.simplefilter("ignore")

        def ask(query: str, **more: Any) -> Any:
            return client.post("/graphql", json={"query": query, **more}).json()

        assert client.get("/projects/17/tiles").json() == 17
        assert client.get("/lost/x").json() == 1
        # Where the loop runs: elsewhere aiosqlite opens one of its own, and leaves it.
        client.portal.call(gc.collect)
        assert ask("query Board { tiles }")["data"] == {"tiles": 1}
        both = "query A { tiles } query B { lost }"
        assert ask(both, operationName="B")["data"] == {"lost": 1}
        client.portal.call(gc.collect)
        protocol = ["graphql-transport-ws"]
        with client.websocket_connect("/graphql", protocol) as socket:
            socket.send_json({"type": "connection_init"})
            assert socket.receive_json()["type"] == "connection_ack"
            query = {"query": "subscription Live { feed }"}
            socket.send_json({"id": "1", "type": "subscribe", "payload": query})
            assert socket.receive_json()["payload"]["data"] == {"feed": 1}
            assert socket.receive_json()["type"] == "complete"
        client.portal.call(later.dispose)
    engine.dispose()
    rows = read_checkouts(tmp_path / "rec")
    rows["function"] = rows["holder"].str.rpartition(".")[2]
    columns = ["pool", "operation", "function", "outcome"]
    assert rows[columns].astype(str).to_numpy().tolist() == [
        ["sync", "GET /projects/{project_id}/tiles", "lent", "returned"],
        ["async", "GET /lost/{name}", "leaks", "garbage_collected"],
        ["async", "query Board", "tiles", "returned"],
        ["async", "query B", "leaks", "garbage_collected"],
        ["async", "subscription Live", "feed", "returned"],
    ]
