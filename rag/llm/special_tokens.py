"""Escapes special tokens in untrusted text, so that a language model reads them as plain text."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_CONTROL = r"<\|[^|<>\s]{1,64}\|>"
"""Control tokens of most models."""
_FENCE = r"(?i:</?passages\b)"
"""The tags that enclose the passages in our prompts."""
_LOOKS_LIKE_CONTROL = re.compile(r"<[^<>\s{}'\"]{1,64}>|<</?[A-Z]+>>|\[/?[A-Z_]{2,64}\]")


class SpecialTokenEscaper:
    """Escapes documents, questions and earlier turns: nothing in them can end a turn or the list of passages.

    Args:
        control_texts: The language model's control tokens; see `rag.ports.ChatTokenizer`.
        fence: Whether the text becomes part of a prompt that encloses passages in tags.
    """

    def __init__(self, control_texts: Collection[str], *, fence: bool = True) -> None:
        known = (re.escape(text) for text in sorted(control_texts, key=len, reverse=True) if len(text) > 1)
        fences = [_FENCE] if fence else []
        # A lookahead, because control texts may overlap.
        self._first_char = re.compile(f"(?={'|'.join([*known, _CONTROL, *fences])})(.)", re.DOTALL)

    def escape(self, text: str) -> str:
        """The text with a space after the first character of each control text: readable, but not a token any more."""
        return self._first_char.sub(r"\1 ", text)


def control_texts_of(tokenizer: Any) -> Collection[str]:
    """Special tokens of a tokenizer of transformers, and what looks like one in its vocabulary and chat template."""
    added = tokenizer.added_tokens_decoder.values()
    special = {token.content for token in added if token.special or _LOOKS_LIKE_CONTROL.fullmatch(token.content)}
    return frozenset(special.union(_LOOKS_LIKE_CONTROL.findall(str(tokenizer.chat_template or ""))))
