"""The turns of a conversation, from the items of a request and of the responses before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic_core import from_json

from rag.errors import EmptyQuestion, InvalidRequest
from rag.http.v1.responses.request.input import InputItem
from rag.http.v1.text_generation.image_parts import model_content
from rag.types import REASONING, JsonObject

MAX_TURN_CHARS = 100_000
"""Limit of one message if documents are searched, the same as at `/ask`."""
_REQUIRED: Mapping[str, Sequence[str]] = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
}
"""By type of an item that is a turn: the fields that it must have."""
_MCP_REQUIRED: Mapping[str, Sequence[str]] = {
    "mcp_list_tools": ("server_label", "tools"),
    "mcp_call": ("id", "server_label", "name", "arguments"),
    "mcp_approval_request": ("id", "server_label", "name", "arguments"),
    "mcp_approval_response": ("approval_request_id", "approve"),
}
"""The same of items of MCP servers."""
_COMPACTION_REQUIRED: Mapping[str, Sequence[str]] = {"compaction": ("encrypted_content",)}
_SENT_BACK_FIELDS = ("results", "summary", "encrypted_content", "namespace")
_MCP_FIELDS = ("server_label", "tools", "error", "approval_request_id", "approve", "reason")
_OTHERS: Mapping[str, Sequence[str]] = {
    "message": ("call_id", "name", "arguments", "output", "caller", *_SENT_BACK_FIELDS, *_MCP_FIELDS),
    "function_call_output": ("role", "content", "arguments", *_SENT_BACK_FIELDS, *_MCP_FIELDS),
    "mcp_approval_response": (
        *("role", "content", "call_id", "name", "arguments", "output", "caller"),
        *_SENT_BACK_FIELDS,
    ),
}
"""By type of an item: the fields of other items. They are only ignored in what the assistant wrote."""


def chat_messages(
    items: Sequence[InputItem], instructions: str | None, history: Sequence[InputItem] = ()
) -> tuple[JsonObject, ...]:
    """In the format of `rag.types.Chat`. `history`: the items of earlier responses."""
    _check(items, history)
    messages: list[JsonObject] = [{"role": "system", "content": instructions}] if instructions else []
    thought = ""
    for item in _turns((*history, *items)):
        match item.type:
            case "reasoning":
                thought = item.text
                continue
            case "function_call":
                _add_call(messages, item)
            case "function_call_output":
                messages.append({"role": "tool", "tool_call_id": item.call_id, "content": item.text})
            case _:
                role = "system" if item.role == "developer" else item.role
                messages.append({"role": role, "content": model_content(item.content or ())})
        if thought and messages[-1]["role"] == "assistant":
            messages[-1].setdefault(REASONING, thought)
        thought = ""
    if not any(turn["content"] or turn.get("tool_calls") for turn in messages[bool(instructions) :]):
        raise InvalidRequest("input: is empty", param="input")
    return tuple(messages)


def question_of(
    items: Sequence[InputItem], instructions: str | None, history: Sequence[InputItem] = ()
) -> tuple[str, list[JsonObject], str]:
    """The question, the earlier turns and the instructions, for an answer from documents. Function calls and their
    outputs are left out.

    Raises:
        InvalidRequest: the last message is not from the user, or a message is too long.
    """
    _check(items, history)
    for position, item in enumerate(items):
        if len(item.text) > MAX_TURN_CHARS and item.type == "message":
            name = f"input.{position}.content"
            raise InvalidRequest(f"{name}: has more than {MAX_TURN_CHARS} characters", param=name)
    conversation = [item for item in (*history, *items) if item.type == "message"]
    last = conversation[-1] if conversation else None
    if last is None or last.role != "user":
        position, newest = [(position, item) for position, item in enumerate(items) if item.type in _REQUIRED][-1]
        param = f"input.{position}.{'role' if newest.type == 'message' else 'type'}"
        raise InvalidRequest(
            f"{param}: an answer from documents needs a question; the last message must be the user's", param=param
        )
    if not last.text.strip():
        raise EmptyQuestion("input: the question is empty", param="input")
    parts = [
        instructions or "",
        *(turn.text for turn in conversation if turn.role in ("system", "developer")),
    ]
    turns = [
        {"role": turn.role, "content": turn.text[:MAX_TURN_CHARS]}
        for turn in conversation[:-1]
        if turn.role in ("user", "assistant")
    ]
    return last.text, turns, "\n\n".join(text for text in parts if text.strip())


def has_function_calls(items: Sequence[InputItem]) -> bool:
    return any(item.type in ("function_call", "function_call_output") for item in items)


def is_turn(item: InputItem) -> bool:
    """Whether the item is a message or a call. An incomplete function call is not a turn, because its arguments are cut
    off.
    """
    return item.type in _REQUIRED and not (item.type == "function_call" and item.status == "incomplete")


def _turns(items: Sequence[InputItem]) -> Iterator[InputItem]:
    """The items that are turns, and what the model thought before them."""
    return (item for item in items if is_turn(item) or item.type == "reasoning")


def _add_call(messages: list[JsonObject], item: InputItem) -> None:
    """Calls are part of the assistant's message before them."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": ""})
    function = {"name": item.name, "arguments": item.arguments}
    calls = messages[-1].setdefault("tool_calls", [])
    calls.append({"id": item.call_id, "type": "function", "function": function})


def _check(items: Sequence[InputItem], history: Sequence[InputItem]) -> None:
    """Raises InvalidRequest if an item is invalid, or if there is no turn."""
    check_items(items, history)
    if not any(item.type in _REQUIRED for item in items):
        raise InvalidRequest("input: contains no message", param="input")


def check_items(items: Sequence[InputItem], history: Sequence[InputItem]) -> None:
    """Raises InvalidRequest if an item lacks a field or has one of other items, or if its function call is missing."""
    call_ids = {item.call_id for item in _turns(history) if item.type == "function_call"}
    for position, item in enumerate(items):
        name = f"input.{position}"
        check_fields(name, item)
        if item.type == "function_call" and item.status != "incomplete":
            _check_arguments(f"{name}.arguments", item.arguments or "")
            call_ids.add(item.call_id)
        elif item.type == "function_call_output" and item.call_id not in call_ids:
            raise InvalidRequest(f"{name}.call_id: no function call before it has this id", param=f"{name}.call_id")


def check_fields(name: str, item: InputItem) -> None:
    """Raises InvalidRequest if the item lacks a field or has one of other items. `name`: where the item stands."""
    for field in ({**_REQUIRED, **_MCP_REQUIRED, **_COMPACTION_REQUIRED}).get(item.type, ()):
        if getattr(item, field) is None:
            raise InvalidRequest(f"{name}.{field}: is required", param=f"{name}.{field}")
    if item.files and item.role != "user":
        param = f"{name}.content.{min(item.files)}"
        raise InvalidRequest(f"{param}: only messages of role user have files", param=param)
    if item.images and item.role != "user":
        param = f"{name}.content.{min(item.images)}"
        raise InvalidRequest(f"{param}: only messages of role user have images", param=param)
    for field in _OTHERS.get(item.type, ()) if item.role != "assistant" else ():
        if getattr(item, field) is not None:
            raise InvalidRequest(f"{name}.{field}: is not a field of this item", param=f"{name}.{field}")


def _check_arguments(name: str, arguments: str) -> None:
    try:
        from_json(arguments or "{}")
    except ValueError:
        raise InvalidRequest(f"{name}: is not JSON", param=name) from None
