"""Measures the token streams of the LLM service."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager

from rag.ports import TokenStream
from rag.telemetry import generation as metrics
from rag.types import StreamEnd, TextDelta, Usage


@contextlib.asynccontextmanager
async def measured(source: AbstractAsyncContextManager[TokenStream]) -> AsyncIterator[TokenStream]:
    """The same stream. Times are taken at its first token and at its end, not at the tokens between them."""
    started = time.perf_counter()
    with metrics.RUNNING.track_inprogress():
        async with source as stream, contextlib.aclosing(_observed(stream, started)) as observed:
            yield observed


async def _observed(stream: TokenStream, started: float) -> AsyncGenerator[TextDelta | StreamEnd, None]:
    first = 0.0
    async for item in stream:
        if not first:
            first = time.perf_counter()
            metrics.FIRST_TOKEN.observe(first - started)
        if isinstance(item, StreamEnd):
            _count(item.usage, time.perf_counter() - first)
        yield item


def _count(usage: Usage, writing_s: float) -> None:
    metrics.TOKENS.labels("prompt").inc(usage.prompt_tokens)
    metrics.TOKENS.labels("cached_prompt").inc(usage.cached_tokens)
    metrics.TOKENS.labels("completion").inc(usage.completion_tokens)
    if usage.completion_tokens > 1:
        metrics.INTER_TOKEN.observe(writing_s / (usage.completion_tokens - 1))
