"""Decides which requests are fast-forwarded."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import llguidance

from rag.adapters.vllm.fast_forward.finite import has_few_choices
from rag.adapters.vllm.fast_forward.matcher import TokenMatcher
from rag.errors import InternalError

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM

_OWN = frozenset({"max_tokens", "output_kind", "structured_outputs"})
_CHOOSING = frozenset(
    {
        "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty",
        "repetition_penalty",
    }
)  # fmt: skip
"""Parameters that have no effect where there is only one token to choose."""
_PENALTIES = ("presence_penalty", "frequency_penalty", "repetition_penalty")


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that can be fast-forwarded."""

    matcher: TokenMatcher
    """Positioned at the first choice, or at the end."""
    begun: tuple[int, ...]
    """The tokens before that position."""
    max_tokens: int


class FastForward:
    """Plans requests. Its first plan takes half a second longer, because the tokenizer is read for llguidance.

    Args:
        engine: It is asked for single choices only if it has a prefix cache, so that it need not read the text again.
    """

    def __init__(self, engine: AsyncLLM) -> None:
        self._tokenizer: Any = engine.get_tokenizer()
        self._vocabulary = engine.model_config.get_vocab_size()
        self._may_ask = bool(engine.vllm_config.cache_config.enable_prefix_caching)
        self._lock = threading.Lock()
        self._readings: list[llguidance.LLTokenizer | None] = []
        """Empty until `_read` has run, then one entry."""

    async def plan(self, params: SamplingParams) -> Plan | None:
        """How to write the text of a request; None if the engine has to write it.

        The result must be the same as the engine's. So requests that sample at random, and those with any other
        parameter, such as `stop` or `logprobs`, are left to the engine.
        """
        grammar = None if params.structured_outputs is None else params.structured_outputs.grammar
        if grammar is None or not has_few_choices(grammar) or not _is_plain(params):
            return None
        return await asyncio.to_thread(self._plan, grammar, params)

    def _plan(self, grammar: str, params: SamplingParams) -> Plan | None:
        if (tokenizer := self._read()) is None:
            return None
        try:
            matcher = TokenMatcher(tokenizer, grammar)
            begun = tuple(matcher.advance())
        except InternalError:  # one of llguidance's limits
            return None
        if params.max_tokens is None or not (matcher.is_complete or (self._may_ask and _is_greedy(params))):
            return None
        return Plan(matcher, begun, params.max_tokens)

    def _read(self) -> llguidance.LLTokenizer | None:
        """The tokenizer for llguidance; None if that cannot read it, or cannot tell which tokens it makes of a text."""
        from llguidance.hf import from_tokenizer

        with self._lock:
            if not self._readings:
                size = max(self._vocabulary, len(self._tokenizer))
                try:
                    read = from_tokenizer(self._tokenizer, size)
                except ValueError:
                    read = None
                self._readings.append(read if read is not None and read.is_canonical else None)
            return self._readings[0]


def _is_plain(params: SamplingParams) -> bool:
    usual = type(params)()
    names = set(params.__struct_fields__) - _OWN - _CHOOSING
    return all(getattr(params, name) == getattr(usual, name) for name in names)


def _is_greedy(params: SamplingParams) -> bool:
    usual = type(params)()
    return params.temperature == 0 and all(getattr(params, name) == getattr(usual, name) for name in _PENALTIES)
