"""The MCP servers of one request: lists their tools, and runs the calls that the client has approved."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from rag.errors import InvalidRequest, RagError, ToolServerFailed
from rag.http.clients.remote_tools import RemoteTools
from rag.http.v1.responses.output.events import SourceEvent
from rag.http.v1.responses.output.output_items import ItemStep
from rag.http.v1.responses.request.input import InputItem
from rag.http.v1.responses.request.mcp_tool import McpTool
from rag.http.v1.responses.request.mcp_turns import Approved, listed_tools
from rag.http.v1.responses.tools.budget import Budget
from rag.http.v1.responses.tools.loop import ToolConversation
from rag.http.v1.responses.tools.mcp_function import McpFunction, name_for_model
from rag.http.v1.responses.tools.mcp_items import OpenToolList
from rag.http.v1.responses.tools.tool import ModelCall, ToolOutput
from rag.http.v1.responses.tools.tool_plan import ToolPlan
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.ports import ToolServers
from rag.types import JsonObject, ServerTool, ToolServer


class McpSession:
    """The MCP servers that one request may use.

    Args:
        items: The items of the conversation. A list of tools among them is used again.
    """

    def __init__(
        self,
        servers: ToolServers,
        options: ToolOptions,
        remote: RemoteTools,
        plan: ToolPlan,
        items: Sequence[InputItem],
    ) -> None:
        self._servers = servers
        self._max_tools = options.max_server_tools
        self._remote = remote
        self._plan = plan
        self._listed: dict[str, Sequence[ServerTool]] = dict(listed_tools(items))
        self.fields: dict[str, str] = {}
        """By the name of a function for the model: the name of its field in the request."""

    async def list_tools(self, conversation: ToolConversation) -> AsyncGenerator[SourceEvent, None]:
        """Adds the tools of all servers to the conversation.

        Raises:
            ToolServerFailed: a server does not list its tools.
        """
        for field, tool in self._plan.mcp.items():
            if tool.server_label not in self._listed:
                async for step in self._list(field, tool):
                    yield step
            self._offer(conversation, field, tool)

    async def _list(self, field: str, tool: McpTool) -> AsyncGenerator[ItemStep, None]:
        item = OpenToolList(tool.server_label)
        yield ItemStep(item)
        failure: RagError | None = None
        try:
            item.tools = [each for each in await self._servers.tools(tool.server()) if tool.allows(each)]
            if len(item.tools) > self._max_tools:
                reason = f"it has {len(item.tools)} tools, and {self._max_tools} may be used; set allowed_tools"
                raise ToolServerFailed(reason)
        except RagError as error:
            failure, item.tools, item.error = error, (), error.message
        yield ItemStep(item, is_done=True)
        if failure is not None:
            message = f"the tools of the MCP server {tool.server_label!r} cannot be listed: {failure.message}"
            raise ToolServerFailed(message, param=field) from failure
        self._listed[tool.server_label] = item.tools

    def _offer(self, conversation: ToolConversation, field: str, tool: McpTool) -> None:
        for listed in self._listed[tool.server_label]:
            if not self._plan.offers(tool, listed):
                continue
            taken = {*conversation.functions, *conversation.tools}
            name = name_for_model(tool.server_label, listed.name, taken)
            conversation.tools[name] = self._function(tool, listed, name, needs_approval=tool.needs_approval(listed))
            self.fields[name] = f"{field}.{name}"

    def _function(self, tool: McpTool, listed: ServerTool, name: str, *, needs_approval: bool) -> McpFunction:
        server: ToolServer = tool.server()
        return McpFunction(self._servers, server, listed, self._remote, name=name, needs_approval=needs_approval)

    async def run_approved(
        self, approved: Sequence[Approved], conversation: ToolConversation, budget: Budget, tools: Mapping[str, McpTool]
    ) -> AsyncGenerator[SourceEvent, None]:
        """Runs the calls that the client has approved, and adds them to the conversation.

        Args:
            tools: The MCP servers of the request, by their labels.
        """
        messages: list[JsonObject] = []
        calls: list[JsonObject] = []
        for number, each in enumerate(approved):
            tool = tools[each.server_label]
            listed = next((one for one in self._listed[each.server_label] if one.name == each.name), None)
            if listed is None or not tool.allows(listed):
                raise InvalidRequest(f"input: the server has no tool {each.name[:80]!r} that is allowed", param="input")
            function = self._function(tool, listed, name_for_model("", each.name, ()), needs_approval=False)
            call = ModelCall(each.request_id, function.function.name, [each.arguments])
            budget.calls += 1
            async for step in function.run_approved(call, each.request_id, budget.room // (len(approved) - number)):
                if isinstance(step, ToolOutput):
                    budget.add(step.tokens)
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": step.text})
                elif not isinstance(step, ItemStep):
                    raise AssertionError("an approved call needs no approval")
                else:
                    yield step
            calls.append(call.for_model())
        if calls:
            conversation.messages += [{"role": "assistant", "content": "", "tool_calls": calls}, *messages]
