"""What filters let through, in every VectorStore. Inherit it and give it a `store` fixture."""

from __future__ import annotations

from typing import Any

import pytest

from rag.errors import InvalidFilter
from rag.ports import VectorStore
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.support.builders import a_chunk


class FilterContract:
    searches_words = True
    """Whether the store has keyword search, which Milvus before 2.5 lacks."""

    @pytest.fixture(autouse=True)
    def _vector_store(self, store: VectorStore) -> None:
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)

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
        if self.searches_words:
            assert "".join(sorted(texts(keyword(store, "md", filters=filters)))) == expected

    @pytest.mark.parametrize("key", ["部門", "Größe", "विभाग", "Cost centre 2", "a.b-c_d"])
    def test_keys_of_any_script(self, store: VectorStore, key: str) -> None:
        put(store, a_chunk("a", filename="a.md", attributes={key: "x"}), a_chunk("b", filename="b.md"))
        for kind, value in (("eq", "x"), ("in", ["x", "y"]), ("ne", "y")):
            filters = {"type": kind, "key": key, "value": value}
            assert texts(dense(store, "a", filters=filters)) == ["a"]
            assert store.chunks(STORE, [a_chunk("a", filename="a.md").chunk_id], filters)

    def test_compound_filters(self, store: VectorStore) -> None:
        put(store, *(a_chunk(f"n{n}", ordinal=n, attributes={"n": n}) for n in range(6)))
        low, high = {"type": "lt", "key": "n", "value": 2}, {"type": "gte", "key": "n", "value": 4}
        odd = {"type": "in", "key": "n", "value": [1, 3, 5]}
        filters = {"type": "and", "filters": [{"type": "or", "filters": [low, high]}, odd]}
        assert sorted(texts(dense(store, "n", filters=filters))) == ["n1", "n5"]

    @pytest.mark.parametrize(
        ("groups", "expected"),
        [
            (None, "abcd"),
            ([], "a"),
            (["hr"], "abd"),
            (["legal"], "acd"),
            (["other"], "a"),
            (["hr", "legal"], "abcd"),
            (["h"], "a"),
            (['it "in\\out"'], "ac"),
        ],
    )
    def test_groups(self, store: VectorStore, groups: list[str] | None, expected: str) -> None:
        put(
            store,
            a_chunk("a", ordinal=0),
            a_chunk("b", ordinal=1, read_groups=("hr",)),
            a_chunk("c", ordinal=2, read_groups=("legal", 'it "in\\out"'), attributes={"n": 1}),
            a_chunk("d", ordinal=3, read_groups=("hr", "legal"), attributes={"n": 1}),
        )
        every = [a_chunk(text, ordinal=i).chunk_id for i, text in enumerate("abcd")]
        assert "".join(sorted(texts(dense(store, "a", groups=groups)))) == expected
        if self.searches_words:
            assert "".join(sorted(texts(keyword(store, "md", groups=groups)))) == expected
        assert "".join(sorted(chunk.text for chunk in store.chunks(STORE, every, groups=groups))) == expected
        either = {"type": "or", "filters": [{"type": kind, "key": "n", "value": 1} for kind in ("eq", "ne")]}
        in_both = [text for text in expected if text in "cd"]
        assert sorted(texts(dense(store, "a", filters=either, groups=groups))) == in_both
        assert sorted(chunk.text for chunk in store.chunks(STORE, every, either, groups=groups)) == in_both

    def test_groups_are_stored_beside_the_attributes(self, store: VectorStore) -> None:
        chunk = a_chunk("a", read_groups=("hr", "legal"), attributes={"n": 1})
        put(store, chunk)
        assert store.chunks(STORE, [chunk.chunk_id]) == [chunk]
        store.copy(STORE, chunk.version_id, "v9", file_id="f", attributes={}, read_groups=["it"])
        (copied,) = dense(store, "a", groups=["it"])
        assert (copied.chunk.version_id, copied.chunk.attributes, copied.chunk.read_groups) == ("v9", {}, ("it",))
        store.copy(STORE, "v9", "v10", file_id="f", attributes={})
        assert [match.chunk.version_id for match in dense(store, "a", groups=[])] == ["v10"]

    def test_bad_filters_are_refused(self, store: VectorStore) -> None:
        for filters in ({}, {"type": "eq", "key": 'x"] == 1 or 1 == 1', "value": 1}, {"type": "like"}):
            with pytest.raises(InvalidFilter):
                dense(store, "a", filters=filters)
