"""Escapes special tokens in a conversation, so that `<|im_end|>` in a message does not end it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from rag.llm.images import is_image, text_part
from rag.llm.special_tokens import SpecialTokenEscaper
from rag.types import REASONING, JsonObject

_TEXTS = ("content", REASONING, "name", "tool_call_id")


class ChatEscaper:
    """Escapes what requests contain; what the chat template adds to it stays as it is.

    Args:
        control_texts: The language model's control tokens; see `rag.ports.ChatTokenizer`.
    """

    def __init__(self, control_texts: Collection[str]) -> None:
        self.text: Callable[[str], str] = SpecialTokenEscaper(control_texts, fence=False).escape
        """Escapes one text."""

    def turn(self, turn: JsonObject) -> JsonObject:
        """The turn, in which no text, name or id is a control token."""
        escaped = dict(turn)
        for name in _TEXTS:
            if text := turn.get(name):
                escaped[name] = self._content(text)
        if calls := turn.get("tool_calls"):
            escaped["tool_calls"] = [self._call(call) for call in calls]
        return escaped

    def tool(self, value: Any) -> Any:
        """A JSON value in which no text is a control token: descriptions of tools may come from other servers."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.tool(each) for each in value]
        if isinstance(value, dict):
            return {self.text(name): self.tool(each) for name, each in value.items()}
        return value

    def _content(self, content: str | Sequence[JsonObject]) -> str | list[JsonObject]:
        if isinstance(content, str):
            return self.text(content)
        return [part if is_image(part) else text_part(self.text(part["text"])) for part in content]

    def _call(self, call: JsonObject) -> JsonObject:
        """The arguments are escaped as the text that they are, since the model may have written them wrong."""
        function = call["function"]
        own = {"name": function["name"], "arguments": function["arguments"] or ""}
        escaped = {**call, "function": {**function, **self.tool(own)}}
        return {**escaped, "id": self.text(call["id"])} if "id" in call else escaped
