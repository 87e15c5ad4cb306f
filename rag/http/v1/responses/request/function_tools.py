"""Function tools of a response request, and its `tool_choice`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from rag.errors import InvalidRequest
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.tool_use import ToolChoice
from rag.types import JsonObject

_FORMS = (
    'auto, required, none, {"type": "file_search"}, {"type": "function", "name": ...}, '
    '{"type": "mcp", "server_label": ...}, or allowed_tools'
)


class FunctionTool(FunctionIn):
    """The tool `function`: the client executes it and sends its output back."""

    type: Literal["function"]
    defer_loading: Literal[False] | None = Field(None, description="All tools are shown to the language model at once.")
    output_schema: JsonObject | None = Field(
        None, description="Accepted without effect: only programs, which are not supported, would read it."
    )
    allowed_callers: list[Literal["direct"]] | None = Field(
        None, description="Accepted without effect: only the language model calls tools, as there are no programs."
    )


@dataclass(frozen=True, slots=True)
class McpToolChoice:
    """Tools of an MCP server that `tool_choice` names."""

    server_label: str
    name: str | None = None
    """One of its tools; None: all."""


@dataclass(frozen=True, slots=True)
class ResponseToolChoice:
    """`tool_choice` of a response request."""

    functions: ToolChoice
    """Which functions may or must be called."""
    searches: bool = True
    """Whether `file_search`, if it is among the tools, is used."""
    names_search: bool = False
    """Whether the choice names `file_search`."""
    mcp: tuple[McpToolChoice, ...] | None = None
    """Which tools of MCP servers may be called; None: all."""
    mode: Literal["none", "auto", "required"] = "auto"
    """Whether a tool of any kind may or must be called."""


def response_tool_choice(choice: str | Mapping[str, Any] | None) -> ResponseToolChoice:
    """Raises InvalidRequest if there is no such choice."""
    match choice:
        case None:
            return ResponseToolChoice(ToolChoice())
        case "none":
            return ResponseToolChoice(ToolChoice("none"), searches=False, mcp=(), mode="none")
        case "auto" | "required":
            return ResponseToolChoice(ToolChoice(choice), mode=choice)
        case {"type": "file_search"} if len(choice) == 1:
            return ResponseToolChoice(ToolChoice("none"), names_search=True, mcp=(), mode="required")
        case {"type": "function", "name": str(name)} if len(choice) == 2:
            return ResponseToolChoice(ToolChoice("named", (name,)), searches=False, mcp=(), mode="required")
        case {"type": "mcp", "server_label": str(label), **rest} if set(rest) <= {"type", "name"}:
            named = _mcp(label, rest.get("name"))
            return ResponseToolChoice(ToolChoice("none"), searches=False, mcp=(named,), mode="required")
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list(tools)} if tools:
            return _allowed(mode, tools)
    raise InvalidRequest(f"tool_choice: must be {_FORMS}", param="tool_choice")


def _allowed(mode: Literal["auto", "required"], tools: Sequence[object]) -> ResponseToolChoice:
    names, servers, searches = [], [], False
    for tool in tools:
        match tool:
            case {"type": "function", "name": str(name)}:
                names.append(name)
            case {"type": "file_search"}:
                searches = True
            case {"type": "mcp", "server_label": str(label), **rest}:
                servers.append(_mcp(label, rest.get("name")))
            case _:
                message = "tool_choice: allowed_tools must name functions, file_search or MCP servers"
                raise InvalidRequest(message, param="tool_choice")
    functions = ToolChoice(mode, tuple(names)) if names else ToolChoice("none")
    return ResponseToolChoice(functions, searches, names_search=searches, mcp=tuple(servers), mode=mode)


def _mcp(label: str, name: object) -> McpToolChoice:
    if name is not None and not isinstance(name, str):
        raise InvalidRequest("tool_choice: name must be a text", param="tool_choice")
    return McpToolChoice(label, name)
