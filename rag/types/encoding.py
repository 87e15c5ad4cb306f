"""Inputs and outputs of encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

TextKind: TypeAlias = Literal["query", "passage"]
"""What a text is to an encoder: many models encode queries and passages differently."""
TokenIds: TypeAlias = Sequence[int]
"""Token ids of a model's own tokenizer."""
LongTexts: TypeAlias = Literal["truncate", "window"]
"""What an encoder does with a text that is longer than its input. `truncate`: it reads the beginning. `window`: it
reads the text in windows, and the vector is the mean of theirs, weighted by their tokens and normalised."""
SparseVector: TypeAlias = Mapping[int, float]
"""Token id of a sparse model's vocabulary -> weight, greater than 0."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The lengths of texts in tokens of an encoder."""

    tokens: tuple[int, ...]
    """The length of each text before truncation, including the model's prompt prefix and special tokens."""
    max_tokens: int | None
    """Longer texts are truncated to this length; None if the model has no limit."""
