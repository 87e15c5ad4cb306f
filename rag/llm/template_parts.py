"""Chat templates that read the content of a message as a list of parts, as those of many models that see do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.llm.images import text_part
from rag.types import JsonObject

_PROBE = "axolotl"


def takes_only_parts(tokenizer: Any) -> bool:
    """Whether the chat template of a tokenizer of transformers loses a text that is not a part."""
    return not _keeps(tokenizer, _PROBE) and _keeps(tokenizer, [text_part(_PROBE)])


def as_parts(turns: Sequence[JsonObject]) -> list[JsonObject]:
    """The conversation with each content as a list of parts."""
    return [
        {**turn, "content": [text_part(turn["content"])]} if isinstance(turn.get("content"), str) else turn
        for turn in turns
    ]


def _keeps(tokenizer: Any, content: str | list[JsonObject]) -> bool:
    try:
        text = tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    except Exception:  # a template is a program that can fail in any way
        return False
    return _PROBE in str(text)
