"""`tools` and `tool_choice` of a chat completion request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import Field

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import Body
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.tool_use import ToolChoice, ToolUse, tool_use

_FORMS = 'none, auto, required, {"type": "function", "function": {"name": ...}}, or allowed_tools'


class NamedFunction(Body):
    name: str


class ChatFunctionChoice(Body):
    """This function is called."""

    type: Literal["function"]
    function: NamedFunction


class AllowedFunctions(Body):
    mode: Literal["auto", "required"]
    tools: list[ChatFunctionChoice] = Field(min_length=1)


class ChatAllowedTools(Body):
    """Only these functions can be called."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedFunctions


ToolChoiceIn: TypeAlias = Literal["none", "auto", "required"] | ChatFunctionChoice | ChatAllowedTools | None


class ToolIn(Body):
    type: Literal["function"]
    function: FunctionIn


def chat_tool_use(tools: Sequence[ToolIn] | None, choice: str | Mapping[str, Any] | None, *, parallel: bool) -> ToolUse:
    """Raises InvalidRequest if the choice does not fit the tools."""
    if not tools:
        if choice not in (None, "none") and (tools is None or choice != "auto"):
            raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
        return ToolUse()
    functions = {f"tools.{number}.function": tool.function for number, tool in enumerate(tools)}
    return tool_use(functions, _choice(choice), parallel=parallel)


def _choice(choice: str | Mapping[str, Any] | None) -> ToolChoice:
    match choice:
        case None:
            return ToolChoice()
        case "none" | "auto" | "required":
            return ToolChoice(choice)
        case {"type": "function", "function": {"name": str(name)}} if len(choice) == 2:
            return ToolChoice("named", (name,))
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(tools)},
        } if tools:
            return ToolChoice(mode, tuple(_allowed_name(tool) for tool in tools))
    raise InvalidRequest(f"tool_choice: must be {_FORMS}", param="tool_choice")


def _allowed_name(tool: object) -> str:
    match tool:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
    raise InvalidRequest("tool_choice: allowed_tools must name functions", param="tool_choice")
