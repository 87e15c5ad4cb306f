"""Measures and traces the token streams of the LLM service."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager

from rag.auth.caller import current_tenant
from rag.ports import TokenStream
from rag.telemetry import generation as metrics
from rag.telemetry import tracing
from rag.telemetry.tenants import tenant_label
from rag.types import StreamEnd, StreamItem, TextDelta, Usage


@contextlib.asynccontextmanager
async def measured(source: AbstractAsyncContextManager[TokenStream], span: tracing.Span) -> AsyncIterator[TokenStream]:
    """`source` with metrics and a span. Times are taken at the first token and at the end, not at every token.

    Args:
        span: The span of the text; it is ended here.
    """
    started, tenant = time.perf_counter(), tenant_label(current_tenant())
    with contextlib.closing(span), metrics.RUNNING.track_inprogress():
        async with contextlib.AsyncExitStack() as stack:
            with span.failing(), span.as_current():
                stream = await stack.enter_async_context(source)
            yield await stack.enter_async_context(contextlib.aclosing(_observed(stream, started, tenant, span)))


async def _observed(
    stream: TokenStream, started: float, tenant: str, span: tracing.Span
) -> AsyncGenerator[StreamItem, None]:
    first = 0.0
    texts: list[str] | None = [] if span.takes_texts else None
    with span.failing():
        async for item in stream:
            if not first:
                first = time.perf_counter()
                metrics.FIRST_TOKEN.observe(first - started)
                span.set({tracing.TIME_TO_FIRST_CHUNK: first - started})
            if isinstance(item, StreamEnd):
                _count(item.usage, tenant, time.perf_counter() - first)
                _describe(item, span)
                if texts is not None:
                    span.set({tracing.OUTPUT_MESSAGES: tracing.message("assistant", "".join(texts))})
            elif texts is not None and isinstance(item, TextDelta):
                texts.append(item.text)
            yield item


def _count(usage: Usage, tenant: str, writing_s: float) -> None:
    metrics.TOKENS.labels(tenant, "prompt").inc(usage.prompt_tokens)
    metrics.TOKENS.labels(tenant, "cached_prompt").inc(usage.cached_tokens)
    metrics.TOKENS.labels(tenant, "completion").inc(usage.completion_tokens)
    metrics.TOKENS.labels(tenant, "reasoning").inc(usage.reasoning_tokens)
    if usage.completion_tokens > 1:
        metrics.INTER_TOKEN.observe(writing_s / (usage.completion_tokens - 1))


def _describe(end: StreamEnd, span: tracing.Span) -> None:
    span.set(
        {
            tracing.INPUT_TOKENS: end.usage.prompt_tokens,
            tracing.CACHED_INPUT_TOKENS: end.usage.cached_tokens,
            tracing.OUTPUT_TOKENS: end.usage.completion_tokens,
            tracing.FINISH_REASONS: [text.finish_reason for text in end.all_ends()],
        }
    )
