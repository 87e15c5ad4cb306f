"""Prompts for models that insert text between a prefix and a suffix, such as those that complete code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rag.errors import InvalidRequest
from rag.types import Insertion


@dataclass(frozen=True, slots=True)
class _Marks:
    """The tokens of a family of models."""

    prefix: str
    suffix: str
    middle: str
    """Empty if the text to insert follows the prefix, which then comes last."""


_FAMILIES: Final = (
    _Marks("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),  # Qwen2.5-Coder, CodeGemma, Granite 4
    _Marks("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),  # StarCoder, Granite Code, Stable Code, CodeQwen1.5
    _Marks("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),  # SantaCoder
    _Marks("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),  # DeepSeek-Coder
    _Marks("▁<PRE>", "▁<SUF>", "▁<MID>"),  # CodeLlama
    _Marks("<PRE>", "<SUF>", "<MID>"),
    _Marks("[PREFIX]", "[SUFFIX]", ""),  # Codestral
)
_ENDS: Final = (
    *("▁<EOT>", "<EOT>", "<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|file_separator|>", "<|repo_name|>"),
    *("<fim_pad>", "<file_sep>"),
)
"""Tokens with which some models end the inserted text, or go on with another file, instead of ending the sequence."""
_LEAD = "☺"


class FillInMiddle:
    """Builds the prompts of one model.

    Args:
        tokenizer: Of transformers, or with the same methods.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        self._vocabulary = vocabulary
        self._marks = next((marks for marks in _FAMILIES if _all_in(marks, vocabulary)), None)

    def stop_token_ids(self) -> list[int]:
        """Tokens at which the inserted text ends, besides the model's own end of the sequence."""
        marks = self._marks
        own = () if marks is None else (marks.prefix, marks.suffix, marks.middle)
        return sorted({self._vocabulary[text] for text in (*own, *_ENDS) if text in self._vocabulary})

    def token_ids(self, insertion: Insertion) -> list[int]:
        """The prompt. Raises InvalidRequest if the model has no tokens for it."""
        if (marks := self._marks) is None:
            raise InvalidRequest(
                "suffix: is not supported: the tokenizer of this language model has no tokens for it, such as "
                "<|fim_prefix|>; use a model that was trained to insert text, such as Qwen2.5-Coder",
                param="suffix",
            )
        prefix = [self._vocabulary[marks.prefix], *self._encoded(insertion.prefix)]
        suffix = [self._vocabulary[marks.suffix], *self._encoded(insertion.suffix)]
        if not marks.middle:
            return [*self._start(), *suffix, *prefix]
        return [*self._start(), *prefix, *suffix, self._vocabulary[marks.middle]]

    def _start(self) -> list[int]:
        """The token with which a sequence begins, if the tokenizer adds one."""
        start: int | None = self._tokenizer.bos_token_id
        return [] if start is None or self._tokenizer.encode("x")[:1] != [start] else [start]

    def _encoded(self, text: str) -> list[int]:
        """The text's tokens. SentencePiece adds a blank before a text, which must not become part of the file."""
        lead = self._plain(_LEAD)
        with_lead = self._plain(_LEAD + text)
        return with_lead[len(lead) :] if with_lead[: len(lead)] == lead else self._plain(text)

    def _plain(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False)) if text else []


def _all_in(marks: _Marks, vocabulary: dict[str, int]) -> bool:
    return all(not text or text in vocabulary for text in (marks.prefix, marks.suffix, marks.middle))
