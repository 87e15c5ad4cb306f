"""Several texts at temperature 0 are identical, and vLLM refuses to sample them: one is generated and copied."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from rag.ports import TokenStream
from rag.types import JsonObject, StreamEnd, StreamItem

_GREEDY_BELOW = 1e-5
"""vLLM treats lower temperatures as 0."""


def copies_wanted(sampling: JsonObject) -> int:
    """How many copies of one text the request asks for; 1 unless it asks for several texts at temperature 0.

    Removes `n` from `sampling` if the result is more than 1.

    Args:
        sampling: vLLM's sampling parameters, the temperature included.
    """
    texts = sampling.get("n")
    if isinstance(texts, int) and texts > 1 and sampling.get("temperature", 1.0) < _GREEDY_BELOW:
        del sampling["n"]
        return texts
    return 1


async def repeat_text(stream: TokenStream, copies: int) -> AsyncGenerator[StreamItem, None]:
    """A stream of `copies` identical texts, made of a stream of one; completion tokens are counted for each copy."""
    async for delta in stream:
        if isinstance(delta, StreamEnd):
            usage = delta.usage
            completion, reasoning = usage.completion_tokens * copies, usage.reasoning_tokens * copies
            counts = replace(usage, completion_tokens=completion, reasoning_tokens=reasoning)
            ends = delta.all_ends() * copies
            yield StreamEnd(delta.finish_reason, counts, ends=ends, prompt_logprobs=delta.prompt_logprobs)
            continue
        for index in range(copies):
            yield replace(delta, index=index)
