"""The items of a response that concern MCP servers, with OpenAI's events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from openai.types.responses import (
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpCallInProgressEvent,
    ResponseMcpListToolsCompletedEvent,
    ResponseMcpListToolsFailedEvent,
    ResponseMcpListToolsInProgressEvent,
)
from openai.types.responses.response_output_item import (
    McpApprovalRequest,
    McpCall,
    McpListTools,
    McpListToolsTool,
)

from rag.http.v1.responses.output.objects import ItemStatus, new_id
from rag.http.v1.responses.output.output_items import NewEvent
from rag.types import JsonObject, ServerTool


@dataclass(slots=True, eq=False)
class OpenToolList:
    """An `mcp_list_tools` item."""

    server_label: str
    tools: Sequence[ServerTool] = ()
    error: str | None = None
    output_index: int = 0
    _id: str = field(default_factory=lambda: new_id("mcpl"))

    def item(self, status: ItemStatus) -> McpListTools:
        tools = [
            McpListToolsTool(
                name=tool.name,
                description=tool.description or None,
                input_schema=tool.input_schema,
                annotations=tool.annotations or None,
            )
            for tool in self.tools
        ]
        return McpListTools(
            id=self._id, type="mcp_list_tools", server_label=self.server_label, tools=tools, error=self.error
        )

    def added(self) -> Iterator[NewEvent]:
        yield ResponseMcpListToolsInProgressEvent, "response.mcp_list_tools.in_progress", self._place

    def done(self) -> Iterator[NewEvent]:
        if self.error is None:
            yield ResponseMcpListToolsCompletedEvent, "response.mcp_list_tools.completed", self._place
        else:
            yield ResponseMcpListToolsFailedEvent, "response.mcp_list_tools.failed", self._place

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index}


@dataclass(slots=True, eq=False)
class OpenMcpCall:
    """An `mcp_call` item."""

    server_label: str
    name: str
    approval_request_id: str | None = None
    output: str | None = None
    error: JsonObject | None = None
    """In OpenAI's form."""
    output_index: int = 0
    _arguments: list[str] = field(default_factory=list)
    _id: str = field(default_factory=lambda: new_id("mcp"))

    @property
    def has_ended(self) -> bool:
        return self.output is not None or self.error is not None

    def item(self, status: ItemStatus) -> McpCall:
        fields: JsonObject = {
            "id": self._id,
            "type": "mcp_call",
            "server_label": self.server_label,
            "name": self.name,
            "arguments": "".join(self._arguments),
            "approval_request_id": self.approval_request_id,
            "output": self.output,
            "error": self.error,
            "status": "failed" if self.error is not None else status,
        }
        return McpCall.model_validate(fields)

    def added(self) -> Iterator[NewEvent]:
        yield ResponseMcpCallInProgressEvent, "response.mcp_call.in_progress", self._place

    def delta(self, arguments: str) -> Iterator[NewEvent]:
        if arguments:
            self._arguments.append(arguments)
            fields = {**self._place, "delta": arguments}
            yield ResponseMcpCallArgumentsDeltaEvent, "response.mcp_call_arguments.delta", fields

    def arguments_done(self) -> Iterator[NewEvent]:
        fields = {**self._place, "arguments": "".join(self._arguments)}
        yield ResponseMcpCallArgumentsDoneEvent, "response.mcp_call_arguments.done", fields

    def done(self) -> Iterator[NewEvent]:
        if self.error is not None:
            yield ResponseMcpCallFailedEvent, "response.mcp_call.failed", self._place
        elif self.has_ended:  # otherwise its arguments were cut
            yield ResponseMcpCallCompletedEvent, "response.mcp_call.completed", self._place

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index}


@dataclass(slots=True, eq=False)
class OpenApprovalRequest:
    """An `mcp_approval_request` item."""

    server_label: str
    name: str
    arguments: str
    output_index: int = 0
    _id: str = field(default_factory=lambda: new_id("mcpr"))

    def item(self, status: ItemStatus) -> McpApprovalRequest:
        return McpApprovalRequest(
            id=self._id,
            type="mcp_approval_request",
            server_label=self.server_label,
            name=self.name,
            arguments=self.arguments,
        )

    def added(self) -> Iterator[NewEvent]:
        return iter(())

    def done(self) -> Iterator[NewEvent]:
        return iter(())
