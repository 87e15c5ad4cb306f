from __future__ import annotations

from collections.abc import Mapping

from rag.types import Facts, Hit, JsonMapping, PreparedPrompt, Prompt
from tests.support.builders import a_chunk

HITS = (Hit(a_chunk("Apples are red."), 1.0),)


class FakePromptPreparer:
    """A Retriever that finds these sources for every question, and says that all services are ready."""

    def __init__(
        self, sources: tuple[Hit, ...] = HITS, *, timings_ms: Mapping[str, float] | None = None, note: str = ""
    ) -> None:
        self.sources = sources
        self.timings_ms = timings_ms or {}
        self.note = note
        self.requests: list[JsonMapping] = []

    def require(self, name: str) -> Facts:
        return {"context_tokens": 2048}

    async def prepare(self, request: JsonMapping) -> PreparedPrompt:
        self.requests.append(request)
        return PreparedPrompt(Prompt((1, 2, 3), self.sources), self.timings_ms, self.note, queries=("apples",))
