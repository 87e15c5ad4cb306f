"""The language model's tokenizer and chat template, from the files that the engine loads."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rag.errors import InvalidRequest, SetupError
from rag.llm.special_tokens import control_texts_of
from rag.llm.template_parts import as_parts, takes_only_parts
from rag.llm.template_values import known_variables
from rag.types import JsonMapping, JsonObject, Message

_TURN_TOKENS = 8
"""Special tokens around one turn of a conversation, in the chat templates of common models."""


class HfChatTokenizer:
    """Renders and counts prompts. Implements `rag.ports.ChatTokenizer`. Thread-safe.

    Args:
        folder: Folder or hub id of the language model.

    Raises:
        SetupError: the model has no chat template.
    """

    def __init__(self, folder: str) -> None:
        self._tokenizer = _load(folder)
        if not self._tokenizer.chat_template:
            raise SetupError(f"{folder} has no chat template; use the instruct version of the model")
        self._takes_only_parts = takes_only_parts(self._tokenizer)
        self._knows_system = self._accepts([Message("system", "x"), Message("user", "x")])

    @property
    def control_texts(self) -> Collection[str]:
        return control_texts_of(self._tokenizer)

    def render(self, messages: Sequence[Message], values: JsonMapping | None = None) -> list[int]:
        return self._apply(messages if self._knows_system else _without_system(messages), values)

    def measure(self, messages: Sequence[Message], values: JsonMapping | None = None) -> int:
        return len(self.render(messages, values))

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _accepts(self, messages: Sequence[Message]) -> bool:
        try:
            self._apply(messages, None)
        except InvalidRequest:
            return False
        return True

    def _apply(self, messages: Sequence[Message], values: JsonMapping | None) -> list[int]:
        from jinja2 import TemplateError

        turns: list[JsonObject] = [{"role": m.role, "content": m.content} for m in messages]
        if self._takes_only_parts:
            turns = as_parts(turns)
        variables = known_variables(values or {}, self._tokenizer.chat_template)
        try:
            token_ids: list[int] = self._tokenizer.apply_chat_template(
                turns, tokenize=True, add_generation_prompt=True, return_dict=False, **variables
            )
        except TemplateError as error:
            refusal = f"history: the model's chat template rejects this order of turns ({error})"
            raise InvalidRequest(refusal, param="history") from error
        return token_ids


class HfTokenCounter:
    """A tokenizer that only counts, for a server that renders prompts itself. Implements `rag.ports.ChatTokenizer`.

    Args:
        folder: Folder or hub id of that server's model.
    """

    def __init__(self, folder: str) -> None:
        self._tokenizer = _load(folder)

    @property
    def control_texts(self) -> Collection[str]:
        return control_texts_of(self._tokenizer)

    def render(self, messages: Sequence[Message], values: JsonMapping | None = None) -> list[int]:
        return []

    def measure(self, messages: Sequence[Message], values: JsonMapping | None = None) -> int:
        """Estimate the special tokens of each turn, since the server may use another chat template."""
        return _TURN_TOKENS * (len(messages) + 1) + sum(self.count(turn.content) for turn in messages)

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))


def _load(folder: str) -> Any:
    """The tokenizer that AutoTokenizer would choose.

    AutoTokenizer imports torch, which takes seconds and 300 MB, and nothing else in the Retriever needs torch.
    Tokenizers of the generic class are therefore loaded without it.
    """
    if _class_of(folder) == "TokenizersBackend":
        from transformers import TokenizersBackend

        return TokenizersBackend.from_pretrained(folder)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def _class_of(folder: str) -> str:
    """The class that a local folder names for its tokenizer; empty if it names none, and for a hub id."""
    try:
        config = json.loads((Path(folder) / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(config.get("tokenizer_class", "")) if isinstance(config, dict) else ""


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The conversation for a template without a system role, such as Gemma's: its text starts the first user turn."""
    head, *rest = messages
    if head.role != "system" or not rest:
        return list(messages)
    return [Message("user", f"{head.content}\n\n{rest[0].content}"), *rest[1:]]
