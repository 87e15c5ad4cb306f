"""An MCP server that passes each request on to the `/mcp` of a service, with its progress and cancellation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)
from mcp_types.version import LATEST_MODERN_VERSION

import rag

Context: TypeAlias = ServerRequestContext[Any, Any]
Result = TypeVar("Result")
_TIMEOUT = httpx2.Timeout(60, connect=5)
"""A stream of the service sends something at least every 15 s."""


class McpBridge:
    """Connects for each request, so that it can be started before the service. There is no handshake.

    Args:
        url: Of the service.
        headers: Of each request.
        transport: Replaces the network, for tests.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._transport = transport

    def server(self) -> Server[Any]:
        return Server(
            "rag",
            version=rag.__version__,
            title="Documents",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
        )

    async def _list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return await self._pass_on(lambda client: client.list_tools(cursor=_cursor(params)))

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        async def report(progress: float, total: float | None, message: str | None) -> None:
            await context.session.report_progress(progress, total, message)

        return await self._pass_on(
            lambda client: client.call_tool(params.name, params.arguments, progress_callback=report)
        )

    async def _list_resources(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        return await self._pass_on(lambda client: client.list_resources(cursor=_cursor(params)))

    async def _list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return await self._pass_on(lambda client: client.list_resource_templates(cursor=_cursor(params)))

    async def _read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await self._pass_on(lambda client: client.read_resource(params.uri))

    async def _pass_on(self, request: Callable[[Client], Awaitable[Result]]) -> Result:
        """Raises MCPError with the service's message if it refuses the request or cannot be reached."""
        transport = _RefusalRecorder(self._transport or httpx2.AsyncHTTPTransport(), self._url)
        async with httpx2.AsyncClient(headers=self._headers, timeout=_TIMEOUT, transport=transport) as http:
            connection = streamable_http_client(f"{self._url}/mcp", http_client=http)
            async with Client(connection, mode=LATEST_MODERN_VERSION) as client:
                try:
                    return await request(client)
                except MCPError as error:
                    failure = error  # raised below: the client's task group would wrap it
        raise failure if transport.refusal is None else MCPError(INTERNAL_ERROR, transport.refusal)


class _RefusalRecorder(httpx2.AsyncBaseTransport):
    """Records why the service refuses a request: the MCP client discards error bodies that are not JSON-RPC."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, url: str) -> None:
        self._transport = transport
        self._url = url
        self.refusal: str | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._transport.handle_async_request(request)
        except httpx2.TransportError as error:
            self.refusal = f"cannot connect to {self._url} ({type(error).__name__}): is the service running there?"
            return httpx2.Response(503)  # the MCP client would raise a group of errors
        if not response.is_success:
            await response.aread()
            self.refusal = _message(response)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


def _message(response: httpx2.Response) -> str | None:
    """The message in an error body of this service; None for one of MCP, which the client reads itself."""
    try:
        body = response.json()
        if "jsonrpc" in body:
            return None
        message = str(body["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the service answered with status {response.status_code}: is this the address of the service?"
    return f"{message}; set RAG_API_KEY to a valid key" if response.status_code == 401 else message


def _cursor(params: PaginatedRequestParams | None) -> str | None:
    return None if params is None else params.cursor
