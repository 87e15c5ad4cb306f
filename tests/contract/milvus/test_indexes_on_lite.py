"""Every index and metric that Milvus Lite has, on the real thing, and what it does with those that it has not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from milvus_lite.index import factory
from milvus_lite.index.spec import IndexSpec
from pymilvus import MilvusClient

from rag.adapters.milvus import index_types as types
from rag.adapters.milvus.index import FieldIndex, Indexes
from rag.adapters.milvus.lite.lite_server import LiteServer
from rag.adapters.milvus.store import MilvusStore
from rag.errors import SetupError, UnsupportedIndex
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.support.builders import a_chunk, a_version_id

pytestmark = pytest.mark.integration

ROWS = 220
BUILD: dict[str, dict[str, int]] = {"IVF_FLAT": {"nlist": 4}, "IVF_SQ8": {"nlist": 4}, "HNSW": {"M": 8}}
SEARCH: dict[str, dict[str, int]] = {"IVF_FLAT": {"nprobe": 4}, "IVF_SQ8": {"nprobe": 4}, "HNSW": {"ef": 100}}
Opener = Callable[..., MilvusStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Opener]:
    """Opens the same file with other settings, one store at a time."""
    stores: list[MilvusStore] = []

    def opener(language: str = "english", **indexes: Any) -> MilvusStore:
        for store in stores:
            store.close()
        stores.append(MilvusStore(str(tmp_path / "milvus.db"), indexes=Indexes(**indexes), language=language))
        return stores[-1]

    yield opener
    for store in stores:
        store.close()


def rows(store: MilvusStore) -> tuple[list[str], Any]:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    words = [f"apple {n % 7} pear{n % 11} plum{n} fig{n * 3}" for n in range(ROWS)]
    put(store, *(a_chunk(text, ordinal=n, attributes={"n": n}) for n, text in enumerate(words)))
    return words, EMBEDDER.vectors(words)


@pytest.mark.parametrize("metric", ["IP", "COSINE", "L2"])
@pytest.mark.parametrize("index", types.LITE_DENSE)
def test_an_index_finds_what_is_nearest(open_store: Opener, tmp_path: Path, index: str, metric: str) -> None:
    wanted = FieldIndex(index, metric, BUILD.get(index, {}), SEARCH.get(index, {}))
    words, vectors = rows(open_store(dense=wanted))
    store = open_store(dense=wanted)  # indexes are there at once when a file is opened
    tolerance = 0.02 if index.endswith(("SQ", "SQ8")) else 1e-5
    for number in (3, 120, ROWS - 1):
        cosines = vectors @ vectors[number]
        matches = dense(store, words[number], limit=10)
        assert texts(matches)[0] == words[number]
        assert [match.score for match in matches] == pytest.approx(np.sort(cosines)[::-1][:10], abs=tolerance)
        assert all(abs(match.score - cosines[match.chunk.attributes["n"]]) < tolerance for match in matches)
    low = {"type": "lt", "key": "n", "value": 50}
    assert all(match.chunk.attributes["n"] in range(50) for match in dense(store, words[120], filters=low))
    assert dense(store, words[3], without=[a_version_id()]) == []
    assert [*tmp_path.rglob("*.idx")]


@pytest.mark.parametrize("index", types.DENSE)
def test_we_know_which_indexes_lite_makes(index: str) -> None:
    """Milvus Lite itself accepts any index for an empty collection, and quietly goes without it later."""
    spec = IndexSpec("dense", index, "IP", {})
    try:
        factory.build_index_from_spec(spec, np.eye(32, dtype=np.float32))
        is_there = True
    except (NotImplementedError, ValueError):
        is_there = False
    assert is_there == (index in types.LITE_DENSE)


@pytest.mark.parametrize(
    ("indexes", "setting"),
    [
        ({"dense": FieldIndex("DISKANN", "IP")}, "RAG_STORE__DENSE_INDEX"),
        ({"dense": FieldIndex("BIN_FLAT", "HAMMING")}, "RAG_STORE__DENSE_INDEX"),
        ({"dense": FieldIndex("HNSW", "IP", {"m": 8})}, "RAG_STORE__DENSE_BUILD"),
        ({"dense": FieldIndex("HNSW", "IP", {}, {"nprobe": 8})}, "RAG_STORE__DENSE_SEARCH"),
        ({"keyword": FieldIndex("SPARSE_WAND", "BM25")}, "RAG_STORE__KEYWORD_INDEX"),
        ({"keyword": FieldIndex("SPARSE_INVERTED_INDEX", "BM25", {"bm25_k": 1})}, "RAG_STORE__KEYWORD_BUILD"),
        ({"sparse": FieldIndex("SPARSE_WAND", "IP")}, "RAG_STORE__SPARSE_INDEX"),
    ],
)
def test_what_lite_cannot_do_is_said_when_a_store_is_made(
    open_store: Opener, indexes: dict[str, FieldIndex], setting: str
) -> None:
    store = open_store(**indexes)
    with pytest.raises(UnsupportedIndex) as caught:
        store.create(STORE, 8, "model", sparse_model="sparse")
    assert (caught.value.param, setting in caught.value.message) == (setting, True)
    assert not store.exists(STORE)
    store = open_store()
    store.create(STORE, 8, "model", sparse_model="sparse")
    assert store.count(STORE) == 0


def test_what_milvus_itself_refuses_leaves_nothing(open_store: Opener) -> None:
    store = open_store(keyword=FieldIndex("SPARSE_INVERTED_INDEX", "IP"))
    with pytest.raises(UnsupportedIndex, match=r"RAG_STORE__KEYWORD_INDEX is SPARSE_INVERTED_INDEX.*refuses"):
        store.create(STORE, 8, "model")
    assert not store.exists(STORE)


def test_other_settings_are_for_new_stores(open_store: Opener) -> None:
    words, _ = rows(open_store(dense=FieldIndex("IVF_FLAT", "L2", {"nlist": 4}, {"nprobe": 4})))
    before = [(match.chunk.text, match.score) for match in dense(open_store(), words[3])]
    for wanted in (FieldIndex("HNSW", "COSINE", {"M": 8}, {"ef": 9}), FieldIndex("DISKANN", "IP")):
        store = open_store(language="", dense=wanted)
        store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
        after = dense(store, words[3])
        assert [match.score for match in after] == pytest.approx([score for _, score in before], abs=1e-6)
        assert texts(after) == [text for text, _ in before]
        assert len(keyword(store, "apples")) == 10  # in English still


def test_search_parameters_reach_the_index(open_store: Opener) -> None:
    words, _ = rows(open_store(dense=FieldIndex("IVF_FLAT", "IP", {"nlist": 60})))
    few = open_store(dense=FieldIndex("IVF_FLAT", "IP", {"nlist": 60}, {"nprobe": 1}))
    assert len(dense(few, words[3], limit=ROWS)) < ROWS / 2
    many = open_store(dense=FieldIndex("IVF_FLAT", "IP", {"nlist": 60}, {"nprobe": 60}))
    assert len(dense(many, words[3], limit=ROWS)) == ROWS


def test_bm25_parameters_reach_the_index(open_store: Opener) -> None:
    """Without b the length of a chunk makes no difference."""
    store = open_store(keyword=FieldIndex("SPARSE_INVERTED_INDEX", "BM25", {"bm25_k1": 1.2, "bm25_b": 0}))
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("apple"), a_chunk("apple " + "pear " * 50, ordinal=1))
    first, second = keyword(store, "apple")
    assert first.score == pytest.approx(second.score)


def test_another_language(open_store: Opener) -> None:
    store = open_store(language="german")
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("die Häuser am See"), a_chunk("the running shoes", ordinal=1))
    assert texts(keyword(store, "Haus Häusern")) == ["die Häuser am See"]
    assert keyword(store, "shoe") == []


def test_words_as_they_are(open_store: Opener) -> None:
    store = open_store(language="")
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("the running shoes"))
    assert texts(keyword(store, "shoes")) == texts(keyword(store, "THE")) == ["the running shoes"]
    assert keyword(store, "shoe") == []


def test_a_language_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="english") as caught:
        MilvusStore(str(tmp_path / "milvus.db"), language="klingon")
    assert caught.value.param == "RAG_STORE__LANGUAGE"


def lite_client(folder: Path) -> tuple[LiteServer, MilvusClient]:
    server = LiteServer(folder / "milvus.db")
    return server, MilvusClient(server.uri)


def test_a_store_of_an_earlier_release_is_searched_as_it_was(open_store: Opener, tmp_path: Path) -> None:
    """It has no note of a language; Milvus made the words of its texts itself, and they keep their endings."""
    store = open_store()
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    store.close()
    server, client = lite_client(tmp_path)
    about = json.dumps({"model": EMBEDDER.model_name, "dimensions": EMBEDDER.dimensions})
    client.alter_collection_properties("rag_my_dstore__1", {"rag.embedding": about})
    client.close()
    server.close()
    store = open_store()
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("the running shoes", filename="data/my-notes.md"), a_chunk("\ud7ff 🦄 zebra", ordinal=1))
    assert texts(keyword(store, "SHOES")) == texts(keyword(store, "the")) == ["the running shoes"]
    assert texts(keyword(store, "notes")) == ["the running shoes"]
    assert keyword(store, "shoe") == keyword(store, "") == keyword(store, "\ud800") == []


def test_a_store_whose_words_an_earlier_release_analyzed_is_reported(
    open_store: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name)
    put(store, a_chunk("the running shoes"))
    store.close()
    assert "reindex" not in caplog.text
    server, client = lite_client(tmp_path)
    about = json.dumps({"model": EMBEDDER.model_name, "dimensions": EMBEDDER.dimensions, "language": "english"})
    client.alter_collection_properties("rag_my_dstore__1", {"rag.embedding": about})
    client.close()
    server.close()
    store = open_store()
    assert texts(keyword(store, "shoe")) == ["the running shoes"]
    assert texts(keyword(store, "runs")) == ["the running shoes"]
    assert caplog.text.count("reindex --store NAME --rebuild") == 1


def test_a_store_whose_maker_was_killed_is_completed(open_store: Opener, tmp_path: Path) -> None:
    store = open_store()
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name, sparse_model="s")
    store.close()
    server, client = lite_client(tmp_path)
    client.release_collection("rag_my_dstore__1")
    for name in ("dense", "sparse"):
        client.drop_index("rag_my_dstore__1", f"{name}_idx")
    client.close()
    server.close()
    store = open_store(dense=FieldIndex("HNSW", "L2"))
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name, sparse_model="s")
    store.close()
    server, client = lite_client(tmp_path)
    described = {name: client.describe_index("rag_my_dstore__1", name) for name in ("dense", "keyword", "sparse")}
    client.close()
    server.close()
    assert {name: (index["index_type"], index["metric_type"]) for name, index in described.items()} == {
        "dense": ("HNSW", "L2"),
        "keyword": ("SPARSE_INVERTED_INDEX", "BM25"),
        "sparse": ("SPARSE_INVERTED_INDEX", "IP"),
    }
