"""Several texts of temperature 0 are the same text several times: vLLM refuses them, so one is written and copied."""

from __future__ import annotations

import contextlib
from typing import Any

from rag.ports import TokenStream
from rag.types import StreamEnd, TextDelta, Usage

_GREEDY_BELOW = 1e-5
"""vLLM takes lower temperatures for 0."""


def copies_wanted(sampling: dict[str, Any]) -> int:
    """How many times the one text is the answer. Takes `n` out where that is more than once.

    Args:
        sampling: vLLM's parameters, the temperature among them.
    """
    texts = sampling.get("n")
    if isinstance(texts, int) and texts > 1 and sampling.get("temperature", 1.0) < _GREEDY_BELOW:
        del sampling["n"]
        return texts
    return 1


async def copied(pieces: TokenStream, copies: int) -> TokenStream:
    """One text as several that are the same. Its first item is that of `pieces`."""
    async with contextlib.aclosing(pieces):
        yield await anext(pieces)
        async for piece in pieces:
            if isinstance(piece, StreamEnd):
                usage = piece.usage
                counts = Usage(usage.prompt_tokens, usage.completion_tokens * copies, usage.cached_tokens)
                ends = piece.all_ends() * copies
                yield StreamEnd(piece.finish_reason, counts, ends=ends, prompt_logprobs=piece.prompt_logprobs)
                continue
            for index in range(copies):
                yield TextDelta(piece.text, index, piece.logprobs, piece.tool_calls)
