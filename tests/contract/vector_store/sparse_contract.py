"""The learned sparse path of every VectorStore. Inherit it and give it a `store` fixture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from rag.errors import EmbeddingMismatch
from rag.ports import VectorStore
from rag.types import Chunk, SparseVector
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, sparse, texts
from tests.support.builders import a_chunk, a_version_id

APPLE, PIE, ZEBRA = 1012, 7, 30521


def put(store: VectorStore, chunks: Sequence[Chunk], vectors: Sequence[SparseVector], *, again: bool = False) -> None:
    store.insert(STORE, chunks, EMBEDDER.vectors([chunk.text for chunk in chunks]), vectors, again=again)


class SparseContract:
    @pytest.fixture(autouse=True)
    def _vector_store(self, store: VectorStore) -> None:
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name, sparse_model="fake-sparse")

    def test_scores_are_inner_products_best_first(self, store: VectorStore) -> None:
        chunks = [a_chunk("apple"), a_chunk("apple pie", ordinal=1), a_chunk("zebra", ordinal=2)]
        put(store, chunks, [{APPLE: 2.0}, {APPLE: 1.5, PIE: 1.0}, {ZEBRA: 3.0}])
        matches = sparse(store, {APPLE: 0.5, PIE: 2.0})
        assert [match.chunk for match in matches] == [chunks[1], chunks[0]]
        assert [match.score for match in matches] == pytest.approx([2.75, 1.0])
        assert texts(sparse(store, {APPLE: 1.0}, limit=1)) == ["apple"]
        assert sparse(store, {99: 1.0}) == []

    def test_vectors_without_terms(self, store: VectorStore) -> None:
        chunks = [a_chunk("apple"), a_chunk("blank", ordinal=1), a_chunk("odd", ordinal=2)]
        put(store, chunks, [{APPLE: 1.0}, {}, {PIE: 0.0}])
        assert store.count(STORE) == len(dense(store, "x")) == 3
        found = store.sparse(STORE, [{}, {APPLE: 1.0}, {}], 5)
        assert [texts(matches) for matches in found] == [[], ["apple"], []]
        assert store.sparse(STORE, [], 5) == []
        assert sparse(store, {APPLE: math.nan, PIE: -1.0}) == []

    def test_keywords_have_a_path_of_their_own(self, store: VectorStore) -> None:
        put(store, [a_chunk("apple"), a_chunk("pear", ordinal=1)], [{PIE: 1.0}, {APPLE: 1.0}])
        assert texts(keyword(store, "apples")) == texts(dense(store, "apple", limit=1)) == ["apple"]
        assert texts(sparse(store, {APPLE: 1.0})) == ["pear"]

    def test_many_chunks(self, store: VectorStore) -> None:
        chunks = [a_chunk(f"apple {n}", ordinal=n, attributes={"n": n}) for n in range(230)]
        put(store, chunks, [{APPLE: 1.0 + n, 40_000 + n: 1.0} for n in range(230)])
        assert texts(sparse(store, {APPLE: 1.0}, limit=2)) == ["apple 229", "apple 228"]
        assert texts(sparse(store, {40_007: 1.0})) == ["apple 7"]
        low = {"type": "lt", "key": "n", "value": 100}
        assert texts(sparse(store, {APPLE: 1.0}, limit=1, filters=low)) == ["apple 99"]
        assert sparse(store, {APPLE: 1.0}, without=[a_version_id()]) == []

    def test_groups(self, store: VectorStore) -> None:
        put(store, [a_chunk("apple", read_groups=("hr",)), a_chunk("pear", ordinal=1)], [{APPLE: 2.0}, {APPLE: 1.0}])
        found = [texts(sparse(store, {APPLE: 1.0}, groups=groups)) for groups in (None, ["hr"], ["legal"], [])]
        assert found == [["apple", "pear"], ["apple", "pear"], ["pear"], ["pear"]]

    def test_inserting_again_takes_the_newer_terms(self, store: VectorStore) -> None:
        put(store, [a_chunk("apple"), a_chunk("pear", ordinal=1)], [{APPLE: 1.0}, {PIE: 1.0}])
        put(store, [a_chunk("zebra")], [{ZEBRA: 1.0}], again=True)
        assert sparse(store, {APPLE: 1.0}) == []
        assert texts(sparse(store, {ZEBRA: 1.0, PIE: 0.5})) == ["zebra", "pear"]

    def test_a_copy_has_the_terms(self, store: VectorStore) -> None:
        chunks = [a_chunk(f"apple {n}", ordinal=n) for n in range(5)]
        put(store, chunks, [{APPLE: 1.0 + n} if n else {} for n in range(5)])
        two = a_version_id(version="two")
        assert store.copy(STORE, a_version_id(), two, file_id="file-new", attributes={}) == 5
        matches = sparse(store, {APPLE: 1.0}, without=[a_version_id()])
        assert [match.score for match in matches] == pytest.approx([5.0, 4.0, 3.0, 2.0])
        assert {match.chunk.version_id for match in matches} == {two}

    def test_chunks_have_terms_if_and_only_if_their_collection_has(self, store: VectorStore) -> None:
        vectors = EMBEDDER.vectors(["apple"])
        with pytest.raises(ValueError, match="sparse"):
            store.insert(STORE, [a_chunk("apple")], vectors)
        store.create("plain", EMBEDDER.dimensions, EMBEDDER.model_name)
        with pytest.raises(ValueError, match="sparse"):
            store.insert("plain", [a_chunk("apple")], vectors, [{APPLE: 1.0}])
        store.insert("plain", [a_chunk("apple")], vectors)
        assert store.sparse("plain", [{APPLE: 1.0}, {}], 5) == [[], []]

    @pytest.mark.parametrize("other", ["", "another"])
    def test_another_sparse_model_is_refused(self, store: VectorStore, other: str) -> None:
        with pytest.raises(EmbeddingMismatch, match="fake-sparse"):
            store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name, sparse_model=other)
