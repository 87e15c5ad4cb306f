from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from rag.adapters.sentence_transformers.tokenization.windows import mean_vectors, split_windows
from rag.errors import InvalidRequest, ModelNotFound
from rag.ports import Vectors
from rag.types import LongTexts, TextKind, TokenCounts, TokenIds
from tests.fakes.store.words import words


class FakeEmbedder:
    """Hashed bags of words: texts that share words are near, the same text is always the same vector.

    Each word is a token. There are as many token ids as dimensions.

    Args:
        max_tokens: Limit of a text.
        pause_s: Duration of each call with passages, so that it can be interrupted.
        held_at: Number of the call, from 1, that waits until `going` is set.
        at_random: Texts have random vectors instead, which is faster with many dimensions.
        keeps_calls: Whether calls are recorded in `calls`; long runs turn it off to save memory.
    """

    def __init__(
        self,
        dimensions: int = 64,
        model_name: str = "fake-embedder",
        *,
        pause_s: float = 0.0,
        held_at: int | None = None,
        at_random: bool = False,
        keeps_calls: bool = True,
        max_tokens: int = 256,
    ) -> None:
        self.max_tokens = max_tokens
        self.model_name = model_name
        self.dimensions = dimensions
        self.calls: list[tuple[tuple[str | TokenIds, ...], TextKind]] = []
        self.failure: Exception | None = None
        self.is_held, self.going = threading.Event(), threading.Event()
        self._pause_s = pause_s
        self._held_at = held_at
        self._at_random = at_random
        self._keeps_calls = keeps_calls

    def ids_of(self, text: str) -> list[int]:
        """The tokens of a text."""
        return [_number(word) % self.dimensions for word in words(text)]

    async def count(self, texts: Sequence[str] | Sequence[TokenIds], kind: TextKind) -> TokenCounts:
        return TokenCounts(tuple(len(ids) for ids in map(self._known, texts)), self.max_tokens)

    async def encode(
        self,
        texts: Sequence[str] | Sequence[TokenIds],
        kind: TextKind,
        *,
        store_token_vectors: bool = False,
        long_texts: LongTexts = "truncate",
        max_tokens: int | None = None,
    ) -> Vectors:
        if self._keeps_calls:
            self.calls.append((tuple(texts), kind))
        if self._held_at is not None and len(self.calls) == self._held_at:
            self.is_held.set()
            await asyncio.to_thread(self.going.wait, 20)
        await asyncio.sleep(self._pause_s if kind == "passage" else 0)
        if self.failure is not None:
            raise self.failure
        if self._at_random:
            return self.vectors(texts)
        windows = split_windows([list(self._known(text))[:max_tokens] for text in texts], self.max_tokens, long_texts)
        vectors = self.vectors(windows.ids)
        return vectors if len(vectors) == len(texts) else mean_vectors(windows, vectors)

    def _known(self, text: str | TokenIds) -> TokenIds:
        if isinstance(text, str):
            return self.ids_of(text)
        if not all(number < self.dimensions for number in text):
            raise InvalidRequest("input: there is no such token", param="input")
        return text

    def vectors(self, texts: Sequence[str] | Sequence[TokenIds]) -> Vectors:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        each: Sequence[str | TokenIds] = texts
        for row, text in zip(rows, each, strict=True):
            if self._at_random:
                row[:] = np.random.default_rng(_number(str(text))).standard_normal(self.dimensions, dtype=np.float32)
                continue
            for number in self._known(text) or self.ids_of("blank"):
                row[number] += 1
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


class FakeEmbedders:
    """`default`, and others by name.

    Args:
        others: Dimensions by the name of a model; names that are not in it are not found.
    """

    def __init__(self, default: FakeEmbedder | None = None, others: Mapping[str, int] | None = None) -> None:
        self.default = default or FakeEmbedder()
        self.models = {
            self.default.model_name: self.default,
            **{name: FakeEmbedder(dimensions, name) for name, dimensions in (others or {}).items()},
        }
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def named(self, model: str) -> FakeEmbedder:
        self.asked.append(model)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if model not in self.models:
            raise ModelNotFound(f"there is no model {model!r}", param="model")
        return self.models[model]
