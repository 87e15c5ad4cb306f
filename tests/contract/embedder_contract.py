"""What every Embedder does. Inherit it and give it an `embedder` fixture."""

from __future__ import annotations

import asyncio

import numpy as np

from rag.ports import Embedder

TEXTS = ["a zebra", "vector databases and much more, " * 5, "", "a zebra", "\0", "日本語のテキスト", "giraffes"]


class EmbedderContract:
    async def test_one_unit_vector_a_text_in_their_order(self, embedder: Embedder) -> None:
        for kind in ("query", "passage"):
            vectors = await embedder.encode(TEXTS, kind)
            assert vectors.shape == (len(TEXTS), embedder.dimensions)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
            for vector, text in zip(vectors, TEXTS, strict=True):
                np.testing.assert_allclose(vector, (await embedder.encode([text], kind))[0], atol=1e-4)

    async def test_a_shared_word_makes_texts_alike(self, embedder: Embedder) -> None:
        (query,) = await embedder.encode(["zebra"], "query")
        near, far = await embedder.encode(["the zebra eats grass", "databases hold rows"], "passage")
        assert query @ near > query @ far

    async def test_many_at_the_same_time(self, embedder: Embedder) -> None:
        passages = [f"passage number {n} about zebras" for n in range(30)]
        many, *few = await asyncio.gather(
            embedder.encode(passages, "passage"), *(embedder.encode(["zebras"], "query") for _ in range(5))
        )
        assert many.shape == (30, embedder.dimensions)
        for vectors in few:
            np.testing.assert_allclose(vectors, few[0], atol=1e-5)

    def test_it_has_a_name(self, embedder: Embedder) -> None:
        assert embedder.model_name
