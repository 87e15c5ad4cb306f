"""The limits of one answer: rounds, tool calls, tokens and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rag.types import Usage

_MARGIN = 64
"""Tokens for what the chat template adds to an output."""


@dataclass(slots=True)
class Budget:
    """Limits of the work on one answer.

    Args:
        max_rounds: Rounds in which it may call tools.
        max_calls: Calls of tools that the service runs, in all rounds together; None: any number.
        max_tokens: Tokens that it may write, in all rounds together.
        context_tokens: Its context length.
        timeout_s: Time limit of the whole response. After half of it, the model must answer.
    """

    max_rounds: int
    max_calls: int | None
    max_tokens: int
    context_tokens: int
    timeout_s: float
    clock: Callable[[], float] = time.monotonic
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    """Of all rounds together."""
    rounds: int = 0
    calls: int = 0
    length: int = 0
    """Tokens of the conversation so far."""
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def spend(self, usage: Usage) -> None:
        """Count a round."""
        self.rounds += 1
        self.length = usage.prompt_tokens + usage.completion_tokens
        self.usage += usage

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self.started

    @property
    def tokens_left(self) -> int:
        """Tokens that the model may still write."""
        return max(0, self.max_tokens - self.usage.completion_tokens)

    @property
    def may_call(self) -> bool:
        """Whether another tool may be run in this round."""
        return self.max_calls is None or self.calls < self.max_calls

    @property
    def must_answer(self) -> bool:
        """Whether the next round is the last one, in which no tool can be called."""
        is_late = self.elapsed_s > self.timeout_s / 2
        return self.rounds >= self.max_rounds or not self.may_call or is_late or self.room < _MARGIN

    @property
    def room(self) -> int:
        """Tokens that the output of a tool may have. What the model may still write is kept free."""
        return max(0, self.context_tokens - self.length - self.tokens_left - _MARGIN)

    def add(self, tokens: int) -> None:
        """Count an output that was added to the conversation."""
        self.length += tokens
