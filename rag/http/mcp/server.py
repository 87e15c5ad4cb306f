"""The MCP server: tools and resources, independent of the transport."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
)

import rag
from rag.errors import InternalError, RagError
from rag.http.mcp import resources
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.tools import TOOLS
from rag.http.mcp.tools.tool import Tool
from rag.types import JsonObject

logger = logging.getLogger("rag.mcp")
Context: TypeAlias = ServerRequestContext[Any, Any]
ServiceOf: TypeAlias = Callable[[Context], CallerService]
_INSTRUCTIONS = (
    "Searches and answers from the user's own documents. Use `ask` for a question with a short answer, `search` and "
    "`fetch` to read the documents yourself, and cite their titles and URLs."
)
_BY_NAME: Mapping[str, Tool[Any]] = {tool.name: tool for tool in TOOLS}


def mcp_server(service_of: ServiceOf) -> Server[Any]:
    """The MCP server: its tools and resources.

    Args:
        service_of: Returns the service as the caller of a request may use it.
    """
    handlers = _Handlers(service_of)
    return Server(
        "rag",
        version=rag.__version__,
        title="Documents",
        instructions=_INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
    )


class _Handlers:
    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        caller = self._service_of(context).caller
        return ListToolsResult(tools=[tool.described() for tool in TOOLS if tool.is_for(caller)])

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        if (tool := _BY_NAME.get(params.name)) is None:
            raise MCPError(INVALID_PARAMS, f"there is no tool {params.name[:80]!r}")

        async def report(progress: float, message: str) -> None:
            await context.session.report_progress(progress, message=message)

        try:
            return _result(await tool.call(self._service_of(context), params.arguments or {}, report))
        except RagError as error:
            return _failure(error)
        except Exception:  # the client must get a result
            logger.exception("the tool %s failed", tool.name)
            return _failure(InternalError("an unexpected error occurred; the server's log has the details"))

    async def list_resources(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        try:
            return await resources.list_resources(self._service_of(context), params.cursor if params else None)
        except RagError as error:
            _raise(error)

    async def list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return resources.list_templates()

    async def read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            return await resources.read_resource(self._service_of(context), params.uri)
        except RagError as error:
            _raise(error)


def _result(value: JsonObject) -> CallToolResult:
    """The value as structured content, and as text for clients that read only that."""
    return CallToolResult(content=[TextContent(text=json.dumps(value, ensure_ascii=False))], structured_content=value)


def _failure(error: RagError) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=error.message)], is_error=True)


def _raise(error: RagError) -> NoReturn:
    code = INTERNAL_ERROR if error.retryable or isinstance(error, InternalError) else INVALID_PARAMS
    raise MCPError(code, error.message, {"code": error.code, "retryable": error.retryable}) from None
