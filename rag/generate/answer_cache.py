"""What the language model wrote before, word for word."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

import orjson

from rag.cache_key import cache_key
from rag.generate.shared_stream import SharedStream
from rag.ports import Cache, Generator, TokenStream
from rag.types import Chat, ModelInput, StreamEnd, TextDelta, Usage

logger = logging.getLogger("rag.cache")


class CachingGenerator:
    """A language model that writes each text once, where the request says that it would come out the same again.

    Equal requests that come while a text is being written read along.

    Args:
        model: The language model's name at the moment.
        ttl_s: Seconds for which a text is kept.
    """

    def __init__(self, generator: Generator, cache: Cache, model: Callable[[], str], *, ttl_s: float) -> None:
        self._generator = generator
        self._cache = cache
        self._model = model
        self._ttl_s = ttl_s
        self._shared: dict[str, SharedStream] = {}

    async def generate(
        self,
        prompt: ModelInput,
        sampling: Mapping[str, Any],
        request_id: str,
        *,
        model: str = "",
        key: str | None = None,
    ) -> TokenStream:
        """See `rag.ports.Generator`. What was written before comes with `StreamEnd.cached`.

        Args:
            key: Stands for the prompt, when prompts that differ in words have the same answer.
        """
        if not is_repeatable(sampling):
            return await self._generator.generate(prompt, sampling, request_id, model=model)
        asked = {"key": key} if key else {"prompt": asdict(prompt) if isinstance(prompt, Chat) else prompt}
        whole_key = cache_key("answer", {**asked, "model": [self._model(), model], "sampling": sampling})
        shared = self._shared.get(whole_key)
        if shared is None or not shared.is_open:
            shared = self._share(whole_key, lambda: self._generator.generate(prompt, sampling, request_id, model=model))
        pieces = shared.read()
        await anext(pieces)
        return pieces

    def _share(self, key: str, generate: Callable[[], Awaitable[TokenStream]]) -> SharedStream:
        async def begin() -> TokenStream:
            kept = _unpacked(await self._cache.get(key))
            return await generate() if kept is None else _again(kept)

        async def keep(pieces: Sequence[TextDelta | StreamEnd]) -> None:
            last = pieces[-1]
            if isinstance(last, StreamEnd) and not last.cached:
                await self._put(key, pieces, last)

        shared = self._shared[key] = SharedStream(begin, keep)
        shared.task.add_done_callback(lambda _: self._forget(key, shared))
        return shared

    async def _put(self, key: str, pieces: Sequence[TextDelta | StreamEnd], last: StreamEnd) -> None:
        try:
            await self._cache.put(key, _packed(pieces, last), self._ttl_s)
        except Exception:
            logger.exception("an answer could not be kept")

    def _forget(self, key: str, shared: SharedStream) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]


def is_repeatable(sampling: Mapping[str, Any]) -> bool:
    """Whether the same request is meant to have the same answer, and that is one text and nothing else."""
    plain = sampling.get("n", 1) == 1 and not sampling.keys() & {"logprobs", "prompt_logprobs"}
    return plain and (sampling.get("temperature") == 0 or sampling.get("seed") is not None)


def _packed(pieces: Sequence[TextDelta | StreamEnd], last: StreamEnd) -> bytes:
    texts = [piece.text for piece in pieces if isinstance(piece, TextDelta)]
    return orjson.dumps([texts, last.finish_reason, astuple(last.usage)])


def _unpacked(data: bytes | None) -> list[TextDelta | StreamEnd] | None:
    """None for what is not there, and for what another release packed."""
    if data is None:
        return None
    try:
        texts, finish_reason, usage = orjson.loads(data)
        return [*(TextDelta(text) for text in texts), StreamEnd(finish_reason, Usage(*usage), cached=True)]
    except (ValueError, TypeError) as error:
        logger.warning("a kept answer was left aside: %s", type(error).__name__)
        return None


async def _again(pieces: Sequence[TextDelta | StreamEnd]) -> TokenStream:
    for piece in pieces:
        yield piece
