"""A WebSocket of `/v1/responses` ends after an hour, on a clock of the tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from rag.http.in_process import SERVICE
from rag.http.v1.responses.websocket.connection import ResponseSocket
from tests.support.servers.loopback import served

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")


class Hour:
    """The sleep of a connection, which ends when the test says so."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.is_over.wait()


class EndlessResponse:
    """Answers each request with a stream without an end."""

    def __init__(self) -> None:
        self.is_stopped = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(self._events(), media_type="text/event-stream")(scope, receive, send)

    async def _events(self) -> AsyncIterator[str]:
        try:
            yield f"data: {json.dumps({'type': 'response.output_text.delta', 'delta': 'a'})}\n\n"
            await asyncio.Event().wait()
        finally:
            self.is_stopped.set()


def app(service: Callable[..., Any], hour: Hour) -> Starlette:
    async def answer(socket: WebSocket) -> None:
        socket.scope[SERVICE] = service
        await ResponseSocket(socket, sleep=hour.sleep).run()

    return Starlette(routes=[WebSocketRoute("/v1/responses", answer)])


async def expired(socket: ClientConnection) -> None:
    """Checks what ends the connection."""
    error, *others = [json.loads(message) async for message in socket]
    assert others == []
    assert (error["type"], error["status"]) == ("error", 400)
    assert error["code"] == error["error"]["code"] == "websocket_connection_limit_reached"
    assert (socket.close_code, "60 minutes" in (socket.close_reason or "")) == (1001, True)


async def test_an_idle_connection_ends_with_openais_error() -> None:
    hour = Hour()
    async with served(app(EndlessResponse(), hour)) as url, connect(url.replace("http", "ws") + "/v1/responses") as one:
        hour.is_over.set()
        await expired(one)
    assert hour.seconds == [3600]


async def test_a_response_that_is_generated_is_stopped() -> None:
    hour, service = Hour(), EndlessResponse()
    async with served(app(service, hour)) as url, connect(url.replace("http", "ws") + "/v1/responses") as one:
        await one.send(json.dumps({"type": "response.create", "model": "m", "input": "one"}))
        assert json.loads(await one.recv())["type"] == "response.output_text.delta"
        hour.is_over.set()
        await expired(one)
    await service.is_stopped.wait()
