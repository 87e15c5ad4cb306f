from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag.errors import ModelNotFound
from rag.types import RerankKind
from tests.fakes.words import words


class FakeReranker:
    """The part of the query's words that a text has, or what `scores` has for the text.

    Args:
        pause_s: What each call takes.
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
        asked = set(words(query))
        return [self.scores.get(text, _share(asked, text)) for text in texts]


def _share(asked: set[str], text: str) -> float:
    return len(asked.intersection(words(text))) / len(asked) if asked else 0.0


class FakeRerankers:
    """One of each kind and name given; None is the first of its kind."""

    def __init__(self, *names: tuple[RerankKind, str]) -> None:
        known = names or (("late_interaction", "fake-embedder"),)
        self.rerankers = {(kind, model): FakeReranker(f"{kind}:{model}") for kind, model in known}

    async def of(self, kind: RerankKind, model: str | None) -> FakeReranker:
        await asyncio.sleep(0)
        for (its_kind, its_model), reranker in self.rerankers.items():
            if kind == its_kind and model in (None, its_model):
                return reranker
        raise ModelNotFound(f"there is no {kind} with the model {model!r}", param="model")
