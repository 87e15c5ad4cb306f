from __future__ import annotations

from collections.abc import Mapping

from rag.generate.pipeline import PreparedAnswer
from rag.types import Hit, Prompt
from tests.support.builders import a_chunk

HITS = (Hit(a_chunk("Apples are red."), 1.0),)


class FakeUpstreamServices:
    """The services behind an answer: the Retriever, and what the LLM says when it is ready."""

    def __init__(self, sources: tuple[Hit, ...] = HITS) -> None:
        self.sources = sources
        self.prepared: list[Mapping[str, object]] = []

    def require(self, name: str) -> Mapping[str, object]:
        return {"context_tokens": 2048}

    async def prepare(self, request: Mapping[str, object]) -> PreparedAnswer:
        self.prepared.append(request)
        return PreparedAnswer(Prompt((1, 2), self.sources), {})
