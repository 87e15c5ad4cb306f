"""A tool of an MCP server as a function that the language model calls and the service runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Collection

from rag.errors import RagError, ToolServerFailed
from rag.http.clients.remote_tools import RemoteTools
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.responses.output.output_items import ItemStep
from rag.http.v1.responses.tools.mcp_items import OpenApprovalRequest, OpenMcpCall
from rag.http.v1.responses.tools.tool import ApprovalPending, ModelCall, ToolEvent, ToolOutput
from rag.ports import ToolServers
from rag.types import JsonObject, ServerTool, ToolServer

_INVALID_PARAMS = -32602
"""JSON-RPC's code for arguments that are not valid."""
_MAX_DESCRIPTION = 4000
"""Characters."""
_MAX_NAME = 64


class McpFunction:
    """A tool of an MCP server, which the language model calls as a function.

    Args:
        name: By which the language model knows the tool.
        needs_approval: Whether the client must approve each call.
    """

    def __init__(
        self,
        servers: ToolServers,
        server: ToolServer,
        tool: ServerTool,
        remote: RemoteTools,
        *,
        name: str,
        needs_approval: bool,
    ) -> None:
        self._servers = servers
        self._server = server
        self._tool = tool
        self._remote = remote
        self._needs_approval = needs_approval
        self._items: dict[str, OpenMcpCall] = {}
        """Of the calls in progress, by their ids."""
        schema = {"type": "object", "properties": {}, **tool.input_schema}
        description = tool.description[:_MAX_DESCRIPTION] or None
        self._function = FunctionIn(name=name, description=description, parameters=schema)

    @property
    def function(self) -> FunctionIn:
        return self._function

    def begin(self, call: ModelCall) -> ItemStep | None:
        if self._needs_approval:
            return None
        return ItemStep(self._item(call))

    def written(self, call: ModelCall, arguments: str) -> ItemStep:
        item = self._item(call)
        return ItemStep(item, lambda: item.delta(arguments))

    async def run(self, call: ModelCall, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        if self._needs_approval:
            arguments = call.arguments.strip() or "{}"
            yield ItemStep(OpenApprovalRequest(self._server.label, self._tool.name, arguments), is_done=True)
            yield ApprovalPending()
            return
        item = self._item(call)
        async for event in self._run(item, call, max_tokens):
            yield event

    async def run_approved(self, call: ModelCall, request_id: str, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        """Run a call that the client has approved."""
        item = OpenMcpCall(self._server.label, self._tool.name, request_id)
        async for event in self._run(item, call, max_tokens):
            yield event

    async def _run(self, item: OpenMcpCall, call: ModelCall, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        if not call.is_open:
            yield ItemStep(item, lambda: item.delta(call.arguments))
        yield ItemStep(item, item.arguments_done)
        text = await self._result(item, call.arguments)
        cut, tokens = await self._remote.cut(text, max_tokens)
        yield ItemStep(item, is_done=True)
        yield ToolOutput(cut, tokens)

    async def _result(self, item: OpenMcpCall, arguments: str) -> str:
        """The text for the language model. The item gets its output or its error."""
        parsed = _arguments(arguments)
        if parsed is None:
            message = "the arguments are not a JSON object"
            item.error = {"type": "mcp_protocol_error", "code": _INVALID_PARAMS, "message": message}
            return f"The call failed: {message}."
        try:
            answer = await self._servers.call(self._server, self._tool.name, parsed)
        except RagError as error:
            number = error.number if isinstance(error, ToolServerFailed) else 424
            kind = error.kind if isinstance(error, ToolServerFailed) else "http_error"
            item.error = {"type": kind, "code": number, "message": error.message}
            return f"The call failed: {error.message}"
        if answer.is_error:
            content = [{"type": "text", "text": answer.text}]
            item.error = {"type": "mcp_tool_execution_error", "content": content}
            return f"The call failed: {answer.text}"
        item.output = answer.text
        return answer.text

    def _item(self, call: ModelCall) -> OpenMcpCall:
        if call.id not in self._items:
            self._items[call.id] = OpenMcpCall(self._server.label, self._tool.name)
        return self._items[call.id]


def _arguments(text: str) -> JsonObject | None:
    """None if the text is not a JSON object. A model may call a tool without arguments with an empty text."""
    try:
        parsed = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def name_for_model(label: str, tool: str, taken: Collection[str]) -> str:
    """A name that is valid for functions and not taken: that of the tool, if possible."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", tool)
    for name in (plain, f"{label}_{plain}"):
        if name and len(name) <= _MAX_NAME and name not in taken:
            return name
    digest = hashlib.sha256(f"{label}\0{tool}".encode()).hexdigest()[:8]
    return f"{plain[: _MAX_NAME - 9]}_{digest}"
