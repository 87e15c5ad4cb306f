"""A language model whose tokens are counted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator

from rag.http.headers.used_tokens import AddTokens
from rag.llm.images import ESTIMATED_TOKENS, as_texts, image_urls
from rag.ports import Generator, TokenStream
from rag.types import Chat, Insertion, ModelInput, RenderedChat, SamplingParameters, StreamEnd, StreamItem

_CHARS_PER_TOKEN = 4


class MeteredGenerator:
    """A `rag.ports.Generator` that reports the usage of each text when it ends.

    If a client disconnects before the end, the usage is unknown, and the tokens so far are estimated.
    """

    def __init__(self, generator: Generator, add: AddTokens) -> None:
        self._generator = generator
        self._add = add

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        """See `rag.ports.Generator`."""
        async with (
            self._generator.generate(prompt, sampling, request_id, model=model) as stream,
            contextlib.aclosing(self._metered(prompt, stream)) as metered,
        ):
            yield metered

    async def _metered(self, prompt: ModelInput, stream: TokenStream) -> AsyncGenerator[StreamItem, None]:
        deltas, is_counted = 0, False
        try:
            async for item in stream:
                if isinstance(item, StreamEnd):
                    is_counted = True
                    await self._add(item.usage.prompt_tokens + item.usage.completion_tokens)
                deltas += 1
                yield item
        finally:
            if not is_counted:
                await self._add(_estimated_tokens(prompt) + deltas)


def _estimated_tokens(prompt: ModelInput) -> int:
    if isinstance(prompt, Chat):
        texts = len(json.dumps([*as_texts(prompt.messages), *prompt.tools])) // _CHARS_PER_TOKEN
        return texts + ESTIMATED_TOKENS * len(image_urls(prompt.messages))
    if isinstance(prompt, RenderedChat):
        return len(prompt.token_ids)
    if isinstance(prompt, Insertion):
        return (len(prompt.prefix) + len(prompt.suffix)) // _CHARS_PER_TOKEN
    return len(prompt) // _CHARS_PER_TOKEN if isinstance(prompt, str) else len(prompt)
