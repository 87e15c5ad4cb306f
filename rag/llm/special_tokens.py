"""Escapes special tokens in untrusted text, so that a language model reads them as plain text."""

from __future__ import annotations

import re
from collections.abc import Collection

_ALWAYS = (r"<\|[^|<>\s]{1,64}\|>", r"(?i:</?passages\b)")
"""Control tokens of most models, and the tags that enclose the passages in our prompts."""


class SpecialTokenEscaper:
    """Escapes documents, questions and earlier turns: nothing in them can end a turn or the list of passages.

    Args:
        control_texts: The language model's control tokens; see `rag.ports.ChatTokenizer`.
    """

    def __init__(self, control_texts: Collection[str]) -> None:
        known = (re.escape(text) for text in sorted(control_texts, key=len, reverse=True) if len(text) > 1)
        # A lookahead, because control texts may overlap.
        self._first_char = re.compile(f"(?={'|'.join([*known, *_ALWAYS])})(.)", re.DOTALL)

    def escape(self, text: str) -> str:
        """The text with a space after the first character of each control text: readable, but not a token any more."""
        return self._first_char.sub(r"\1 ", text)
