"""Which indexes are asked for, without a Milvus; for those of Milvus Lite see `test_indexes_on_lite.py`."""

from __future__ import annotations

from typing import Any

import pytest

from rag.adapters.milvus import index_types as types
from rag.adapters.milvus.index import FieldIndex, default_metric, index_arguments, search_params
from rag.adapters.milvus.loaded_collection import LoadedCollection
from rag.adapters.milvus.pymilvus_types import IndexArguments
from rag.errors import UnsupportedIndex


def dense(index: str, **fields: Any) -> FieldIndex:
    return FieldIndex(index, default_metric(index), **fields)


def arguments(wanted: FieldIndex, *, vector_field: str = "dense", is_lite: bool = False) -> IndexArguments:
    return index_arguments(vector_field, wanted, 384, is_lite=is_lite)


def refusal(wanted: FieldIndex, *, vector_field: str = "dense", is_lite: bool = False) -> UnsupportedIndex:
    with pytest.raises(UnsupportedIndex) as caught:
        arguments(wanted, vector_field=vector_field, is_lite=is_lite)
    return caught.value


def test_what_is_asked_for_is_what_milvus_gets() -> None:
    wanted = FieldIndex("HNSW", "L2", build={"M": 32, "mmap.enabled": True})
    assert arguments(wanted) == {
        "field_name": "dense",
        "index_name": "dense",
        "index_type": "HNSW",
        "metric_type": "L2",
        "params": {"M": 32, "efConstruction": 200, "mmap.enabled": True},
    }


@pytest.mark.parametrize("index", types.DENSE)
def test_every_index_has_the_parameters_it_needs(index: str) -> None:
    params = arguments(dense(index))["params"]
    assert all(types.DENSE[index].build[name].takes(value) for name, value in params.items())
    if index.startswith(("IVF", "GPU_IVF", "SCANN")):
        assert params["nlist"] == 128
    if index.startswith("HNSW"):
        assert (params["M"], params["efConstruction"]) == (16, 200)


@pytest.mark.parametrize(
    ("dimensions", "parts"), [(384, 96), (768, 192), (385, 77), (64, 16), (10, 2), (7, 1), (3, 1), (1, 1)]
)
def test_product_quantisation_divides_the_vector(dimensions: int, parts: int) -> None:
    assert index_arguments("dense", dense("IVF_PQ"), dimensions, is_lite=False)["params"]["m"] == parts


def test_autoindex_on_lite_is_exact() -> None:
    assert arguments(dense("AUTOINDEX"), is_lite=True)["index_type"] == "FLAT"
    assert arguments(dense("AUTOINDEX"))["index_type"] == "AUTOINDEX"
    auto = FieldIndex("AUTOINDEX", "BM25")
    assert arguments(auto, vector_field="keyword", is_lite=True)["index_type"] == "SPARSE_INVERTED_INDEX"


@pytest.mark.parametrize("index", ["DISKANN", "IVF_PQ", "SCANN", "GPU_CAGRA", "GPU_IVF_FLAT", "HNSW_PQ"])
def test_what_lite_does_not_have(index: str) -> None:
    error = refusal(dense(index), is_lite=True)
    assert error.param == "RAG_STORE__DENSE_INDEX"
    assert error.code == "unsupported_index"
    assert f"RAG_STORE__DENSE_INDEX is {index}, which Milvus Lite does not have" in error.message
    has = "AUTOINDEX, FLAT, IVF_FLAT, IVF_SQ8, HNSW, HNSW_SQ"
    assert f"choose one of {has}, or connect to a Milvus server" in error.message


@pytest.mark.parametrize("index", types.BINARY)
def test_sign_bits_are_for_servers(index: str) -> None:
    for metric in types.BINARY_METRICS:
        assert arguments(FieldIndex(index, metric))["metric_type"] == metric
    error = refusal(dense(index), is_lite=True)
    assert (error.param, error.code) == ("RAG_STORE__DENSE_INDEX", "unsupported_index")
    assert f"{index}, which Milvus Lite does not have; choose one of AUTOINDEX, FLAT" in error.message


@pytest.mark.parametrize(("index", "metric"), [("BIN_FLAT", "IP"), ("FLAT", "HAMMING"), ("AUTOINDEX", "JACCARD")])
def test_a_metric_of_the_other_kind_of_vectors(index: str, metric: str) -> None:
    error = refusal(FieldIndex(index, metric))
    assert error.param == "RAG_STORE__DENSE_METRIC"
    assert f"RAG_STORE__DENSE_METRIC is {metric}, which {index} does not have; choose one of" in error.message


def test_dimensions_that_do_not_fill_bytes() -> None:
    with pytest.raises(UnsupportedIndex, match=r"BIN_FLAT, which packs eight dimensions into a byte.*have 385"):
        index_arguments("dense", dense("BIN_FLAT"), 385, is_lite=False)


def test_sparse_indexes_that_lite_does_not_have() -> None:
    wanted = FieldIndex("SPARSE_WAND", "BM25")
    assert arguments(wanted, vector_field="keyword")["index_type"] == "SPARSE_WAND"
    error = refusal(wanted, vector_field="keyword", is_lite=True)
    assert (error.param, "SPARSE_INVERTED_INDEX" in error.message) == ("RAG_STORE__KEYWORD_INDEX", True)


@pytest.mark.parametrize(("index", "hint"), [("HNWS", "perhaps HNSW?"), ("ivf_flat", "perhaps IVF_FLAT?")])
@pytest.mark.parametrize("is_lite", [True, False])
def test_a_slip_in_an_index(index: str, hint: str, is_lite: bool) -> None:
    error = refusal(dense(index), is_lite=is_lite)
    assert f"{index}, which is no index ({hint})" in error.message
    assert "AUTOINDEX, FLAT" in error.message


@pytest.mark.parametrize(
    ("wanted", "setting", "words"),
    [
        (dense("HNSW", build={"m": 16}), "RAG_STORE__DENSE_BUILD", "'m', which is no parameter of HNSW (perhaps M?)"),
        (dense("HNSW", build={"efConstrution": 9}), "RAG_STORE__DENSE_BUILD", "(perhaps efConstruction?)"),
        (dense("HNSW", build={"nlist": 9}), "RAG_STORE__DENSE_BUILD", "it has M, efConstruction"),
        (dense("FLAT", search={"ef": 9}), "RAG_STORE__DENSE_SEARCH", "it has none"),
        (dense("HNSW", search={"nprobe": 9}), "RAG_STORE__DENSE_SEARCH", "it has ef"),
        (dense("HNSW", build={"M": "16"}), "RAG_STORE__DENSE_BUILD", "M of HNSW must be a whole number from 2 to 2048"),
        (dense("HNSW", build={"M": True}), "RAG_STORE__DENSE_BUILD", "not True"),
        (dense("HNSW", build={"M": 1}), "RAG_STORE__DENSE_BUILD", "not 1"),
        (dense("IVF_FLAT", build={"nlist": 1.5}), "RAG_STORE__DENSE_BUILD", "not 1.5"),
        (dense("HNSW_SQ", build={"sq_type": "SQ9"}), "RAG_STORE__DENSE_BUILD", "SQ4U or SQ6"),
        (dense("SCANN", build={"with_raw_data": 1}), "RAG_STORE__DENSE_BUILD", "true or false"),
    ],
)
def test_parameters_that_an_index_does_not_take(wanted: FieldIndex, setting: str, words: str) -> None:
    error = refusal(wanted)
    assert (error.param, setting in error.message) == (setting, True)
    assert words in error.message


def test_parameters_that_only_servers_know() -> None:
    quantised = dense("HNSW_SQ", build={"sq_type": "SQ8"})
    assert arguments(quantised)
    assert "no parameter of HNSW_SQ on Milvus Lite" in refusal(quantised, is_lite=True).message
    keyword = FieldIndex("SPARSE_INVERTED_INDEX", "BM25", {"inverted_index_algo": "DAAT_WAND"})
    assert arguments(keyword, vector_field="keyword")
    assert "it has bm25_k1, bm25_b" in refusal(keyword, vector_field="keyword", is_lite=True).message


@pytest.mark.parametrize("params", [{"bm25_k1": 0}, {"bm25_k1": 4}, {"bm25_b": 1.1}, {"bm25_b": float("nan")}])
def test_bm25_parameters_out_of_range(params: dict[str, float]) -> None:
    for is_lite in (True, False):
        wanted = FieldIndex("SPARSE_INVERTED_INDEX", "BM25", params)
        assert refusal(wanted, vector_field="keyword", is_lite=is_lite).param == "RAG_STORE__KEYWORD_BUILD"


def test_learned_sparse_vectors_know_no_bm25() -> None:
    wanted = FieldIndex("SPARSE_INVERTED_INDEX", "IP", {"bm25_k1": 1.2})
    assert refusal(wanted, vector_field="sparse").param == "RAG_STORE__SPARSE_BUILD"


def test_search_parameters_are_for_the_index_that_is_there() -> None:
    assert search_params("HNSW", {"ef": 128}, 20) == {"ef": 128}
    assert search_params("HNSW", {"ef": 10}, 20) == {"ef": 20}  # servers refuse less
    assert search_params("IVF_FLAT", {"nprobe": 5}, 20) == {"nprobe": 5}
    assert search_params("DISKANN", {"search_list": 5}, 20) == {"search_list": 20}
    assert search_params("FLAT", {"ef": 128}, 20) == {}
    assert search_params("IVF_FLAT", {"ef": 128}, 20) == {}
    assert search_params("OF_A_NEWER_MILVUS", {"ef": 128}, 20) == {}


@pytest.mark.parametrize(
    ("metric", "distance", "cosine"), [("IP", 0.25, 0.25), ("COSINE", 0.25, 0.25), ("L2", 0.5, 0.75), ("L2", 4.0, -1.0)]
)
def test_distances_become_cosines(metric: str, distance: float, cosine: float) -> None:
    assert opened(metric).cosine(distance) == cosine


def test_cosines_stay_in_their_range() -> None:
    assert [opened("IP").cosine(value) for value in (1.0000001, -1.1)] == [1.0, -1.0]
    assert [opened("L2").cosine(value) for value in (-1e-7, 4.1)] == [1.0, -1.0]


def opened(metric: str) -> LoadedCollection:
    return LoadedCollection("rag_x", frozenset({"dense"}), "english", "FLAT", metric)
