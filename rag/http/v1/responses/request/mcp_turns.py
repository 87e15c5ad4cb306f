"""Items of MCP servers in the input of a request and in the history of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rag.errors import InvalidRequest
from rag.http.v1.responses.request.input import InputItem
from rag.http.v1.responses.request.turns import check_fields
from rag.types import JsonMapping, ServerTool

_MAX_OUTPUT_CHARS = 8000
"""Of the output of an earlier call, for the language model."""
REFUSED_CALL = "The user did not approve this call."


@dataclass(frozen=True, slots=True)
class Approved:
    """A call that the client has approved."""

    request_id: str
    server_label: str
    name: str
    arguments: str


def as_turns(items: Sequence[InputItem], earlier: Sequence[InputItem] = ()) -> list[InputItem]:
    """The items, in which calls of MCP tools are calls of functions with their outputs, as the language model knows
    them. Calls that the client refused are among them; lists of tools and open requests are left out.

    Args:
        earlier: Items before these, whose requests for approval may be answered here.

    Raises:
        InvalidRequest: an item lacks a field.
    """
    requests = _requests((*earlier, *items))
    turns: list[InputItem] = []
    for position, item in enumerate(items):
        if item.type.startswith("mcp_"):
            check_fields(f"input.{position}", item)
        if item.type == "mcp_call":
            turns += _call(item.id or "", item.name or "", item.arguments or "{}", _output(item))
        elif item.type == "mcp_approval_response" and item.approve is False:
            request = requests.get(item.approval_request_id or "")
            if request is not None:
                reason = f" {item.reason}" if item.reason else ""
                output = f"{REFUSED_CALL}{reason}"
                turns += _call(request.id or "", request.name or "", request.arguments or "{}", output)
        elif not item.type.startswith("mcp_"):
            turns.append(item)
    return turns


def approved_calls(items: Sequence[InputItem], history: Sequence[InputItem]) -> list[Approved]:
    """The calls that items of the input approve.

    Raises:
        InvalidRequest: there is no such request, or the input answers it twice.
    """
    requests, seen = _requests((*history, *items)), set()
    found = []
    for position, item in enumerate(items):
        if item.type != "mcp_approval_response":
            continue
        name = f"input.{position}.approval_request_id"
        request = requests.get(item.approval_request_id or "")
        if request is None:
            raise InvalidRequest(f"{name}: there is no request for approval with this id before it", param=name)
        if request.id in seen or _is_answered(request.id or "", history):
            raise InvalidRequest(f"{name}: this request has been answered before", param=name)
        seen.add(request.id)
        if item.approve:
            label, tool = request.server_label or "", request.name or ""
            found.append(Approved(request.id or "", label, tool, request.arguments or "{}"))
    return found


def listed_tools(items: Sequence[InputItem]) -> Mapping[str, Sequence[ServerTool]]:
    """The newest list of tools of each server, by its label. Lists with an error do not count."""
    lists = [item for item in items if item.type == "mcp_list_tools" and item.server_label and not item.error]
    return {item.server_label or "": list(map(_tool, item.tools or ())) for item in lists}


def _tool(listed: JsonMapping) -> ServerTool:
    schema, annotations = listed.get("input_schema"), listed.get("annotations")
    return ServerTool(
        str(listed.get("name") or ""),
        dict(schema) if isinstance(schema, dict) else {},
        str(listed.get("description") or ""),
        dict(annotations) if isinstance(annotations, dict) else {},
    )


def _requests(items: Sequence[InputItem]) -> dict[str, InputItem]:
    return {item.id: item for item in items if item.type == "mcp_approval_request" and item.id}


def _is_answered(request_id: str, history: Sequence[InputItem]) -> bool:
    return any(item.type == "mcp_approval_response" and item.approval_request_id == request_id for item in history)


def _call(call_id: str, name: str, arguments: str, output: str) -> Iterator[InputItem]:
    call_id = call_id[:256] or "call_mcp"
    call: JsonMapping = {
        "type": "function_call",
        "call_id": call_id,
        "name": name or "tool",
        "arguments": arguments,
    }
    yield InputItem.model_validate(call)
    yield InputItem.model_validate({"type": "function_call_output", "call_id": call_id, "output": output})


def _output(item: InputItem) -> str:
    return item.text[:_MAX_OUTPUT_CHARS] if item.output is not None and not item.error else "The call failed."
