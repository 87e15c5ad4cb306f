"""What a language model would take for more than text, made text."""

from __future__ import annotations

import re
from collections.abc import Collection

_ALWAYS = (r"<\|[^|<>\s]{1,64}\|>", r"(?i:</?passages\b)")
"""Control tokens of most models, and the fence that passages stand in."""


class SpecialTokenEscaper:
    """Takes documents, questions and earlier turns as what they are: nothing in them ends a turn, or the passages.

    Args:
        marks: Of the language model, as `rag.ports.ChatTokenizer.control_texts` says.
    """

    def __init__(self, marks: Collection[str]) -> None:
        known = (re.escape(mark) for mark in sorted(marks, key=len, reverse=True) if len(mark) > 1)
        # Looks ahead, for marks may overlap.
        self._begins = re.compile(f"(?={'|'.join([*known, *_ALWAYS])})(.)", re.DOTALL)

    def escape(self, text: str) -> str:
        """With a blank behind the first character of each mark: people still read it, and no tokenizer does."""
        return self._begins.sub(r"\1 ", text)
