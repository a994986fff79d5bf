"""What a checkout is for: real ASGI and GraphQL where they are installed."""

from __future__ import annotations

import asyncio
import sys
from contextvars import copy_context
from typing import Any

import pytest

from diagkit.errors import MissingExtraError
from diagkit.sources.operations import (
    OperationMiddleware,
    current_operation,
    recorded_operation,
    strawberry_operations,
)


def serve(scope: dict[str, Any], routed: dict[str, Any] | None = None) -> str | None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope.update(routed or {})
        seen.append(current_operation())

    async def main() -> None:
        await OperationMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
        assert current_operation() is None

    asyncio.run(main())
    return seen[0]


class Route:
    path = "/tiles/{tile_id}"


UUID = "0b7e9f9c-5f52-4a0f-9d0b-2f5a3c1de111"


@pytest.mark.parametrize(
    ("scope", "routed", "operation"),
    [
        (
            {"method": "GET", "path": "/tiles/7"},
            {"route": Route()},
            "GET /tiles/{tile_id}",
        ),
        ({"method": "GET", "path": "/a/x"}, {"path_params": {"n": "x"}}, "GET /a/{n}"),
        ({"method": "PUT", "path": "/a/17/b"}, None, "PUT /a/{id}/b"),
        ({"method": "PUT", "path": f"/a/{UUID}"}, None, "PUT /a/{id}"),
        ({"type": "websocket", "path": "/ws"}, None, "WEBSOCKET /ws"),
        ({"type": "lifespan"}, None, None),
        ({"method": "GET", "path": "/" + "y" * 900}, None, "GET /" + "y" * 195),
    ],
)
def test_a_request_is_its_method_and_route(
    scope: dict[str, Any], routed: dict[str, Any] | None, operation: str | None
) -> None:
    assert serve({"type": "http", **scope}, routed) == operation


def test_operations_nest() -> None:
    with recorded_operation("outer"):
        with recorded_operation("inner"):
            assert current_operation() == "inner"
        assert current_operation() == "outer"
    assert current_operation() is None


def test_a_block_that_is_left_elsewhere_ends_quietly() -> None:
    block = recorded_operation("job")
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert current_operation() is None


def test_strawberry_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    strawberry_operations.cache_clear()
    monkeypatch.setitem(sys.modules, "strawberry.extensions", None)
    with pytest.raises(MissingExtraError, match="needs strawberry-graphql"):
        strawberry_operations()


@pytest.fixture
def schema() -> Any:
    strawberry = pytest.importorskip("strawberry")
    strawberry_operations.cache_clear()

    def field(self: Any) -> str:
        return str(current_operation())

    async def later(self: Any) -> str:
        await asyncio.sleep(0)
        return str(current_operation())

    async def told(self: Any) -> Any:
        for _ in range(2):
            await asyncio.sleep(0)
            yield str(current_operation())

    field.__annotations__ = later.__annotations__ = {"return": str}
    from collections.abc import AsyncGenerator

    told.__annotations__ = {"return": AsyncGenerator[str, None]}
    query = type("Query", (), {})
    query.now = strawberry.field(field, name="now")  # type: ignore[attr-defined]
    query.later = strawberry.field(later, name="later")  # type: ignore[attr-defined]
    query.__annotations__ = {"now": str, "later": str}
    source = type("Subscription", (), {})
    source.told = strawberry.subscription(told, name="told")  # type: ignore[attr-defined]
    source.__annotations__ = {"told": str}
    return strawberry.Schema(
        strawberry.type(query),
        subscription=strawberry.type(source),
        extensions=[strawberry_operations()],
    )


def test_a_query_is_named(schema: Any) -> None:
    assert schema.execute_sync("query Tiles { now }").data == {"now": "query Tiles"}
    assert schema.execute_sync("{ now }").data == {"now": "query"}
    done = asyncio.run(schema.execute("query Slow { later }"))
    assert done.data == {"later": "query Slow"}
    assert current_operation() is None


def test_a_subscription_is_named(schema: Any) -> None:
    async def main() -> list[str]:
        found = await schema.subscribe("subscription Feed { told }")
        return [one.data["told"] async for one in found]

    assert asyncio.run(main()) == ["subscription Feed"] * 2
