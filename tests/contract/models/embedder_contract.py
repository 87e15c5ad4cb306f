"""What every Embedder does. Inherit it and give it the fixtures `embedder`, and `ids_of`: its tokens of a text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from rag.errors import InvalidRequest
from rag.ports import Embedder, Vectors
from rag.types import TextKind

IdsOf = Callable[[str], list[int]]

TEXTS = ["a zebra", "vector databases and much more, " * 5, "", "a zebra", "\0", "日本語のテキスト", "giraffes"]


def assert_same(vectors: Vectors, expected: Vectors) -> None:
    """Vectors in bfloat16 depend a little on the length of the texts in the same batch."""
    assert np.sum(vectors * expected, axis=-1).min() >= 0.9999


class EmbedderContract:
    async def test_one_unit_vector_a_text_in_their_order(self, embedder: Embedder) -> None:
        for kind in ("query", "passage"):
            vectors = await embedder.encode(TEXTS, kind)
            assert vectors.shape == (len(TEXTS), embedder.dimensions)
            assert vectors.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
            for vector, text in zip(vectors, TEXTS, strict=True):
                assert_same(vector, (await embedder.encode([text], kind))[0])

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

    @pytest.mark.parametrize("kind", ["query", "passage"])
    async def test_token_ids_are_as_good_as_their_text(self, embedder: Embedder, ids_of: IdsOf, kind: TextKind) -> None:
        texts = ["zebras eat grass", "a database", "the zebra of the database eats the grass"]
        ids = [ids_of(text) for text in texts]
        vectors = await embedder.encode(ids, kind)
        np.testing.assert_allclose(vectors, await embedder.encode(texts, kind), atol=1e-5)
        assert (await embedder.count(ids, kind)).tokens == (await embedder.count(texts, kind)).tokens

    async def test_token_ids_that_it_does_not_know_are_refused(self, embedder: Embedder) -> None:
        with pytest.raises(InvalidRequest) as refused:
            await embedder.encode([[1, 10**8]], "passage")
        assert refused.value.param == "input"

    async def test_it_counts_whole_texts(self, embedder: Embedder) -> None:
        counts = await embedder.count(["zebra", "zebra zebra", "zebra " * 1000], "passage")
        one, two, many = counts.tokens
        assert (two - one, many - one) == (1, 999)
        assert counts.max_tokens is not None
        assert one < counts.max_tokens < many

    @pytest.mark.parametrize("kind", ["query", "passage"])
    async def test_a_long_text_has_the_mean_of_its_windows(self, embedder: Embedder, kind: TextKind) -> None:
        limit, extra = (await embedder.count(["zebra"], kind)).max_tokens, await self._extra_tokens(embedder, kind)
        assert limit is not None
        words, size = ["zebra"] * limit + ["database"] * (limit // 2), limit - extra
        parts = [words[start : start + size] for start in range(0, len(words), size)]
        of_parts = await embedder.encode([" ".join(part) for part in parts], kind)
        mean = sum(len(part) * vector for part, vector in zip(parts, of_parts, strict=True))
        texts = ["giraffes", " ".join(words), "grass"]
        vectors = await embedder.encode(texts, kind, long_texts="window")
        assert_same(vectors[1], mean / np.linalg.norm(mean))
        assert_same(vectors[::2], await embedder.encode(texts[::2], kind))

    async def test_texts_are_truncated_to_a_number_of_tokens(self, embedder: Embedder) -> None:
        limit = await self._extra_tokens(embedder, "passage") + 2
        vectors = await embedder.encode(["zebra database zebra grass", "zebra"], "passage", max_tokens=limit)
        expected = await embedder.encode(["zebra database", "zebra"], "passage")
        assert_same(vectors, expected)

    async def _extra_tokens(self, embedder: Embedder, kind: TextKind) -> int:
        """The number of tokens that the model adds to a text."""
        one, two = (await embedder.count(["zebra", "zebra zebra"], kind)).tokens
        return one - (two - one)

    def test_it_has_a_name(self, embedder: Embedder) -> None:
        assert embedder.model_name
