from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import numpy as np

from rag.adapters.sentence_transformers.multi_vector.token_vectors import SPECIAL, TokenVectors
from rag.types import TextKind
from tests.fakes.store.words import words


class FakeTokenEncoder:
    """One token a word, each with its own random direction; queries begin with a special token unlike all others."""

    def __init__(self, dimensions: int = 64, model_name: str = "fake-embedder") -> None:
        self.model_name = model_name
        self.calls: list[tuple[tuple[str, ...], TextKind]] = []
        self._dimensions = dimensions

    async def encode_tokens(self, texts: Sequence[str], kind: TextKind) -> list[TokenVectors]:
        self.calls.append((tuple(texts), kind))
        await asyncio.sleep(0)
        return [self._tokens(text, kind) for text in texts]

    def _tokens(self, text: str, kind: TextKind) -> TokenVectors:
        numbers = [int(hashlib.sha256(word.encode()).hexdigest()[:7], 16) for word in words(text)]
        vectors = [np.random.default_rng(number).standard_normal(self._dimensions) for number in numbers]
        if kind == "query":
            numbers, vectors = [SPECIAL, *numbers], [np.eye(1, self._dimensions)[0], *vectors]
        rows = np.array(vectors).reshape(-1, self._dimensions)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return TokenVectors(np.array(numbers, np.int32), unit.astype(np.float16))
