"""MCP's streamable HTTP transport, without sessions: each request is complete, so any worker can answer it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from rag.auth.caller import WITHOUT_KEY
from rag.errors import MethodNotAllowed
from rag.http.auth.admission import CALLER
from rag.http.error_table import OURS, error_response
from rag.http.in_process import InProcessTransport
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.server import mcp_server
from rag.http.middleware.request_id import HEADER, current_request_id

_FORWARDED_HEADERS = ("authorization",)
_ERROR_CODE = "mcp_error"


class McpEndpoint:
    """An ASGI application. The middleware around it has checked the key, the host, the origin and the body's size."""

    def __init__(self) -> None:
        server = mcp_server(_service_of)
        self._manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=sys.maxsize)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        started = asyncio.Event()
        self._task = asyncio.create_task(self._run(started))
        await started.wait()

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _run(self, started: asyncio.Event) -> None:
        """Runs in its own task, because the manager's task group must be exited by the task that entered it."""
        async with self._manager.run():
            started.set()
            await self._stop.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # GET would open a stream on which nothing is ever sent
            error = MethodNotAllowed("/mcp supports only POST: this server has no sessions and sends no messages alone")
            response = error_response(error, current_request_id.get())
            response.headers["allow"] = "POST"
            await response(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, _as_is(send))


def _as_is(send: Send) -> Send:
    """A `send` whose JSON-RPC errors the service's middleware does not replace: MCP clients read them."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            headers = MutableHeaders(raw=list(message["headers"]))
            if headers.get("content-type", "").startswith("application/json"):
                headers[OURS] = _ERROR_CODE
                message = {**message, "headers": headers.raw}
        await send(message)

    return marked


def _service_of(context: ServerRequestContext[Any, Any]) -> CallerService:
    request = context.request
    assert isinstance(request, Request)
    given = Headers(scope=request.scope)
    headers = {name: given[name] for name in _FORWARDED_HEADERS if name in given}
    http = httpx.AsyncClient(
        transport=InProcessTransport(request.scope),
        base_url="http://localhost",
        headers={**headers, "accept-encoding": "identity", HEADER: current_request_id.get()},
        timeout=None,
        trust_env=False,
    )
    url = f"{request.scope['scheme']}://{given.get('host', 'localhost')}"
    return CallerService(http, request.scope.get(CALLER, WITHOUT_KEY), url)
