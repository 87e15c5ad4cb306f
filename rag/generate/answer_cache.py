"""A cache of generated texts."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import asdict, astuple

import orjson

from rag.auth.caller import current_tenant
from rag.cache_key import cache_key
from rag.generate.shared_stream import SharedStream
from rag.ports import Cache, Generator, TokenStream
from rag.telemetry import answers as metrics
from rag.types import (
    Chat,
    JsonObject,
    ModelInput,
    RenderedChat,
    SamplingParameters,
    StreamEnd,
    StreamItem,
    TextDelta,
    Usage,
)

logger = logging.getLogger("rag.cache")


class CachingGenerator:
    """A language model whose repeatable texts are cached.

    Equal requests that arrive while a text is being written share it: the model writes it once.

    Args:
        model: Returns the language model's current name, which is part of the cache key.
        ttl_s: How long a text is cached.
    """

    def __init__(self, generator: Generator, cache: Cache, model: Callable[[], str], *, ttl_s: float) -> None:
        self._generator = generator
        self._cache = cache
        self._model = model
        self._ttl_s = ttl_s
        self._shared: dict[str, SharedStream] = {}

    def generate(
        self,
        prompt: ModelInput,
        sampling: SamplingParameters,
        request_id: str,
        *,
        model: str = "",
        key: str | None = None,
    ) -> contextlib.AbstractAsyncContextManager[TokenStream]:
        """See `rag.ports.Generator`. A cached text ends with `StreamEnd.cached`; the model's reasoning is not cached.

        Args:
            key: Replaces the prompt in the cache key, so that prompts with the same key share an answer.
        """
        request = self._generator.generate(prompt, sampling, request_id, model=model)
        if not is_repeatable(sampling):
            return request
        prompt_key = _key_of(prompt, key)
        parts = {**prompt_key, "model": [self._model(), model], "sampling": sampling, "tenant": current_tenant()}
        full_key = cache_key("answer", parts)
        return self._read(full_key, request)

    @contextlib.asynccontextmanager
    async def _read(
        self, key: str, request: contextlib.AbstractAsyncContextManager[TokenStream]
    ) -> AsyncIterator[TokenStream]:
        shared = self._shared.get(key)
        if shared is None or not shared.is_open:
            shared = self._share(key, request)
        async with shared.read() as stream:
            yield stream

    def _share(self, key: str, request: contextlib.AbstractAsyncContextManager[TokenStream]) -> SharedStream:
        async def save(deltas: Sequence[StreamItem]) -> None:
            end = deltas[-1]
            if isinstance(end, StreamEnd) and not end.cached:
                await self._put(key, deltas, end)

        shared = self._shared[key] = SharedStream(self._cached_or(key, request), save)
        shared.task.add_done_callback(lambda _: self._remove(key, shared))
        return shared

    @contextlib.asynccontextmanager
    async def _cached_or(
        self, key: str, request: contextlib.AbstractAsyncContextManager[TokenStream]
    ) -> AsyncIterator[TokenStream]:
        cached = _deserialized(await self._cache.get(key))
        metrics.CACHE_REQUESTS.labels("miss" if cached is None else "hit").inc()
        if cached is not None:
            async with contextlib.aclosing(_replay(cached)) as stream:
                yield stream
        else:
            async with request as stream:
                yield stream

    async def _put(self, key: str, deltas: Sequence[StreamItem], end: StreamEnd) -> None:
        try:
            await self._cache.put(key, _serialized(deltas, end), self._ttl_s)
        except Exception:
            logger.exception("writing an answer to the cache failed")

    def _remove(self, key: str, shared: SharedStream) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]


def is_repeatable(sampling: SamplingParameters) -> bool:
    """Whether equal requests get the same text, and the request asks for exactly one text and no log probabilities."""
    plain = sampling.get("n", 1) == 1 and not sampling.keys() & {"logprobs", "prompt_logprobs"}
    return plain and (sampling.get("temperature") == 0 or sampling.get("seed") is not None)


def _key_of(prompt: ModelInput, key: str | None) -> JsonObject:
    if isinstance(prompt, str) or not isinstance(prompt, Chat | RenderedChat):
        return {"key": key} if key else {"prompt": prompt}
    if not key:
        return {"prompt": asdict(prompt)}
    return {"key": key, "template_values": prompt.template_values, "thinks": prompt.thinks}


def _serialized(deltas: Sequence[StreamItem], end: StreamEnd) -> bytes:
    texts = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    return orjson.dumps([texts, end.finish_reason, astuple(end.usage)])


def _deserialized(data: bytes | None) -> list[StreamItem] | None:
    """None if there is no entry, or if another release wrote it in a different format."""
    if data is None:
        return None
    try:
        texts, finish_reason, usage = orjson.loads(data)
        return [*(TextDelta(text) for text in texts), StreamEnd(finish_reason, Usage(*usage), cached=True)]
    except (ValueError, TypeError) as error:
        logger.warning("ignoring a cached answer in an unknown format: %s", type(error).__name__)
        return None


async def _replay(deltas: Sequence[StreamItem]) -> AsyncGenerator[StreamItem, None]:
    for delta in deltas:
        yield delta
