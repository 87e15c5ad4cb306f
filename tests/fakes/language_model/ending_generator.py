from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from rag.ports import TokenStream
from rag.types import ModelInput, SamplingParameters, StreamEnd, TextDelta, Usage


class EndingGenerator:
    """A language model whose text ends with the given finish reason, or without one."""

    def __init__(self, finish_reason: str | None) -> None:
        self.finish_reason = finish_reason
        self.requests = 0

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        self.requests += 1
        async with contextlib.aclosing(self._deltas()) as deltas:
            yield deltas

    async def _deltas(self) -> AsyncGenerator[TextDelta | StreamEnd, None]:
        yield TextDelta("half")
        if self.finish_reason is not None:
            yield StreamEnd(self.finish_reason, Usage(1, 1))
