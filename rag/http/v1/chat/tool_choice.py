"""`tools` and `tool_choice` of a request: which functions the model may or must call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import Body
from rag.types import JsonObject

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_NO_ARGUMENTS: JsonObject = {"type": "object", "properties": {}}
_FORMS = 'none, auto, required, or {"type": "function", "function": {"name": ...}}'


class FunctionIn(Body):
    name: FunctionName
    description: str | None = Field(None, max_length=100_000)
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolIn(Body):
    type: Literal["function"]
    function: FunctionIn


Calling: TypeAlias = Literal["none", "auto", "required", "named"]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How the model is to use functions."""

    calling: Calling = "none"
    tools: tuple[JsonObject, ...] = ()
    """Functions described to the model, in OpenAI's format."""
    name: str = ""
    """The function that must be called, if `calling` is `named`."""
    parallel: bool = True
    """Whether several functions may be called at once."""
    schema: JsonObject | None = None
    """JSON schema of the model's whole text, if it must call a function."""


def tool_use(tools: Sequence[ToolIn] | None, choice: str | Mapping[str, Any] | None, *, parallel: bool) -> ToolUse:
    """Raises InvalidRequest if the choice does not fit the tools."""
    if not tools:
        if choice not in (None, "none") and (tools is None or choice != "auto"):
            raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
        return ToolUse()
    described = tuple(tool.model_dump(exclude_none=True) for tool in tools)
    names = [tool.function.name for tool in tools]
    if len(set(names)) < len(names):
        raise InvalidRequest("tools: two functions have the same name", param="tools")
    match choice:
        case None | "auto":
            return ToolUse("auto", described, parallel=parallel)
        case "none":
            return ToolUse()
        case "required":
            return ToolUse("required", described, parallel=parallel, schema=_calls_schema(tools, parallel=parallel))
        case {"type": "function", "function": {"name": str(name)}} if len(choice) == 2:
            return ToolUse("named", described, name, False, _parameters(_named(tools, name)))
    raise InvalidRequest(f"tool_choice: must be {_FORMS}", param="tool_choice")


def _named(tools: Sequence[ToolIn], name: str) -> ToolIn:
    for tool in tools:
        if tool.function.name == name:
            return tool
    raise InvalidRequest("tool_choice: names a function that is not among the tools", param="tool_choice")


def _parameters(tool: ToolIn) -> JsonObject:
    return tool.function.parameters or _NO_ARGUMENTS


def _calls_schema(tools: Sequence[ToolIn], *, parallel: bool) -> JsonObject:
    """Schema of `[{"name": ..., "parameters": {...}}, ...]`, with at least one call."""
    calls: JsonObject = {"type": "array", "minItems": 1, "items": {"anyOf": [_call_schema(tool) for tool in tools]}}
    if not parallel:
        calls["maxItems"] = 1
    for kind in ("$defs", "definitions"):
        if shared := _shared_definitions(tools, kind):
            calls[kind] = shared
    return calls


def _call_schema(tool: ToolIn) -> JsonObject:
    parameters = {name: part for name, part in _parameters(tool).items() if name not in ("$defs", "definitions")}
    return {
        "type": "object",
        "properties": {"name": {"type": "string", "enum": [tool.function.name]}, "parameters": parameters},
        "required": ["name", "parameters"],
        "additionalProperties": False,
    }


def _shared_definitions(tools: Sequence[ToolIn], kind: str) -> JsonObject:
    """The definitions of all tools, to be moved to the root of the schema, where references point."""
    shared: JsonObject = {}
    for number, tool in enumerate(tools):
        param = f"tools.{number}.function.parameters.{kind}"
        definitions = _parameters(tool).get(kind, {})
        if not isinstance(definitions, dict):
            raise InvalidRequest(f"{param}: must be an object", param=param)
        for name, schema in definitions.items():
            if shared.setdefault(name, schema) != schema:
                raise InvalidRequest(f"{param}: another tool defines one of these names differently", param=param)
    return shared
