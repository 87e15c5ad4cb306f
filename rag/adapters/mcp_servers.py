"""Calls MCP servers by streamable HTTP, with the official package `mcp`.

Only servers that the settings allow are called, by the URL that was allowed: a redirect is an error, and so is an
answer that is too large or late. Each call opens a session of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents

from rag.errors import Forbidden, ToolServerFailed
from rag.types import JsonMapping, ServerTool, ToolAnswer, ToolServer

_MAX_PAGES = 20
"""Pages of a list of tools."""
_MAX_ERROR_CHARS = 500
_log = logging.getLogger("rag.mcp")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AllowedServer:
    """A pattern of URLs. `*.` at the beginning of the host is any subdomain, `/*` at the end of the path anything."""

    scheme: str
    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, pattern: str) -> AllowedServer:
        """The servers that a pattern of the settings allows.

        Args:
            pattern: As the settings have checked it.
        """
        parts = urlsplit(pattern)
        return cls(parts.scheme, parts.hostname or "", _port(parts.scheme, parts.port), parts.path.rstrip("/"))

    def matches(self, url: str) -> bool:
        parts = urlsplit(url)
        if (parts.scheme, _port(parts.scheme, parts.port)) != (self.scheme, self.port):
            return False
        host, path = parts.hostname or "", parts.path.rstrip("/")
        if self.host.startswith("*."):
            if not host.endswith(self.host[1:]):
                return False
        elif host != self.host:
            return False
        if not self.path.endswith("/*"):
            return path == self.path
        return path.startswith(self.path[:-1])


class McpServers:
    """A `rag.ports.ToolServers`.

    Args:
        allowed: Patterns of the URLs of servers.
        timeout_s: Time limit of one call, connecting included.
        max_bytes: Maximum size of everything that a server sends during one call.
    """

    def __init__(self, allowed: Sequence[str], *, timeout_s: float, max_bytes: int) -> None:
        self._allowed = [AllowedServer.of(pattern) for pattern in allowed]
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    def check(self, url: str) -> None:
        """See `rag.ports.ToolServers`."""
        if not _is_plain(url) or not any(pattern.matches(url) for pattern in self._allowed):
            shown = urlsplit(url).hostname or "" if _is_plain(url) else ""
            raise Forbidden(
                f"the MCP server {shown[:200]!r} is not allowed; RAG_TOOLS__MCP_SERVERS lists the URLs that are"
            )

    async def tools(self, server: ToolServer) -> Sequence[ServerTool]:
        """See `rag.ports.ToolServers`."""

        async def listed(client: Client) -> list[ServerTool]:
            found: list[ServerTool] = []
            cursor: str | None = None
            for _ in range(_MAX_PAGES):
                page = await client.list_tools(cursor=cursor)
                for tool in page.tools:
                    notes = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
                    found.append(ServerTool(tool.name, dict(tool.input_schema), tool.description or "", notes))
                if not (cursor := page.next_cursor):
                    return found
            raise ToolServerFailed(f"its list of tools has more than {_MAX_PAGES} pages")

        return await self._in_session(server, listed)

    async def call(self, server: ToolServer, name: str, arguments: JsonMapping) -> ToolAnswer:
        """See `rag.ports.ToolServers`."""

        async def called(client: Client) -> ToolAnswer:
            result = await client.call_tool(name, dict(arguments))
            return ToolAnswer(_text_of(result), is_error=bool(result.is_error))

        return await self._in_session(server, called)

    async def _in_session(self, server: ToolServer, work: Callable[[Client], Coroutine[None, None, T]]) -> T:
        self.check(server.url)
        watch = _Watch(server.url, self._max_bytes)
        try:
            async with asyncio.timeout(self._timeout_s):
                async with httpx2.AsyncClient(
                    transport=_WatchedTransport(httpx2.AsyncHTTPTransport(verify=self._certificates), watch),
                    headers={**server.headers, "accept-encoding": "identity"},
                    timeout=self._timeout_s,
                    follow_redirects=False,
                    trust_env=False,
                ) as http:
                    transport = streamable_http_client(
                        server.url, http_client=http, terminate_on_close=False, max_sse_event_size=self._max_bytes
                    )
                    async with Client(transport, cache=None) as client:
                        return await work(client)
        except Exception as error:
            failure = watch.failure or _failure_of(error, watch, self._timeout_s)
            _log.warning("a call of the MCP server %r failed: %s", server.label, failure.message)
            raise failure from None  # the causes may hold what was sent

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return ssl.create_default_context()


@dataclass(slots=True)
class _Watch:
    """Observes a server during one call, because the library reports some failures only as a lost connection."""

    url: str
    bytes_left: int
    status: int = 0
    failure: ToolServerFailed | None = None

    def fail(self, message: str, number: int = 424) -> httpx2.RequestError:
        self.failure = self.failure or ToolServerFailed(message, number=number)
        return httpx2.RequestError(message)


class _WatchedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncBaseTransport, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url != httpx2.URL(self._watch.url):
            raise self._watch.fail("the client wanted to call another address than that of the server")
        response = await self._inner.handle_async_request(request)
        problem = None
        if 300 <= response.status_code < 400:
            problem = f"it redirects (status {response.status_code}), which is not followed; give its own URL"
        elif response.headers.get("content-encoding", "identity") != "identity":
            problem = "it compresses its answers, although it was asked not to"
        if problem is not None:
            await response.aclose()
            raise self._watch.fail(problem, response.status_code)
        if request.method == "POST":
            self._watch.status = response.status_code
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _WatchedStream(response.stream, self._watch)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _WatchedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._watch.bytes_left -= len(chunk)
            if self._watch.bytes_left < 0:
                raise self._watch.fail("its answer is larger than RAG_TOOLS__MCP_MAX_KIB allows")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _failure_of(error: BaseException, watch: _Watch, timeout_s: float) -> ToolServerFailed:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolServerFailed):
        return error
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return ToolServerFailed(f"it did not answer within {timeout_s:g} s", number=504)
    if watch.status >= 400 and not _is_answer_of_server(error):
        return ToolServerFailed(f"it answered with status {watch.status}", number=watch.status)
    if isinstance(error, MCPError):
        message = f"it answered with an error: {error.error.message[:_MAX_ERROR_CHARS]}"
        return ToolServerFailed(message, kind="mcp_protocol_error", number=error.error.code)
    return ToolServerFailed(f"it does not answer as an MCP server ({type(error).__name__})")


def _is_answer_of_server(error: BaseException) -> bool:
    """Whether the error came from the server. The library creates others from HTTP statuses."""
    made_up = ("Server returned an error response", "Not Found", "Session terminated")
    return isinstance(error, MCPError) and error.error.message not in made_up


def _text_of(result: CallToolResult) -> str:
    """The result as text. Content that is not text is mentioned, so that the language model knows about it."""
    parts: list[str] = []
    for block in result.content:
        if isinstance(block, TextContent):
            parts.append(block.text)
        elif isinstance(block, EmbeddedResource) and isinstance(block.resource, TextResourceContents):
            parts.append(block.resource.text)
        elif isinstance(block, ResourceLink):
            parts.append(str(block.uri))
        else:
            parts.append(f"[{block.type} left out: only text is supported]")
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts).replace("\0", "")  # which PostgreSQL cannot store


def _port(scheme: str, port: int | None) -> int | None:
    return port or {"http": 80, "https": 443}.get(scheme)


def _is_plain(url: str) -> bool:
    """Whether the URL has a host and a path alone: no user, no query, no characters that parsers read differently."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_simple = url.isascii() and url.isprintable() and not any(char in url for char in " \\@?#%") and ".." not in url
    return is_simple and bool(parts.hostname)
