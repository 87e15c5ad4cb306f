"""Forwards requests to another service. Bodies are streamed both ways and never buffered here."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from urllib.parse import quote

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rag.errors import DependencyUnavailable, NotFound, RagError, Starting
from rag.http.clients.service_client import ServiceClient
from rag.http.failures import failure_response
from rag.http.headers.inner_headers import USED_TOKENS
from rag.http.middleware.request_id import HEADER

_FORWARDED_HEADERS = ("content-type", "content-length", "accept", "idempotency-key", "range", "if-range")
_CONNECTION_HEADERS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "server", "date", HEADER, USED_TOKENS}
)


class ServiceProxy:
    """ASGI application that forwards requests to the same path of another service.

    Args:
        client: Client of that service.
        require: Called with the service's name if it does not respond; may raise Starting with more details.
    """

    def __init__(self, client: ServiceClient, require: Callable[[str], object] | None = None) -> None:
        self._client = client
        self._require = require

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.respond(Request(scope, receive))
        except RagError as error:
            response = failure_response(error)
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The other service's response, once its headers have arrived. Raises DependencyUnavailable if it has none."""
        target = _target(request)
        headers = {name: request.headers[name] for name in _FORWARDED_HEADERS if name in request.headers}
        body = _body(request) if _has_body(request) else None
        return await self._response(request.method, target, headers, body)

    async def get(self, target: str) -> Response:
        """The other service's response to a GET of a path and query. Raises as `respond`."""
        return await self._response("GET", target, {}, None)

    async def _response(
        self, method: str, target: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None
    ) -> Response:
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._client.forward(method, target, headers, body))
            except DependencyUnavailable:
                self._raise_starting()
                raise
            return _ForwardedResponse(answer, stack.pop_all())
        raise AssertionError("unreachable: the stack hides no exception")

    def _raise_starting(self) -> None:
        if self._require is None:
            return
        try:
            self._require(self._client.name)
        except Starting:
            raise
        except RagError:  # raised below instead: the last probe's result is older than this failed request
            return


class _ForwardedResponse(Response):
    """The response of the other service. When it ends, the connection to that service is closed."""

    def __init__(self, answer: aiohttp.ClientResponse, exchange: AsyncExitStack) -> None:
        self.status_code = answer.status
        self.background = None
        self.raw_headers = [
            (name.lower(), value)
            for name, value in answer.raw_headers
            if name.decode().lower() not in _CONNECTION_HEADERS
        ]
        self._answer = answer
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._exchange:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in self._answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()


def _target(request: Request) -> str:
    """Path and query, byte for byte. `..` is refused: the other service has routes that are not public."""
    path: str = request.scope["path"]
    if any(part in (".", "..") for part in path.split("/")) or not path.startswith("/") or path.startswith("//"):
        raise NotFound("there is no such route")
    raw = (request.scope.get("raw_path") or quote(path).encode()).decode("latin-1")
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{raw}?{query}" if query else raw


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def _body(request: Request) -> AsyncIterator[bytes]:
    with contextlib.suppress(ClientDisconnect):
        async for chunk in request.stream():
            if chunk:
                yield chunk
        return
    # The incomplete body must not look complete: the other service refuses a body without its last chunk.
    raise ConnectionResetError("the client disconnected")
