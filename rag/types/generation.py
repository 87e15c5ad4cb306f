"""Outputs and parameters of the language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rag.types.json import JsonObject

SamplingParameters: TypeAlias = Mapping[str, Any]
"""vLLM's sampling parameters by their own names, as JSON values."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Number of tokens that a request used."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Prompt tokens that were taken from the engine's prefix cache."""
    reasoning_tokens: int = 0
    """Completion tokens that the model used to think."""

    def __add__(self, other: Usage) -> Usage:
        """Returns the usage of both requests together."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its log probability."""

    token: str
    """The token decoded on its own; a token that is part of a character is U+FFFD."""
    token_id: int
    """-1 if the language model's server does not report it."""
    logprob: float
    """Natural logarithm of the probability."""
    top: tuple[TokenLogprob, ...] = ()
    """The most likely tokens at this position, most likely first, as many as were requested."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New text from the language model. The text is empty only if the delta has logprobs or tool calls."""

    text: str
    index: int = 0
    """Number of the text, in a request for several (`n`)."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """The log probabilities of the tokens since the previous delta, if requested."""
    tool_calls: tuple[JsonObject, ...] = ()
    """Parts of function calls, as OpenAI's API streams them: `index`, `id`, `function.name`, `function.arguments`."""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """New text of what the language model thinks before it answers. It is not part of the answer."""

    text: str
    """Not empty."""
    index: int = 0
    """Number of the text that it belongs to, in a request for several (`n`)."""


@dataclass(frozen=True, slots=True)
class TextEnd:
    """How one text of a request ended."""

    finish_reason: str
    """One of vLLM's names, such as `stop` or `length`."""
    stop_reason: str | int | None = None
    """The stop string or stop token id that ended it; None if it ended by itself or reached its maximum length."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last item of a token stream."""

    finish_reason: str
    """The reason why the first text ended."""
    usage: Usage
    cached: bool = False
    """Whether the whole text comes from the answer cache."""
    ends: tuple[TextEnd, ...] = ()
    """How each text ended, by index; empty for a single text without a stop reason."""
    prompt_logprobs: tuple[TokenLogprob | None, ...] = ()
    """One for each token of the prompt, if requested; the first is None."""

    def all_ends(self) -> tuple[TextEnd, ...]:
        """Returns how each text ended, by index."""
        return self.ends or (TextEnd(self.finish_reason),)


StreamItem: TypeAlias = TextDelta | ReasoningDelta | StreamEnd
"""An item of a language model's stream."""
