"""Requests that the edge sends to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from rag.http.in_process import IS_PART, SERVICE, InProcessTransport

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def client(app: App) -> httpx.AsyncClient:
    outer: dict[str, Any] = {"type": "http", "method": "POST", "path": "/mcp", "headers": [(b"cookie", b"outer")]}
    outer |= {"client": ("192.0.2.7", 1), "scheme": "https", "query_string": b"outer=1", SERVICE: app}
    return httpx.AsyncClient(transport=InProcessTransport(outer), base_url="http://localhost")


async def test_the_request_is_its_own_from_the_same_client() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        body = await Request(scope, receive).body()
        await JSONResponse({"body": body.decode()}, 201, {"x-own": "1"})(scope, receive, send)

    response = await client(app).put("/v1/a%2Fb?c=%C3%A9", content=b"text", headers={"Authorization": "Bearer key"})
    assert (response.status_code, response.headers["x-own"], response.json()) == (201, "1", {"body": "text"})
    (scope,) = scopes
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("PUT", "/v1/a/b", b"/v1/a%2Fb")
    assert (scope["query_string"], scope["client"], scope["scheme"]) == (b"c=%C3%A9", ("192.0.2.7", 1), "https")
    assert scope[IS_PART] is True
    headers = dict(scope["headers"])
    assert headers[b"authorization"] == b"Bearer key"
    assert b"cookie" not in headers


async def test_parts_of_a_response_arrive_when_they_are_sent() -> None:
    may_go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await may_go_on.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async with client(app).stream("GET", "/") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"first"
        may_go_on.set()
        assert b"".join([chunk async for chunk in chunks]) == b"last"


@pytest.mark.parametrize("has_started", [False, True])
async def test_leaving_cancels_the_application(has_started: bool) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if has_started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    request = asyncio.create_task(client(app).get("/"))
    await begun.wait()
    request.cancel()
    await cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_requests_of_a_websocket_are_not_parts_of_its_handshake() -> None:
    """So each of them counts towards the limit of requests."""
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await JSONResponse({})(scope, receive, send)

    outer = {"type": "http", "headers": [], SERVICE: app}
    async with httpx.AsyncClient(
        transport=InProcessTransport(outer, is_part=False), base_url="http://localhost"
    ) as http:
        await http.post("/v1/responses")
    assert IS_PART not in scopes[0]
