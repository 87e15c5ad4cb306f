"""The turns of a conversation that is to be compacted: OpenAI's items of messages, function calls and their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rag.types import JsonMapping, JsonObject, Message

Exchange: TypeAlias = Sequence[JsonMapping]
"""What the user says, and all items up to what the user says next."""

_SUMMARY = "Summary of our conversation so far:\n"
_ACKNOWLEDGED = "Ok."


@dataclass(frozen=True, slots=True)
class ConversationParts:
    instructions: Sequence[JsonMapping]
    """The messages of the roles system and developer."""
    summary: str
    """The summary that an earlier compaction wrote; empty if there is none."""
    exchanges: Sequence[Exchange]


def split_conversation(items: Sequence[JsonMapping]) -> ConversationParts:
    instructions = [item for item in items if item.get("role") in ("system", "developer")]
    turns = [item for item in items if item.get("role") not in ("system", "developer")]
    summary = _earlier_summary(turns)
    exchanges: list[list[JsonMapping]] = []
    for turn in turns[2:] if summary else turns:
        if exchanges and not (turn.get("role") == "user" and exchanges[-1][-1].get("role") != "user"):
            exchanges[-1].append(turn)
        else:
            exchanges.append([turn])
    return ConversationParts(instructions, summary, exchanges)


def summary_items(summary: str) -> list[JsonObject]:
    """The summary as turns. There are two, because some chat templates only allow roles that alternate."""
    return [message_item("user", f"{_SUMMARY}{summary}"), message_item("assistant", _ACKNOWLEDGED)]


def message_item(role: str, text: str) -> JsonObject:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def text_of(item: JsonMapping) -> str:
    """The text that the language model reads of an item."""
    if item["type"] == "function_call":
        return f"{item['name']}({item['arguments']})"
    if item["type"] == "function_call_output":
        return str(item["output"])
    return "".join(str(part.get("text") or "") for part in item["content"])


def as_message(item: JsonMapping) -> Message:
    """The item as something that was said."""
    if item["type"] == "function_call":
        return Message("assistant", f"(calls {text_of(item)})")
    if item["type"] == "function_call_output":
        return Message("assistant", f"(the call returned: {text_of(item)})")
    return Message(item["role"], text_of(item))


def without_orphans(items: Sequence[JsonMapping]) -> list[JsonMapping]:
    """The items without outputs of function calls that are not among them."""
    calls = {item["call_id"] for item in items if item["type"] == "function_call"}
    return [item for item in items if item["type"] != "function_call_output" or item["call_id"] in calls]


def _earlier_summary(turns: Sequence[JsonMapping]) -> str:
    if len(turns) < 2 or any(turn["type"] != "message" for turn in turns[:2]):
        return ""
    first, second = text_of(turns[0]), text_of(turns[1])
    is_summary = turns[0]["role"] == "user" and first.startswith(_SUMMARY) and second == _ACKNOWLEDGED
    return first.removeprefix(_SUMMARY) if is_summary else ""
