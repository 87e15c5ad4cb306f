"""Requests that the edge sends to its own routes within the process, while it serves another request.

They pass through the whole middleware: the caller's key must have the scopes of their route, and all limits apply,
except that they do not count as further requests per minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.types import ASGIApp, Message, Scope

SERVICE = "rag.service"
"""Key in the ASGI scope of each request; its value is the application with all its middleware."""
IS_PART = "rag.is_part"
"""Key in the ASGI scope of a request that is part of another one."""
SENT_FOR = "rag.sent_for"
"""Key in the ASGI scope of a request that the edge sends without a key on behalf of a caller, which is its value."""


class InProcessTransport(httpx.AsyncBaseTransport):
    """Sends requests to the application of this process, without a connection.

    Args:
        outer: The scope of a request, or of the handshake of a WebSocket, that the application serves.
        is_part: Whether the requests are parts of that one, which has been counted.
    """

    def __init__(self, outer: Scope, *, is_part: bool = True) -> None:
        self._outer = outer
        self._is_part = is_part

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(await request.aread())
        start = await exchange.start(self._outer[SERVICE], self._scope(request))
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)

    def _scope(self, request: httpx.Request) -> Scope:
        own = {
            "method": request.method,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        return {**self._outer, **own, **({IS_PART: True} if self._is_part else {})}


class _Exchange(httpx.AsyncByteStream):
    """One request and its response. Iterating yields the body of the response; closing cancels the request."""

    def __init__(self, body: bytes) -> None:
        self._requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp, scope: Scope) -> Message:
        """Send the request. Returns the start of the response."""
        self._task = asyncio.create_task(self._run(app, scope))
        try:
            return await self._messages.get()
        except BaseException:
            await self.aclose()
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        is_complete = False
        while not is_complete:
            message = await self._messages.get()
            is_complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        """Cancel the request, without waiting for its end: the caller may be cancelled at the same time."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._messages.put)
        finally:
            self._messages.put_nowait({"type": "http.response.body"})

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await asyncio.Event().wait()  # no disconnect arrives: the task is cancelled instead
        raise AssertionError
