"""A real Milvus server of 2023 (2.3), as the package `milvus` holds it: no BM25, no sparse vectors."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from rag.adapters.milvus.index import FieldIndex, Indexes
from rag.adapters.milvus.quantization import RescoreDtype
from rag.adapters.milvus.store import MilvusStore
from rag.errors import UnsupportedIndex, VectorStoreNotFound
from tests.contract.vector_store.filter_contract import FilterContract
from tests.contract.vector_store.store_calls import EMBEDDER, STORE, dense, keyword, put, texts
from tests.support.builders import a_chunk, a_version_id
from tests.support.free_port import free_port

milvus = pytest.importorskip("milvus", reason="the package `milvus`, which holds a server, is not installed")
pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = milvus.MilvusServer()
    server.set_base_dir(str(tmp_path_factory.mktemp("server")))
    server.listen_port = free_port()
    server.start()
    yield f"http://127.0.0.1:{server.listen_port}"
    server.stop()


@pytest.fixture
def store(url: str) -> Iterator[MilvusStore]:
    store = MilvusStore(url)
    yield store
    store.drop(STORE)
    store.close()


def create(store: MilvusStore, sparse_model: str = "") -> None:
    store.create(STORE, EMBEDDER.dimensions, EMBEDDER.model_name, sparse_model=sparse_model)


def test_it_is_dense_only_and_says_so_once(store: MilvusStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            create(store)
            put(store, a_chunk("apple pie"), again=True)
            assert store.keyword(STORE, ["apple", "pie"], 5) == [[], []]
            assert store.sparse(STORE, [{1: 1.0}], 5) == [[]]
            assert texts(dense(store, "apple")) == ["apple pie"]
    assert [record.message for record in caplog.records if "has no BM25" in record.message][1:] == []
    assert "has no BM25: searches are dense only" in caplog.text
    with pytest.raises(VectorStoreNotFound):
        store.keyword("nope", ["apple"], 5)


def test_sparse_vectors_are_refused(store: MilvusStore) -> None:
    with pytest.raises(UnsupportedIndex, match="is older than") as caught:
        create(store, sparse_model="some/splade")
    assert caught.value.param == "RAG_EMBEDDER__SPARSE_MODEL"
    assert not store.exists(STORE)


@pytest.mark.parametrize("index", ["GPU_CAGRA", "HNSW_SQ", "IVF_RABITQ"])
def test_an_index_that_it_does_not_have(url: str, index: str) -> None:
    store = MilvusStore(url, indexes=Indexes(dense=FieldIndex(index, "IP")))
    with pytest.raises(UnsupportedIndex, match=f"RAG_STORE__DENSE_INDEX is {index}.*invalid index type") as caught:
        create(store)
    assert caught.value.param == "RAG_STORE__DENSE_INDEX"
    assert not store.exists(STORE)
    store.close()


def test_parameters_that_do_not_fit_the_vectors(url: str) -> None:
    store = MilvusStore(url, indexes=Indexes(dense=FieldIndex("IVF_PQ", "IP", {"m": 7})))
    with pytest.raises(UnsupportedIndex, match=r"'m': 7.*refuses.*divided"):
        create(store)
    assert not store.exists(STORE)
    store.close()


@pytest.mark.parametrize("metric", ["IP", "COSINE", "L2"])
@pytest.mark.parametrize("index", ["AUTOINDEX", "FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN"])
def test_indexes_and_metrics(url: str, index: str, metric: str) -> None:
    search = {"HNSW": {"ef": 2}, "DISKANN": {"search_list": 1}, "IVF_FLAT": {"nprobe": 64}}
    store = MilvusStore(url, indexes=Indexes(dense=FieldIndex(index, metric, {}, search.get(index, {}))))
    create(store)
    put(store, a_chunk("apple banana"), a_chunk("apple", ordinal=1), a_chunk("zebra", ordinal=2))
    store.close()  # it is opened as it was made
    matches = dense(store, "apple")
    assert texts(matches) == ["apple", "apple banana", "zebra"]
    assert [match.score for match in matches] == pytest.approx([1.0, 0.5**0.5, 0.0], abs=1e-5)
    store.drop(STORE)
    store.close()


def test_rows_are_read_and_copied(store: MilvusStore) -> None:
    create(store)
    chunks = [a_chunk(f"apple {n}", ordinal=n, attributes={"n": n}) for n in range(300)]
    put(store, *chunks)
    high = {"type": "gte", "key": "n", "value": 200}
    assert store.chunks(STORE, [chunks[7].chunk_id, "no"]) == [chunks[7]]
    assert store.chunks(STORE, [chunks[7].chunk_id, chunks[250].chunk_id], high) == [chunks[250]]
    pages = list(store.pages(STORE, 70))
    assert sorted(chunk.chunk_id for page, _ in pages for chunk in page) == [chunk.chunk_id for chunk in chunks]
    two = a_version_id(version="two")
    assert store.copy(STORE, a_version_id(), two, file_id="file-x", attributes={}) == 300
    assert store.count(STORE, two) == 300
    assert keyword(store, "apple") == []


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("metric", ["HAMMING", "JACCARD"])
@pytest.mark.parametrize("index", ["BIN_FLAT", "BIN_IVF_FLAT"])
def test_candidates_of_sign_bits_are_rescored(url: str, index: str, metric: str, dtype: RescoreDtype) -> None:
    probes = {"nprobe": 128} if index == "BIN_IVF_FLAT" else {}
    indexes = Indexes(dense=FieldIndex(index, metric, {}, probes), rescore_dtype=dtype)
    store = MilvusStore(url, indexes=indexes)
    create(store)
    chunks = [a_chunk(text, ordinal=n) for n, text in enumerate(("apple banana", "apple", "zebra", "fig"))]
    put(store, *chunks)
    store.close()
    store = MilvusStore(url)  # the settings of new stores do not matter
    create(store)
    put(store, a_chunk("apple apple apple banana", ordinal=4))
    matches = dense(store, "apple", limit=3)
    assert texts(matches) == ["apple", "apple apple apple banana", "apple banana"]
    assert [match.score for match in matches] == pytest.approx([1, 0.9**0.5, 0.5**0.5], abs=0.01)
    (page,) = store.pages(STORE, 70)
    by_text = {chunk.text: vector for chunk, vector in zip(*page, strict=True)}
    (banana,) = EMBEDDER.vectors(["apple banana"])
    assert by_text["apple banana"] == pytest.approx(banana, abs=0.01)
    two = a_version_id(version="two")
    assert store.copy(STORE, a_version_id(), two, file_id="file-x", attributes={}) == 5
    copied = dense(store, "apple", limit=3, without=[a_version_id()])
    assert [(match.chunk.text, match.score) for match in copied] == [
        (match.chunk.text, match.score) for match in matches
    ]
    store.drop(STORE)
    store.close()


class TestFiltersOfSignBits(FilterContract):
    searches_words = False

    @pytest.fixture
    def store(self, url: str) -> Iterator[MilvusStore]:
        store = MilvusStore(url, indexes=Indexes(dense=FieldIndex("BIN_FLAT", "HAMMING")))
        yield store
        store.drop(STORE)
        store.close()
