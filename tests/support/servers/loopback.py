"""Serves applications over real HTTP on a free port of this machine, without BentoML."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.http.clients.service_client import ServiceClient


@contextlib.asynccontextmanager
async def served(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Its URL."""
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        # Both at once: each of uvicorn's loop and its shutdown sleeps for a tenth of a second.
        server.should_exit = server.force_exit = True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        listening.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def client_of(app: ASGIApp, name: str = "LLM") -> AsyncIterator[ServiceClient]:
    async with served(app) as url:
        client = ServiceClient(name, url)
        try:
            yield client
        finally:
            await client.close()


def app_of(handler: Callable[[Request], Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await handler(Request(scope, receive)))(scope, receive, send)

    return app


async def until(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    """Waits for the condition. The limit is generous, so that a busy machine does not fail the test."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
