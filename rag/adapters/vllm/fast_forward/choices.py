"""Asks vLLM's engine for single tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.adapters.vllm.errors import translated
from rag.errors import DependencyUnavailable

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM


@dataclass(frozen=True, slots=True)
class ChosenToken:
    token_id: int
    cached_tokens: int
    """Tokens before it that were taken from the engine's prefix cache."""


@dataclass(frozen=True, slots=True)
class EngineChoices:
    """The choices of one text."""

    engine: AsyncLLM
    prompt: Mapping[str, Any]
    """vLLM's input of token ids."""
    request_id: str
    options: Mapping[str, Any]
    """Further arguments of vLLM's `generate`."""

    async def choose(self, written: Sequence[int], choices: Sequence[int]) -> ChosenToken:
        """The likeliest of the tokens that may come next.

        Args:
            written: The text so far. The prefix cache has most of it, and the engine reads the rest in one step.

        Raises:
            DependencyUnavailable: the engine is dead.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        one = SamplingParams(
            temperature=0.0,
            max_tokens=1,
            allowed_token_ids=list(choices),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt: Any = {**self.prompt, "prompt_token_ids": [*self.prompt["prompt_token_ids"], *written]}
        request_id = f"{self.request_id}-{len(written)}"
        with translated():
            async with contextlib.aclosing(self.engine.generate(prompt, one, request_id, **self.options)) as outputs:
                async for output in outputs:
                    (text,) = output.outputs
                    if text.finish_reason not in ("abort", "error") and text.token_ids:
                        return ChosenToken(text.token_ids[0], output.num_cached_tokens or 0)
        raise DependencyUnavailable("the language model's engine dropped the request")
