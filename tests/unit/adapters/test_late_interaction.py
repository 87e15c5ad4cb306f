from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.adapters.sentence_transformers.multi_vector.late_interaction import (
    LateInteraction,
    TokenVectorCache,
    late_scores,
)
from rag.adapters.sentence_transformers.multi_vector.token_vectors import SPECIAL, TokenVectors
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from tests.fakes import FakeTokenEncoder

EMPTY = TokenVectors(np.empty(0, np.int32), np.empty((0, 4), np.float16))


def tokens(seed: int, count: int, *, special: int = 0) -> TokenVectors:
    """Random vectors of numbered tokens, the first of which are special."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, 4))
    ids = np.array([SPECIAL] * special + list(random.integers(0, 6, count - special)), np.int32)
    return TokenVectors(ids, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16))


def by_hand(query: TokenVectors, passages: list[TokenVectors]) -> list[float]:
    """The definition, a number at a time."""
    scores = []
    for passage in passages:
        total = weights = 0.0
        for number, vector in zip(query.ids, query.vectors.astype(float), strict=True):
            having = sum(number in other.ids for other in passages)
            weight = 1.0 if number == SPECIAL else np.log(1 + (len(passages) - having + 0.5) / (having + 0.5))
            total += weight * max((float(vector @ other) for other in passage.vectors.astype(float)), default=0.0)
            weights += weight
        scores.append(min(1.0, max(0.0, total / weights)))
    return scores


@given(st.integers(0, 10_000), st.integers(1, 6), st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_scores_are_those_of_the_definition(seed: int, length: int, lengths: list[int]) -> None:
    query = tokens(seed, length, special=seed % 2)
    passages = [tokens(seed + 1 + n, count) for n, count in enumerate(lengths)]
    assert late_scores(query, passages) == pytest.approx(by_hand(query, passages), abs=1e-3)


def test_without_tokens_there_is_nothing_alike() -> None:
    query, passage = tokens(1, 3), tokens(2, 5)
    assert late_scores(EMPTY, [passage, EMPTY]) == [0.0, 0.0]
    assert late_scores(query, [EMPTY, EMPTY]) == [0.0, 0.0]
    found, nothing = late_scores(query, [passage, EMPTY])
    assert found > nothing == 0.0


def test_the_text_itself_has_1() -> None:
    text = tokens(3, 7)
    assert late_scores(text, [text]) == [pytest.approx(1, abs=2e-3)]


async def test_what_is_rare_among_the_texts_counts_more() -> None:
    reranker = LateInteraction(FakeTokenEncoder(), TokenVectorCache(2**20), ComputeScheduler())
    texts = ["milvus stores zebras", "milvus stores rows", "milvus stores columns", "rows of zebras"]
    scores = await reranker.rerank("milvus zebras", texts)
    assert scores[0] > scores[3] > max(scores[1:3])


async def test_passages_are_encoded_once() -> None:
    encoder, cache = FakeTokenEncoder(), TokenVectorCache(2**20)
    reranker = LateInteraction(encoder, cache, ComputeScheduler())
    first = await reranker.rerank("zebra", ["one", "two", "one"])
    assert await LateInteraction(encoder, cache, ComputeScheduler()).rerank("zebra", ["one", "two", "one"]) == first
    await reranker.rerank("lion", ["two", "three"])
    passages = [texts for texts, kind in encoder.calls if kind == "passage"]
    assert passages == [("one", "two"), ("three",)]
    assert [texts for texts, kind in encoder.calls if kind == "query"] == [("zebra",), ("zebra",), ("lion",)]


async def test_another_model_has_other_vectors() -> None:
    cache = TokenVectorCache(2**20)
    for name in ("one", "other"):
        encoder = FakeTokenEncoder(model_name=name)
        await LateInteraction(encoder, cache, ComputeScheduler()).rerank("zebra", ["text"])
        assert len(encoder.calls) == 2


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    one = tokens(1, 10)
    cache = TokenVectorCache(3 * one.nbytes)
    for text in ("a", "b", "c"):
        cache.put("model", text, one)
    assert cache.get("model", "a") is one
    cache.put("model", "d", one)
    assert cache.get("model", "b") is None
    assert cache.get("model", "a") is cache.get("model", "d") is one
    cache.put("model", "too large", tokens(1, 100))
    assert cache.get("model", "too large") is None
    assert cache.get("model", "a") is one
