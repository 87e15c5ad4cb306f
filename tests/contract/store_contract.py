"""What every VectorStore does. Inherit it and give it a `store` fixture."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from rag.errors import EmbeddingMismatch, InvalidFilter, VectorStoreNotFound
from rag.ports import VectorStore
from rag.types import Chunk, Match, StoredFile
from tests.builders import a_chunk, content_hash
from tests.fakes import FakeEmbedder

EMBEDDER = FakeEmbedder()
STORE = "my-store_1"


def put(store: VectorStore, *chunks: Chunk) -> None:
    store.insert(STORE, chunks, EMBEDDER.vectors([chunk.text for chunk in chunks]))


def texts(matches: list[Match]) -> list[str]:
    return [match.chunk.text for match in matches]


def dense(store: VectorStore, text: str, limit: int = 10, filters: dict[str, Any] | None = None) -> list[Match]:
    (matches,) = store.dense(STORE, EMBEDDER.vectors([text]), limit, filters)
    return matches


def keyword(store: VectorStore, text: str, limit: int = 10, filters: dict[str, Any] | None = None) -> list[Match]:
    (matches,) = store.keyword(STORE, [text], limit, filters)
    return matches


class StoreContract:
    @pytest.fixture(autouse=True)
    def _vector_store(self, store: VectorStore) -> None:
        store.ensure(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)

    def test_a_store_is_there_once_ensured(self, store: VectorStore) -> None:
        store.ensure(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
        assert store.exists(STORE)
        assert not store.exists("my_store-1")
        assert store.count(STORE) == 0
        store.ping()

    @pytest.mark.parametrize(("dimensions", "model"), [(64, "another"), (32, EMBEDDER.model_name)])
    def test_another_model_is_refused_by_name(self, store: VectorStore, dimensions: int, model: str) -> None:
        with pytest.raises(EmbeddingMismatch) as caught:
            store.ensure(STORE, dimensions, model)
        assert EMBEDDER.model_name in caught.value.message
        assert model in caught.value.message

    def test_chunks_come_back_as_they_were(self, store: VectorStore) -> None:
        chunk = a_chunk(
            'Grüße\n🦄 "quoted" \\ text',
            filename="ordner/seite '1'.md",
            attributes={"lang": "de", "year": 2024, "ratio": 0.5, "draft": False},
            heading="Index > HNSW",
            page=3,
            start=7,
            end=29,
        )
        put(store, chunk, a_chunk("other", ordinal=1))
        assert [match.chunk for match in dense(store, chunk.text, limit=1)] == [chunk]
        assert [match.chunk for match in keyword(store, "Grüße", limit=1)] == [chunk]
        assert dense(store, "other", limit=1)[0].chunk.page is None

    def test_dense_scores_are_cosines_best_first(self, store: VectorStore) -> None:
        put(store, a_chunk("apple banana"), a_chunk("apple", ordinal=1), a_chunk("zebra", ordinal=2))
        matches = dense(store, "apple")
        assert texts(matches) == ["apple", "apple banana", "zebra"]
        assert [match.score for match in matches] == pytest.approx([1.0, 0.5**0.5, 0.0], abs=1e-5)

    def test_keyword_scores_are_positive_best_first(self, store: VectorStore) -> None:
        put(store, a_chunk("apple apple pie"), a_chunk("one apple a day", ordinal=1), a_chunk("zebra", ordinal=2))
        matches = keyword(store, "apple")
        assert texts(matches) == ["apple apple pie", "one apple a day"]
        assert matches[0].score >= matches[1].score > 0

    def test_keywords_in_heading_and_filename_count(self, store: VectorStore) -> None:
        put(store, a_chunk("body", heading="Index > HNSW", filename="reference/limits.md"), a_chunk("x", ordinal=1))
        assert texts(keyword(store, "hnsw")) == ["body"]
        assert texts(keyword(store, "limits")) == ["body"]

    def test_many_queries_in_one_call(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"), a_chunk("zebra", ordinal=1))
        asked = ["zebra", "apple", "nothing", "", "zebra"]
        assert [texts(found) for found in store.keyword(STORE, asked, 1)] == [["zebra"], ["apple"], [], [], ["zebra"]]
        found = store.dense(STORE, EMBEDDER.vectors(asked[:2]), 1)
        assert [texts(matches) for matches in found] == [["zebra"], ["apple"]]
        assert store.dense(STORE, np.empty((0, 64), dtype=np.float32), 1) == []
        assert store.keyword(STORE, [], 1) == []

    def test_limit(self, store: VectorStore) -> None:
        put(store, *(a_chunk(f"apple {n}", ordinal=n) for n in range(9)))
        assert len(dense(store, "apple", limit=4)) == len(keyword(store, "apple", limit=4)) == 4

    def test_versions_are_counted(self, store: VectorStore) -> None:
        put(store, *(a_chunk(f"t{n}", ordinal=n, attributes={"n": 1}) for n in range(3)))
        put(store, a_chunk("new", version="two"), a_chunk("other", filename="other.md"))
        one, other = a_chunk().file_id, a_chunk(filename="other.md").file_id
        found = store.versions(STORE, [one, other, "file-unknown"])
        assert set(found) == {one, other}
        expected = {content_hash("one"): (3, {"n": 1}), content_hash("two"): (1, {})}
        assert {v.content_hash: (v.chunks, dict(v.attributes)) for v in found[one]} == expected
        assert found[other] == [StoredFile(content_hash("one"), 1, {})]
        assert store.versions(STORE, []) == {}

    def test_delete_all_one_or_all_but_one_version(self, store: VectorStore) -> None:
        for version in ("one", "two", "three"):
            put(store, a_chunk(version, version=version))
        put(store, a_chunk("other", filename="other.md"))
        file_id = a_chunk().file_id
        store.delete(STORE, file_id, content_hash=content_hash("two"))
        assert sorted(texts(dense(store, "x"))) == ["one", "other", "three"]
        store.delete(STORE, file_id, keep=content_hash("three"))
        assert sorted(texts(dense(store, "x"))) == ["other", "three"]
        store.delete(STORE, file_id)
        assert texts(dense(store, "x")) == ["other"]
        assert texts(keyword(store, "one three other")) == ["other"]

    def test_a_deleted_chunk_can_be_stored_again(self, store: VectorStore) -> None:
        put(store, a_chunk("apple", attributes={"n": 1}))
        store.delete(STORE, a_chunk().file_id)
        put(store, a_chunk("apple", attributes={"n": 2}))
        assert [match.chunk.attributes for match in dense(store, "apple")] == [{"n": 2}]
        assert store.count(STORE) == 1

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"type": "eq", "key": "lang", "value": "de"}, "a"),
            ({"type": "ne", "key": "lang", "value": "de"}, "b"),
            ({"type": "gt", "key": "year", "value": 2020}, "bc"),
            ({"type": "gte", "key": "year", "value": 2020}, "abc"),
            ({"type": "lt", "key": "year", "value": 2022.5}, "ab"),
            ({"type": "lte", "key": "year", "value": -1}, ""),
            ({"type": "gt", "key": "lang", "value": "dz"}, "b"),
            ({"type": "gt", "key": "lang", "value": 1}, ""),
            ({"type": "in", "key": "year", "value": [2020, 2024]}, "ac"),
            ({"type": "nin", "key": "year", "value": [2020, 2024]}, "b"),
            ({"type": "in", "key": "lang", "value": ["de", "xx", 7]}, "a"),
            ({"type": "eq", "key": "draft", "value": True}, "c"),
            ({"type": "eq", "key": "no.such-key", "value": "x"}, ""),
            ({"type": "ne", "key": "no.such-key", "value": "x"}, ""),
            ({"type": "eq", "key": "filename", "value": "b.md"}, "b"),
            ({"type": "nin", "key": "filename", "value": ["b.md", "c.md"]}, "a"),
            ({"type": "in", "key": "file_id", "value": [a_chunk(filename="c.md").file_id]}, "c"),
        ],
    )
    def test_filters(self, store: VectorStore, filters: dict[str, Any], expected: str) -> None:
        put(
            store,
            a_chunk("a", filename="a.md", attributes={"lang": "de", "year": 2020}),
            a_chunk("b", filename="b.md", attributes={"lang": "en", "year": 2022}),
            a_chunk("c", filename="c.md", attributes={"year": 2024, "draft": True}),
        )
        assert "".join(sorted(texts(dense(store, "a", filters=filters)))) == expected
        assert "".join(sorted(texts(keyword(store, "a b c", filters=filters)))) == expected

    def test_compound_filters(self, store: VectorStore) -> None:
        put(store, *(a_chunk(f"n{n}", ordinal=n, attributes={"n": n}) for n in range(6)))
        low, high = {"type": "lt", "key": "n", "value": 2}, {"type": "gte", "key": "n", "value": 4}
        odd = {"type": "in", "key": "n", "value": [1, 3, 5]}
        filters = {"type": "and", "filters": [{"type": "or", "filters": [low, high]}, odd]}
        assert sorted(texts(dense(store, "n", filters=filters))) == ["n1", "n5"]

    def test_bad_filters_are_refused(self, store: VectorStore) -> None:
        for filters in ({}, {"type": "eq", "key": 'x"] == 1 or 1 == 1', "value": 1}, {"type": "like"}):
            with pytest.raises(InvalidFilter):
                dense(store, "a", filters=filters)

    def test_an_unknown_store_is_not_found(self, store: VectorStore) -> None:
        vectors = EMBEDDER.vectors(["a"])
        for call in (
            lambda: store.insert("nope", [a_chunk()], vectors),
            lambda: store.versions("nope", ["file-x"]),
            lambda: store.delete("nope", "file-x"),
            lambda: store.count("nope"),
            lambda: store.dense("nope", vectors, 1),
            lambda: store.keyword("nope", ["a"], 1),
        ):
            with pytest.raises(VectorStoreNotFound, match="nope"):
                call()

    def test_searches_and_inserts_at_once(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))

        def work(number: int) -> None:
            put(store, *(a_chunk(f"pear {number} {n}", filename=f"{number}.md", ordinal=n) for n in range(20)))
            assert texts(dense(store, "apple", limit=1)) == ["apple"]
            assert texts(keyword(store, "apple", limit=1)) == ["apple"]
            assert len(store.versions(STORE, [a_chunk(filename=f"{number}.md").file_id])) == 1
            store.delete(STORE, a_chunk(filename=f"{number}.md").file_id)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(24)))
        assert store.count(STORE) == 1


__all__ = ["EMBEDDER", "STORE", "StoreContract", "dense", "keyword", "put", "texts"]
