"""What every SparseEmbedder does. Inherit it and give it an `embedder` fixture."""

from __future__ import annotations

import asyncio
import math

from rag.ports import SparseEmbedder
from rag.types import SparseVector

HOSTILE = ["", " ", "\0", "\ud7ff\U0010ffff", "a" * 20_000, "ﷺ" * 300, "日本語のテキスト", "🙂" * 50]


def likeness(query: SparseVector, passage: SparseVector) -> float:
    return sum(weight * passage.get(term, 0.0) for term, weight in query.items())


class SparseEmbedderContract:
    async def test_one_vector_a_text_in_their_order(self, embedder: SparseEmbedder) -> None:
        texts = ["a zebra", "vector databases and much more, " * 20, "", "a zebra", "giraffes"]
        for kind in ("query", "passage"):
            vectors = await embedder.encode(texts, kind)
            alone = [(await embedder.encode([text], kind))[0] for text in texts]
            assert len(vectors) == len(texts)
            for vector, same in zip(vectors, alone, strict=True):
                assert vector.keys() == same.keys()
                assert all(math.isclose(weight, same[term], rel_tol=1e-3) for term, weight in vector.items())

    async def test_terms_are_numbers_and_weights_more_than_0(self, embedder: SparseEmbedder) -> None:
        for kind in ("query", "passage"):
            for vector in await embedder.encode(["the zebra of the databases", *HOSTILE], kind):
                assert all(type(term) is int and 0 <= term < 2**32 - 1 for term in vector)
                assert all(type(weight) is float and 0 < weight < math.inf for weight in vector.values())
                assert len(vector) <= 1024

    async def test_no_texts_no_vectors(self, embedder: SparseEmbedder) -> None:
        for kind in ("query", "passage"):
            assert await embedder.encode([], kind) == []

    async def test_many_at_the_same_time(self, embedder: SparseEmbedder) -> None:
        passages = [f"passage number {n} about zebras" for n in range(30)]
        results = await asyncio.gather(
            embedder.encode(passages, "passage"), *(embedder.encode(["zebras"], "query") for _ in range(5))
        )
        assert [len(vectors) for vectors in results] == [30, 1, 1, 1, 1, 1]
        assert all(vectors == results[1] for vectors in results[2:])

    async def test_a_shared_word_makes_texts_alike(self, embedder: SparseEmbedder) -> None:
        (query,) = await embedder.encode(["zebra"], "query")
        near, far = await embedder.encode(["the zebra eats grass", "databases hold rows"], "passage")
        assert likeness(query, near) > likeness(query, far)

    def test_it_has_a_name(self, embedder: SparseEmbedder) -> None:
        assert embedder.model_name
