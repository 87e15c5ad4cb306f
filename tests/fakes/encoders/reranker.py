from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag.errors import ModelNotFound
from rag.types import RerankKind
from tests.fakes.store.words import words


class FakeReranker:
    """Scores a text by the share of the query's words in it, or with `scores` if the text is there.

    Args:
        pause_s: Duration of each call.
    """

    def __init__(self, name: str = "fake-reranker", *, pause_s: float = 0.0) -> None:
        self.name = name
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.failure: Exception | None = None
        self.scores: dict[str, float] = {}
        self._pause_s = pause_s

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        self.calls.append((query, tuple(texts)))
        await asyncio.sleep(self._pause_s)
        if self.failure is not None:
            raise self.failure
        query_words = set(words(query))
        return [self.scores.get(text, _share(query_words, text)) for text in texts]


def _share(query_words: set[str], text: str) -> float:
    return len(query_words.intersection(words(text))) / len(query_words) if query_words else 0.0


class FakeRerankers:
    """One reranker for each kind and model name; None selects the first of its kind."""

    def __init__(self, *names: tuple[RerankKind, str]) -> None:
        known = names or (("late_interaction", "fake-embedder"),)
        self.rerankers = {(kind, model): FakeReranker(f"{kind}:{model}") for kind, model in known}

    async def of(self, kind: RerankKind, model: str | None) -> FakeReranker:
        await asyncio.sleep(0)
        for (known_kind, known_model), reranker in self.rerankers.items():
            if kind == known_kind and model in (None, known_model):
                return reranker
        raise ModelNotFound(f"there is no {kind} with the model {model!r}", param="model")
