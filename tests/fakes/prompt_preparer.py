from __future__ import annotations

from collections.abc import Mapping

from rag.types import Facts, Hit, JsonMapping, PreparedPrompt, Prompt, Quotation
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
        self.quotation: Quotation | None = None
        """What every quoted answer may quote."""
        self.facts: Facts = {"context_tokens": 2048}
        self.requests: list[JsonMapping] = []

    def require(self, name: str) -> Facts:
        return self.facts

    async def prepare(self, request: JsonMapping) -> PreparedPrompt:
        self.requests.append(request)
        quotation = self.quotation if request.get("style") == "quoted" else None
        prompt = Prompt((1, 2, 3), self.sources)
        return PreparedPrompt(prompt, self.timings_ms, self.note, queries=("apples",), quotation=quotation)
