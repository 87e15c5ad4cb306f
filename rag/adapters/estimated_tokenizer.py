"""How many tokens a text has, for a model whose tokenizer is not at hand."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from rag.types import Message

_TURN_TOKENS = 8
"""Marks around one turn of a conversation, in the templates of common models."""
_WORD_CHARS = 3
"""Letters of one token. English has more of them, since tokenizers are made for it; German does not."""
_BYTES = 1.4
"""UTF-8 bytes of one token in scripts other than Latin: Chinese needs two tokens a character where a vocabulary is
small."""
_CONTROL_TEXTS = (
    *("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<bos>", "<eos>", "<pad>", "<unk>"),
    *("<start_of_turn>", "<end_of_turn>", "<tool_call>", "</tool_call>", "<think>", "</think>"),
    *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
)
_PIECES = re.compile(r"([A-Za-z]+)|( (?=[A-Za-z]))|(\s+|[\x00-\x7f])|([^\x00-\x7f]+)")


class EstimatedTokenizer:
    """See `rag.ports.ChatTokenizer`: counts rather too many, and renders nothing.

    Measured on the tokenizer of SmolLM2, whose vocabulary of 49,152 is small, so that others make fewer tokens of a
    text: for German 1.05 times what it has (the worst of 150 paragraphs 0.94), Chinese 1.2, code 1.6, English 1.7.
    """

    @property
    def control_texts(self) -> Collection[str]:
        """Of common models, but for `<|...|>`, which is always one."""
        return _CONTROL_TEXTS

    def render(self, messages: Sequence[Message]) -> list[int]:
        return []

    def measure(self, messages: Sequence[Message]) -> int:
        return _TURN_TOKENS * (len(messages) + 1) + sum(self.count(turn.content) for turn in messages)

    def count(self, text: str) -> int:
        return sum(_tokens(word, blank, other) for word, blank, _, other in _PIECES.findall(text))


def _tokens(word: str, blank: str, other: str) -> int:
    """Of a word, of other letters, or one for each mark, digit, and row of blanks; a blank belongs to the word
    behind it."""
    if word:
        return math.ceil(len(word) / _WORD_CHARS)
    if other:
        return math.ceil(len(other.encode(errors="replace")) / _BYTES)
    return 0 if blank else 1
