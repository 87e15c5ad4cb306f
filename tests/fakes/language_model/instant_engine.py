from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from rag.ports import TokenStream
from rag.types import Chat, Facts, Insertion, ModelInput, RenderedChat, SamplingParameters, StreamEnd, TextDelta, Usage


class InstantEngine:
    """Replaces `VllmEngine` and answers at once, to measure the overhead of everything else.

    Args:
        record: File to which each prompt's token ids are appended, one JSON array per line.
    """

    TOKENS = 64

    def __init__(self, record: Path | None = None) -> None:
        self._record = record

    async def start(self) -> None:
        """Does nothing: it is always ready."""

    async def stop(self) -> None:
        """Does nothing: there is no engine to stop."""

    def facts(self) -> Facts:
        return {"model": "instant", "context_tokens": 8192, "running": 0, "max_sequences": 80}

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        if isinstance(prompt, RenderedChat):
            prompt = prompt.token_ids
        if isinstance(prompt, Insertion):
            prompt = prompt.prefix + prompt.suffix
        if self._record is not None and not isinstance(prompt, str | Chat):
            with self._record.open("a") as file:
                file.write(json.dumps(list(prompt)) + "\n")
        prompt_tokens = 0 if isinstance(prompt, Chat) else len(prompt)
        async with contextlib.aclosing(self._words(prompt_tokens)) as words:
            yield words

    async def _words(self, prompt_tokens: int) -> AsyncGenerator[TextDelta | StreamEnd, None]:
        for number in range(self.TOKENS):
            yield TextDelta(f"w{number} ")
        yield StreamEnd("length", Usage(prompt_tokens, self.TOKENS, 0))
