"""The token stream of a fast-forwarded text."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from typing import Protocol

from rag.adapters.vllm.fast_forward.choices import ChosenToken
from rag.adapters.vllm.fast_forward.plan import Plan
from rag.auth.caller import current_tenant
from rag.ports import TokenStream
from rag.telemetry import generation as metrics
from rag.telemetry.tenants import tenant_label
from rag.types import StreamEnd, StreamItem, TextDelta, Usage


class Choices(Protocol):
    """Chooses the next token where a grammar admits several. See `EngineChoices`."""

    async def choose(self, written: Sequence[int], choices: Sequence[int]) -> ChosenToken: ...


@contextlib.asynccontextmanager
async def fast_forwarded(plan: Plan, choices: Choices, prompt_tokens: int) -> AsyncIterator[TokenStream]:
    """A text as a stream, with a delta for each token, as the engine would send it.

    Entering returns when the first token is known, and raises what the engine raises. Leaving stops the engine.
    """
    writer = _Writer(plan, choices, prompt_tokens)
    async with contextlib.aclosing(writer.stream()) as items:
        first = await anext(items)
        async with contextlib.aclosing(_chained(first, items)) as stream:
            yield stream


async def _chained(first: StreamItem, rest: AsyncIterator[StreamItem]) -> AsyncGenerator[StreamItem, None]:
    yield first
    async for item in rest:
        yield item


class _Writer:
    def __init__(self, plan: Plan, choices: Choices, prompt_tokens: int) -> None:
        self._matcher = plan.matcher
        self._begun = plan.begun
        self._choices = choices
        self._prompt_tokens = prompt_tokens
        self._max_tokens = plan.max_tokens
        self._tenant = tenant_label(current_tenant())
        self._written: list[int] = []
        self._asked = 0
        self._cached_tokens = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def stream(self) -> AsyncGenerator[StreamItem, None]:
        tokens: Iterable[int] = self._begun
        while True:
            for delta in self._write(tokens):
                yield delta
            if len(self._written) == self._max_tokens:
                yield self._end("length", self._max_tokens)
                return
            token = None if self._matcher.is_complete else await self._choose()
            if token is None:  # the token that ends a text counts, as in vLLM's usage
                yield self._end("stop", len(self._written) + 1)
                return
            tokens = [token, *self._matcher.advance()]

    def _write(self, tokens: Iterable[int]) -> Iterator[TextDelta]:
        """A character that consists of several tokens is sent with the last of them."""
        for token in tokens:
            if len(self._written) == self._max_tokens:
                return
            self._written.append(token)
            if text := self._decoder.decode(self._matcher.bytes_of(token)):
                yield TextDelta(text)

    async def _choose(self) -> int | None:
        """Have the next token chosen. None: the text ends."""
        chosen = await self._choices.choose(self._written, self._matcher.choices())
        if not self._asked:
            self._cached_tokens = min(chosen.cached_tokens, self._prompt_tokens)
        self._asked += 1
        return chosen.token_id if self._matcher.choose(chosen.token_id) else None

    def _end(self, reason: str, completion_tokens: int) -> StreamEnd:
        metrics.TOKENS.labels(self._tenant, "forced").inc(completion_tokens - self._asked)
        return StreamEnd(reason, Usage(self._prompt_tokens, completion_tokens, self._cached_tokens))
