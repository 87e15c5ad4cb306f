from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag.errors import RagError
from rag.generate.verify import SentenceAndSource


class FakeSupport:
    """Replaces the model that compares cited sentences with their sources; returns the given scores."""

    def __init__(self, *scores: float, failure: RagError | None = None, hangs: bool = False) -> None:
        self.scores, self.failure, self.hangs = scores, failure, hangs
        self.asked: list[SentenceAndSource] = []

    async def __call__(self, pairs: Sequence[SentenceAndSource]) -> Sequence[float]:
        self.asked += pairs
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return self.scores
