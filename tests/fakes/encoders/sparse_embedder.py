from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from rag.errors import ModelNotFound
from rag.types import SparseVector, TextKind
from tests.fakes.store.words import words

_TERMS = 30_000


class FakeSparseEmbedder:
    """Hashed bags of words. Each repetition of a word adds less weight."""

    def __init__(self, model_name: str = "fake-sparse") -> None:
        self.model_name = model_name
        self.calls: list[tuple[tuple[str, ...], TextKind]] = []
        self.failure: Exception | None = None

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        self.calls.append((tuple(texts), kind))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> list[SparseVector]:
        return [{_term(word): 1 + math.log(count) for word, count in Counter(words(text)).items()} for text in texts]


def _term(word: str) -> int:
    return int(hashlib.sha256(word.encode()).hexdigest(), 16) % _TERMS


class FakeSparseEmbedders:
    """Sparse embedders with the given names; others are not found."""

    def __init__(self, *names: str) -> None:
        self.models = {name: FakeSparseEmbedder(name) for name in names or ("fake-sparse",)}
        self.asked: list[str] = []

    async def named(self, model: str) -> FakeSparseEmbedder:
        self.asked.append(model)
        await asyncio.sleep(0)
        if model not in self.models:
            raise ModelNotFound(f"there is no sparse encoder {model!r}", param="model")
        return self.models[model]
