"""The indexes that we put in the place of Milvus Lite's, beside its own."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from milvus_lite.index import sparse_factory
from milvus_lite.index.sparse_inverted import SparseInvertedIndex
from milvus_lite.index.sparse_ip import SparseIpIndex

from rag.adapters.milvus.lite import lite_sparse

PARAMS = {"bm25_k1": 0.9, "bm25_b": 0.4}
Terms = dict[int, float]


def vectors(count: int, seed: int) -> list[Terms]:
    chance = random.Random(seed)
    sizes = [chance.choice([0, 1, 5, 20]) for _ in range(count)]
    return [{chance.randrange(40): float(chance.randint(1, 4)) for _ in range(size)} for size in sizes]


def ours(metric: str, params: dict[str, float] | None = None) -> Any:
    lite_sparse.install()
    return sparse_factory.create_sparse_index(metric, params if params is not None else dict(PARAMS))


def same(found: Any, expected: Any) -> None:
    """Equal distances, best first; what is equally near may come in any order."""
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4)
    for mine, theirs, distances in zip(found[0], expected[0], expected[1], strict=True):
        worst = distances[np.isfinite(distances)].max(initial=-np.inf)
        assert {*mine[distances < worst]} == {*theirs[distances < worst]}


@pytest.mark.parametrize("top_k", [0, 1, 7, 300])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("metric", ["IP", "BM25"])
def test_one_segment_is_searched_as_lite_does(metric: str, masked: bool, top_k: int) -> None:
    theirs = SparseIpIndex() if metric == "IP" else SparseInvertedIndex(k1=0.9, b=0.4)
    rows, queries = vectors(200, 1), [*vectors(30, 2), {}, {99: 1.0}]
    mask = np.array([n % 3 > 0 for n in range(200)]) if masked else None
    index = ours(metric)
    for one in (index, theirs):
        one.build(rows)
    same(index.search(queries, top_k, mask), theirs.search(queries, top_k, mask))


@pytest.mark.parametrize("metric", ["IP", "BM25"])
def test_rows_that_are_left_out_of_an_index(metric: str) -> None:
    theirs = SparseIpIndex() if metric == "IP" else SparseInvertedIndex(k1=0.9, b=0.4)
    index, mask = ours(metric), np.array([n % 2 > 0 for n in range(50)])
    for one in (index, theirs):
        one.build(vectors(50, 3), mask)
    same(index.search(vectors(9, 4), 10), theirs.search(vectors(9, 4), 10))


def test_segments_of_a_collection_score_as_one() -> None:
    rows, queries, whole = vectors(300, 5), vectors(20, 6), SparseInvertedIndex(k1=0.9, b=0.4)
    whole.build(rows)
    parts = [(0, 250), (250, 290), (290, 300)]
    indexes = [ours("BM25", PARAMS) for _ in parts]
    for index, (start, end) in zip(indexes, parts, strict=True):
        index.build(rows[start:end])
    expected_ids, expected = whole.search(queries, 300)
    for number, query in enumerate(queries):
        scores: Terms = {}
        for index, (start, _) in zip(indexes, parts, strict=True):
            ids, distances = index.search([query], 300)
            scores |= by_row(ids[0], distances[0], start)
        assert scores == pytest.approx(by_row(expected_ids[number], expected[number]), rel=1e-4)


def by_row(ids: Any, distances: Any, start: int = 0) -> Terms:
    return {start + int(row): float(distance) for row, distance in zip(ids, distances, strict=True) if row >= 0}


def test_segments_that_are_gone_do_not_count() -> None:
    params = dict(PARAMS)
    kept, gone = ours("BM25", params), ours("BM25", params)
    kept.build([{1: 1.0}, {2: 1.0}])
    (before,) = kept.search([{1: 1.0}], 1)[1]
    gone.build([{1: 1.0}] * 50)
    assert kept.search([{1: 1.0}], 1)[1][0] > before
    del gone
    assert kept.search([{1: 1.0}], 1)[1][0] == before


def test_collections_do_not_share_their_statistics() -> None:
    mine, other = ours("BM25", dict(PARAMS)), ours("BM25", dict(PARAMS))
    mine.build([{1: 1.0}, {2: 1.0}])
    before = mine.search([{1: 1.0}], 1)[1].tolist()
    other.build([{1: 1.0}] * 50)
    assert mine.search([{1: 1.0}], 1)[1].tolist() == before


def test_lite_takes_the_indexes_for_its_own() -> None:
    for metric in ("IP", "BM25"):
        assert sparse_factory.sparse_index_matches(ours(metric), metric, PARAMS)
    assert not sparse_factory.sparse_index_matches(ours("BM25"), "BM25", {"bm25_k1": 1.5})
