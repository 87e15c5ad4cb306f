"""Splits a conversation into the part that can be compacted and the part that must stay unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.http.v1.responses.memory import RequestedTurns
from rag.http.v1.responses.request.input import InputItem, stored_item
from rag.http.v1.responses.request.mcp_turns import as_turns
from rag.http.v1.responses.request.turns import is_turn
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class SplitTurns:
    """A conversation in two parts."""

    turns: RequestedTurns
    start: int
    """The number of items before the last message of the user, or before the calls whose outputs come after it."""

    @property
    def earlier(self) -> list[JsonObject]:
        """The turns that can be compacted."""
        return stored_turns(_items(self.turns)[: self.start])

    @property
    def last(self) -> list[JsonObject]:
        """The turns that stay as they are."""
        items = _items(self.turns)
        return [stored_item(item) for item in as_turns(items[self.start :], items[: self.start]) if is_turn(item)]

    def compacted(self, items: Sequence[JsonObject], compaction: InputItem) -> RequestedTurns:
        """The conversation with `items` in place of the first part."""
        history, own = self.turns.history, self.turns.input
        opened = [InputItem.model_validate(item) for item in items]
        in_input = max(0, self.start - len(history))
        rest = [] if in_input else history[self.start :]
        return replace(self.turns, input=[*[compaction] * in_input, *own[in_input:]], history=[*opened, *rest])


def split_turns(turns: RequestedTurns) -> SplitTurns | None:
    """Split the conversation; None if nothing can be compacted."""
    items = _items(turns)
    questions = [position for position, item in enumerate(items) if item.type == "message" and item.role == "user"]
    if not questions:
        return None
    start = questions[-1]
    outputs = {item.call_id for item in items[start:] if item.type == "function_call_output"}
    calls = [number for number, item in enumerate(items) if item.type == "function_call" and item.call_id in outputs]
    split = SplitTurns(turns, min([start, *calls]))
    return split if split.earlier else None


def stored_turns(items: Sequence[InputItem]) -> list[JsonObject]:
    """The turns among the items, as they are kept. Passages and reasoning are left out, and attached files are reduced
    to their names.
    """
    return [_without_files(stored_item(item)) for item in as_turns(items) if is_turn(item)]


def _without_files(turn: JsonObject) -> JsonObject:
    if turn["type"] != "message":
        return turn
    return {**turn, "content": [_name_of(part) if part["type"] == "input_file" else part for part in turn["content"]]}


def _name_of(file: JsonObject) -> JsonObject:
    return {"type": "input_text", "text": f"[{file.get('filename') or 'attached file'}]"}


def _items(turns: RequestedTurns) -> list[InputItem]:
    return [*turns.history, *turns.input]
