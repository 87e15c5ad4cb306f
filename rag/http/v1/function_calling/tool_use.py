"""The functions that the model may or must call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rag.errors import InvalidRequest
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.written_calls import call_or_text
from rag.types import JsonObject

Calling: TypeAlias = Literal["none", "auto", "required", "named"]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`tool_choice` of a request."""

    calling: Calling = "auto"
    names: tuple[str, ...] | None = None
    """The functions that may be called; None: all. The only one if `calling` is `named`."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How the model is to use functions."""

    calling: Calling = "none"
    tools: tuple[JsonObject, ...] = ()
    """Functions described to the model, in the format of chat completions."""
    name: str = ""
    """The function that must be called, if `calling` is `named`."""
    parallel: bool = True
    """Whether several functions may be called at once."""
    schema: JsonObject | None = None
    """JSON schema of the model's whole text, if it must call a function."""
    is_written: bool = False
    """Whether the model writes calls in our own form; see `written_calls`."""

    @property
    def structured_outputs(self) -> JsonObject | None:
        """vLLM's parameter that makes the model write valid calls; None if its own form of calls is parsed."""
        if self.schema is not None:
            return {"json": self.schema}
        return call_or_text(self.tools) if self.is_written else None


def tool_use(functions: Mapping[str, FunctionIn], choice: ToolChoice, *, parallel: bool) -> ToolUse:
    """Raises InvalidRequest if the choice does not fit the functions.

    Args:
        functions: By the name of their field in the request.
    """
    names = [function.name for function in functions.values()]
    if len(set(names)) < len(names):
        raise InvalidRequest("tools: two functions have the same name", param="tools")
    if choice.calling == "none":
        return ToolUse()
    allowed = functions if choice.names is None else _named(functions, choice.names)
    described = tuple(function.for_model() for function in functions.values())
    match choice.calling:
        case "named":
            (function,) = allowed.values()
            return ToolUse("named", described, function.name, False, function.schema_of_arguments)
        case "required":
            schema = _calls_schema(allowed, parallel=parallel)
            return ToolUse("required", described, parallel=parallel, schema=schema)
    described = tuple(function.for_model() for function in allowed.values())
    return ToolUse("auto", described, parallel=parallel)


def _named(functions: Mapping[str, FunctionIn], names: Iterable[str]) -> dict[str, FunctionIn]:
    chosen = {place: function for place, function in functions.items() if function.name in names}
    if {*names} != {function.name for function in chosen.values()}:
        raise InvalidRequest("tool_choice: names a function that is not among the tools", param="tool_choice")
    return chosen


def _calls_schema(functions: Mapping[str, FunctionIn], *, parallel: bool) -> JsonObject:
    """Schema of `[{"name": ..., "parameters": {...}}, ...]`, with at least one call."""
    calls: JsonObject = {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [_call_schema(function) for function in functions.values()]},
    }
    if not parallel:
        calls["maxItems"] = 1
    for kind in ("$defs", "definitions"):
        if shared := _shared_definitions(functions, kind):
            calls[kind] = shared
    return calls


def _call_schema(function: FunctionIn) -> JsonObject:
    whole = function.schema_of_arguments
    parameters = {name: part for name, part in whole.items() if name not in ("$defs", "definitions")}
    return {
        "type": "object",
        "properties": {"name": {"type": "string", "enum": [function.name]}, "parameters": parameters},
        "required": ["name", "parameters"],
        "additionalProperties": False,
    }


def _shared_definitions(functions: Mapping[str, FunctionIn], kind: str) -> JsonObject:
    """The definitions of all functions, to be moved to the root of the schema, where references point."""
    shared: JsonObject = {}
    for place, function in functions.items():
        param = f"{place}.parameters.{kind}"
        definitions = function.schema_of_arguments.get(kind, {})
        if not isinstance(definitions, dict):
            raise InvalidRequest(f"{param}: must be an object", param=param)
        for name, schema in definitions.items():
            if shared.setdefault(name, schema) != schema:
                raise InvalidRequest(f"{param}: another tool defines one of these names differently", param=param)
    return shared
