"""What every VectorStore does. Inherit it and give it a `store` fixture."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from rag.errors import EmbeddingMismatch, InvalidFilter, VectorStoreNotFound
from rag.ports import VectorStore
from rag.types import PageStart, TextRun
from rag.types.places import packed
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.fakes import FakeEmbedder
from tests.support.builders import a_chunk, a_version_id


class StoreContract:
    @pytest.fixture(autouse=True)
    def _vector_store(self, store: VectorStore) -> None:
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)

    def test_a_collection_is_there_once_created(self, store: VectorStore) -> None:
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
        assert store.exists(STORE)
        assert not store.exists("my_store-1")
        assert store.count(STORE) == 0
        store.ping()

    @pytest.mark.parametrize(("dimensions", "model"), [(64, "another"), (32, EMBEDDER.model_name)])
    def test_another_model_is_refused_by_name(self, store: VectorStore, dimensions: int, model: str) -> None:
        with pytest.raises(EmbeddingMismatch) as caught:
            store.create(STORE, dimensions, model)
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
            context='davor\n\nGrüße\n🦄 "quoted" \\ text\n\ndanach',
            header="| Größe | Wert |\n|---|---|",
            pages=(PageStart(0, 3), PageStart(12, 4)),
            places=packed([TextRun(7, 12, 3, 60.5, 90, 99.9, 100), TextRun(13, 29, 4, 60, 90, 99.9, 100)], 7),
        )
        put(store, chunk, a_chunk("other", ordinal=1))
        assert [match.chunk for match in dense(store, chunk.text, limit=1)] == [chunk]
        assert [match.chunk for match in keyword(store, "Grüße", limit=1)] == [chunk]
        other = dense(store, "other", limit=1)[0].chunk
        assert (other.page, other.context, other.header, other.pages, other.places) == (None, "", "", (), "")

    def test_dense_scores_are_cosines_best_first(self, store: VectorStore) -> None:
        put(store, a_chunk("apple banana"), a_chunk("apple", ordinal=1), a_chunk("zebra", ordinal=2))
        matches = dense(store, "apple")
        assert texts(matches) == ["apple", "apple banana", "zebra"]
        assert [match.score for match in matches] == pytest.approx([1.0, 0.5**0.5, 0.0], abs=1e-5)

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
        put(store, *(a_chunk(f"t{n}", ordinal=n) for n in range(3)))
        put(store, a_chunk("new", version="two"), a_chunk("other", filename="other.md"))
        assert store.count(STORE) == 5
        counts = [store.count(STORE, a_version_id(version=version)) for version in ("one", "two", "three")]
        assert counts == [3, 1, 0]

    def test_chunk_ids_of_all_rows(self, store: VectorStore) -> None:
        assert store.chunk_ids(STORE) == []
        chunks = [a_chunk(f"t{n}", ordinal=n) for n in range(250)]
        put(store, *chunks, a_chunk("new", version="two"))
        expected = [*(chunk.chunk_id for chunk in chunks), a_chunk(version="two").chunk_id]
        assert sorted(store.chunk_ids(STORE)) == sorted(expected)

    def test_inserting_again_leaves_one_row_a_chunk(self, store: VectorStore) -> None:
        chunks = [a_chunk(f"apple {n}", ordinal=n) for n in range(230)]
        put(store, *chunks[:120])  # a run that crashed
        for _ in range(2):
            put(store, *chunks, again=True)
            assert store.count(STORE) == len(store.chunk_ids(STORE)) == len(set(store.chunk_ids(STORE))) == 230
            assert [match.chunk for match in keyword(store, "7")] == [chunks[7]]
            assert len(dense(store, "apple", limit=300)) == 230

    def test_inserting_again_takes_the_newer_text(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"), a_chunk("pear", ordinal=1))
        put(store, a_chunk("zebra"), again=True)
        assert sorted(texts(dense(store, "x"))) == ["pear", "zebra"]
        assert keyword(store, "apple") == []
        assert texts(keyword(store, "zebra")) == ["zebra"]

    def test_a_copy_has_the_vectors_and_what_it_is_told(self, store: VectorStore) -> None:
        chunks = [a_chunk(f"apple {n}", ordinal=n, page=n, context=f"c{n}", heading="A > B") for n in range(450)]
        put(store, *chunks, a_chunk("other", filename="other.md"))
        one, two = a_version_id(), a_version_id(version="two")
        assert store.copy(STORE, one, two, file_id="file-new", attributes={"lang": "de", "n": 1}) == 450
        assert (store.count(STORE), store.count(STORE, one), store.count(STORE, two)) == (901, 450, 450)
        told: dict[str, Any] = {"version_id": two, "file_id": "file-new", "attributes": {"lang": "de", "n": 1}}
        copies = {
            chunk.text: dataclasses.replace(chunk, chunk_id=f"{two}{chunk.chunk_id[-7:]}", **told) for chunk in chunks
        }
        found = dense(store, "apple 7", limit=500, without=[one, a_version_id("other.md")])
        assert {match.chunk.text: match.chunk for match in found} == copies
        originals = dense(store, "apple 7", limit=500, without=[two, a_version_id("other.md")])
        assert [match.score for match in found] == pytest.approx([match.score for match in originals], abs=1e-6)
        assert texts(keyword(store, "448", without=[one])) == ["apple 448"]

    def test_a_copy_replaces_what_was_there(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"), a_chunk("old", version="two"), a_chunk("old too", version="two", ordinal=5))
        one, two = a_version_id(), a_version_id(version="two")
        for _ in range(2):
            assert store.copy(STORE, one, two, file_id="file-new", attributes={}) == 1
            assert sorted(texts(dense(store, "x"))) == ["apple", "apple"]
        assert store.copy(STORE, a_version_id(version="none"), two, file_id="file-new", attributes={}) == 0
        assert store.chunk_ids(STORE) == [a_chunk().chunk_id]

    def test_versions_are_deleted(self, store: VectorStore) -> None:
        for version in ("one", "two", "three"):
            put(store, a_chunk(version, version=version), a_chunk(version, version=version, ordinal=1))
        put(store, a_chunk("zebra", filename="zebra.md"))
        store.delete(STORE, [])
        store.delete(STORE, [a_version_id(version="two"), a_version_id(version="unknown")])
        assert sorted(texts(dense(store, "x"))) == ["one", "one", "three", "three", "zebra"]
        many = [a_version_id(version=str(n)) for n in range(250)]
        store.delete(STORE, [*many, a_version_id(version="one"), a_version_id(version="three")])
        assert texts(dense(store, "x")) == texts(keyword(store, "one three zebra")) == ["zebra"]

    def test_a_deleted_chunk_can_be_stored_again(self, store: VectorStore) -> None:
        put(store, a_chunk("apple", attributes={"n": 1}))
        store.delete(STORE, [a_version_id()])
        put(store, a_chunk("apple", attributes={"n": 2}))
        assert [match.chunk.attributes for match in dense(store, "apple")] == [{"n": 2}]
        assert store.count(STORE) == 1

    def test_searches_without_versions(self, store: VectorStore) -> None:
        for n, version in enumerate(("one", "two", "three")):
            put(store, a_chunk(f"apple {version}", version=version, attributes={"n": n}))
        hidden = [a_version_id(version="two"), a_version_id(version='no"such')]
        for search in (dense, keyword):
            assert sorted(texts(search(store, "apple", without=hidden))) == ["apple one", "apple three"]
            low = {"type": "lt", "key": "n", "value": 2}
            either = {"type": "or", "filters": [low, {"type": "eq", "key": "n", "value": 1}]}
            assert texts(search(store, "apple", filters=either, without=hidden)) == ["apple one"]
            assert search(store, "apple", without=[*hidden, a_version_id(), a_version_id(version="three")]) == []
            assert len(search(store, "apple", without=[a_version_id(version=str(n)) for n in range(300)])) == 3

    def test_a_dropped_collection_is_gone(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))
        store.drop(STORE)
        store.drop(STORE)
        assert not store.exists(STORE)
        with pytest.raises(VectorStoreNotFound):
            dense(store, "apple")
        store.create(STORE, 8, "another")
        assert store.count(STORE) == 0

    def test_an_alias_is_another_name(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))
        for _ in range(2):
            store.point_alias("fruit-1", STORE)
            (matches,) = store.dense("fruit-1", EMBEDDER.vectors(["apple"]), 1)
            assert texts(matches) == ["apple"]
            assert texts(store.keyword("fruit-1", ["apple"], 1)[0]) == ["apple"]
        store.drop_alias("fruit-1")
        store.drop_alias("fruit-1")
        with pytest.raises(VectorStoreNotFound):
            store.count("fruit-1")
        assert store.count(STORE) == 1

    def test_an_alias_moves_to_a_collection_of_other_dimensions(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))
        store.point_alias("fruit", STORE)
        assert store.count("fruit") == 1
        small = FakeEmbedder(8, "small")
        store.create("second", small.dimensions, small.model_name)
        store.insert("second", [a_chunk("pear", version="two")], small.vectors(["pear"]))
        store.point_alias("fruit", "second")
        (matches,) = store.dense("fruit", small.vectors(["pear"]), 5)
        assert texts(matches) == ["pear"]
        store.drop(STORE)
        assert store.count("fruit") == 1
        store.drop("second")
        assert not store.exists("fruit")

    def test_an_alias_yields_to_a_collection_of_its_name(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))
        store.create("taken", EMBEDDER.dimensions, EMBEDDER.model_name)
        store.point_alias("taken", STORE)
        assert store.count("taken") == 0

    def test_chunks_by_id(self, store: VectorStore) -> None:
        chunks = [a_chunk(f"apple {n}", ordinal=n, attributes={"n": n}) for n in range(130)]
        put(store, *chunks)
        ids = [chunks[3].chunk_id, 'no"such', chunks[120].chunk_id, "nope", chunks[3].chunk_id]
        assert sorted(store.chunks(STORE, ids), key=lambda chunk: chunk.chunk_id) == [chunks[3], chunks[120]]
        assert store.chunks(STORE, []) == store.chunks(STORE, ["nope"]) == []
        low = {"type": "lt", "key": "n", "value": 100}
        assert store.chunks(STORE, ids, low) == [chunks[3]]
        everything = store.chunks(STORE, [chunk.chunk_id for chunk in chunks] + [f"no {n}" for n in range(900)])
        assert sorted(chunk.start for chunk in everything) == [0] * 130
        for wanted in ([], ids):
            with pytest.raises(InvalidFilter):
                store.chunks(STORE, wanted, {"type": "like"})

    @pytest.mark.parametrize("rows", [1, 7, 1000])
    def test_pages_hold_everything_once(self, store: VectorStore, rows: int) -> None:
        assert list(store.pages(STORE, rows)) == []
        chunks = [a_chunk(f"apple {n}", ordinal=n, page=n, attributes={"n": n}) for n in range(12)]
        put(store, *chunks)
        store.delete(STORE, [a_version_id(version="none")])
        seen = dict[str, Any]()
        for page, vectors in store.pages(STORE, rows):
            assert 0 < len(page) <= rows
            assert vectors.dtype == np.float32
            for chunk, vector in zip(page, vectors, strict=True):
                assert chunk.chunk_id not in seen
                seen[chunk.chunk_id] = chunk
                np.testing.assert_allclose(vector, EMBEDDER.vectors([chunk.text])[0], atol=1e-6)
        assert sorted(seen.values(), key=lambda chunk: chunk.chunk_id) == chunks

    def test_an_unknown_collection_is_not_found(self, store: VectorStore) -> None:
        vectors = EMBEDDER.vectors(["a"])
        for call in (
            lambda: store.insert("nope", [a_chunk()], vectors),
            lambda: store.insert("nope", [a_chunk()], vectors, again=True),
            lambda: store.copy("nope", "ver-x", "ver-y", file_id="file-x", attributes={}),
            lambda: store.delete("nope", ["ver-x"]),
            lambda: store.count("nope"),
            lambda: store.chunk_ids("nope"),
            lambda: store.chunks("nope", ["a"]),
            lambda: list(store.pages("nope", 5)),
            lambda: store.sparse("nope", [{1: 1.0}], 1),
            lambda: store.dense("nope", vectors, 1),
            lambda: store.keyword("nope", ["a"], 1),
            lambda: store.point_alias("alias", "nope"),
        ):
            with pytest.raises(VectorStoreNotFound, match="nope"):
                call()
        assert not store.exists("alias")

    def test_all_at_once(self, store: VectorStore) -> None:
        put(store, a_chunk("apple"))

        def work(number: int) -> None:
            name, one, two = f"{number}.md", a_version_id(f"{number}.md"), a_version_id(f"{number}.md", "two")
            put(
                store,
                *(a_chunk(f"pear {number} {n}", filename=name, ordinal=n) for n in range(20)),
                again=number % 2 == 1,
            )
            assert texts(dense(store, "apple", limit=1)) == ["apple"]
            assert texts(keyword(store, "apple", limit=1)) == ["apple"]
            assert store.copy(STORE, one, two, file_id="file-x", attributes={"n": number}) == 20
            assert store.count(STORE, two) == 20
            assert all(match.chunk.version_id != one for match in dense(store, f"pear {number}", without=[one]))
            store.delete(STORE, [one, two])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(24)))
        assert store.chunk_ids(STORE) == [a_chunk().chunk_id]
