"""Which tools of a request the service runs, and what the language model may call in each round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rag.errors import Forbidden, InvalidRequest
from rag.http.clients.served_models import ModelTarget
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.tool_use import ToolChoice, ToolUse, tool_use
from rag.http.v1.responses.request.body import FileSearch, ResponsesBody, SearchMode
from rag.http.v1.responses.request.function_tools import ResponseToolChoice, response_tool_choice
from rag.http.v1.responses.request.mcp_tool import McpTool
from rag.http.v1.responses.tools.loop import RoundKind
from rag.http.v1.responses.tools.search_tool import NAME
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.types import ServerTool


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """What a request asks for."""

    choice: ResponseToolChoice
    search: SearchMode | None
    """None: documents are not searched."""
    mcp: Mapping[str, McpTool]
    """The MCP servers that `tool_choice` does not exclude, by the names of their fields."""

    @property
    def runs_tools(self) -> bool:
        """Whether the language model may call tools that the service runs."""
        return bool(self.mcp) or self.search == "model"

    def offers(self, tool: McpTool, listed: ServerTool) -> bool:
        """Whether the language model may call a tool of a server."""
        named = self.choice.mcp
        is_chosen = named is None or any(
            choice.server_label == tool.server_label and choice.name in (None, listed.name) for choice in named
        )
        return is_chosen and tool.allows(listed)


def tool_plan(body: ResponsesBody, target: ModelTarget, options: ToolOptions) -> ToolPlan:
    """Raises:
    Forbidden: the settings do not allow one of the MCP servers.
    InvalidRequest: fields cannot be combined.
    """
    choice = response_tool_choice(body.tool_choice)
    wanted = {server.server_label for server in choice.mcp or ()}
    mcp = {name: tool for name, tool in body.mcp_tools.items() if choice.mcp is None or tool.server_label in wanted}
    for name, tool in body.mcp_tools.items():
        _check_server(f"{name}.server_url", tool, options)
    mode = (body.rag.search if body.rag else None) or _default_search(body, options)
    may_search = choice.searches or (mode == "model" and choice.mode == "none")
    can_search = body.file_search is not None or (target.is_rag and may_search)
    plan = ToolPlan(choice, mode if can_search else None, mcp)
    _check_options(body, target, plan)
    if plan.runs_tools:
        _check_fields(body)
    return plan


def _default_search(body: ResponsesBody, options: ToolOptions) -> SearchMode:
    """The setting, unless the request has fields that cannot be combined with it."""
    return "always" if options.search == "always" or _conflict(body) else options.search


def _check_options(body: ResponsesBody, target: ModelTarget, plan: ToolPlan) -> None:
    """Raises InvalidRequest for options of answers from documents that would have no effect."""
    searches = target.is_rag or any(isinstance(tool, FileSearch) for tool in body.tools)
    if body.rag is not None and not searches:
        raise InvalidRequest("rag: is only allowed for answers from documents", param="rag")
    if body.rag is not None and body.rag.explain and not plan.runs_tools:
        reason = 'is only allowed with "search": "model"; /retrieve explains a search with the question'
        raise InvalidRequest(f"rag.explain: {reason}", param="rag.explain")


def _check_fields(body: ResponsesBody) -> None:
    """Raises InvalidRequest for fields that cannot be combined with tools that the language model calls."""
    if name := _conflict(body):
        message = f"{name}: cannot be combined with tools that the language model calls while it answers"
        raise InvalidRequest(message, param=name)


def _conflict(body: ResponsesBody) -> str:
    """A field that cannot be combined with tools that the model calls: a quoted answer is made from one search,
    the oldest turns cannot be dropped between rounds, and a prescribed form leaves no room for calls. Empty if none.
    """
    if body.style == "quoted":
        return "style"
    if body.truncation == "auto":
        return "truncation"
    return body.form_field if body.sampling().get("structured_outputs") is not None else ""


def _check_server(field: str, tool: McpTool, options: ToolOptions) -> None:
    if options.servers is None:
        raise Forbidden(f"{field}: this service calls no MCP servers", param=field)
    try:
        options.servers.check(tool.server_url)
    except Forbidden as error:
        raise Forbidden(f"{field}: {error.message}", param=field) from None


def round_use(
    kind: RoundKind, plan: ToolPlan, functions: Mapping[str, FunctionIn], own: Mapping[str, FunctionIn], parallel: bool
) -> ToolUse:
    """How functions are used in a round.

    Args:
        functions: Those of the client, by the names of their fields.
        own: Those that the service runs, likewise.
    """
    everything = {**functions, **own}
    chosen = plan.choice.functions
    of_client = [each.name for each in functions.values()] if chosen.names is None else list(chosen.names)
    allowed = (*of_client, *(each.name for each in own.values()))
    if kind.is_last or plan.choice.mode == "none" or not allowed:
        return ToolUse()
    if not (kind.is_first and plan.choice.mode == "required"):
        return tool_use(everything, ToolChoice("auto", allowed), parallel=parallel)
    if plan.choice.names_search and allowed == (NAME,):
        return tool_use(everything, ToolChoice("named", allowed), parallel=parallel)
    return tool_use(everything, ToolChoice("required", allowed), parallel=parallel)
