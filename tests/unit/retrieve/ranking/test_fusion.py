"""Fusion of the ranked lists of several paths, with scores in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieve.options import Fusion, RetrieveOptions
from rag.retrieve.ranking.fusion import fuse
from rag.types import Hit, Match, SearchMode
from tests.support.builders import a_chunk


def matches(scores: dict[str, float]) -> list[Match]:
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return [Match(a_chunk(name, chunk_id=name), score) for name, score in ordered]


def fused(
    *,
    mode: SearchMode = "hybrid",
    fusion: Fusion = "weights",
    weights: dict[str, float] | None = None,
    rrf_k: int = 60,
    **lists: Sequence[Match],
) -> list[Hit]:
    options = RetrieveOptions(mode=mode, fusion=fusion, weights=weights or {}, rrf_k=rrf_k)
    return fuse({(path, ""): found for path, found in lists.items()}, options)


def by_name(hits: list[Hit]) -> dict[str, Hit]:
    return {hit.chunk.chunk_id: hit for hit in hits}


def names(hits: list[Hit]) -> list[str]:
    return [hit.chunk.chunk_id for hit in hits]


Names = st.sampled_from([f"c{i}" for i in range(12)])
Cosines = st.dictionaries(Names, st.floats(-1, 1)).map(matches)
Bm25 = st.dictionaries(Names, st.floats(0, 1e6)).map(matches)
Ways = st.sampled_from(["weights", "rrf"])


@settings(max_examples=50, deadline=None)
@given(dense=Cosines, keyword=Bm25, sparse=Bm25, way=Ways, weight=st.floats(0.001, 1000))
def test_fused_hits_are_the_union_sorted_within_0_and_1(
    dense: list[Match], keyword: list[Match], sparse: list[Match], way: Fusion, weight: float
) -> None:
    hits = fused(dense=dense, keyword=keyword, sparse=sparse, fusion=way, weights={"dense": weight})
    assert len(hits) == len(by_name(hits))
    assert set(by_name(hits)) == {match.chunk.chunk_id for match in (*dense, *keyword, *sparse)}
    scores = [hit.score for hit in hits]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=30, deadline=None)
@given(dense=Cosines, keyword=Bm25, way=Ways)
def test_ranks_scores_and_cosine_are_those_of_the_paths(dense: list[Match], keyword: list[Match], way: Fusion) -> None:
    hits = by_name(fused(dense=dense, keyword=keyword, fusion=way))
    for path, found in (("dense", dense), ("keyword", keyword)):
        ranks = {name: hit.ranks[path] for name, hit in hits.items() if path in hit.ranks}
        assert ranks == {match.chunk.chunk_id: rank for rank, match in enumerate(found, 1)}
        scores = {name: hit.scores[path] for name, hit in hits.items() if path in hit.scores}
        assert scores == {match.chunk.chunk_id: match.score for match in found}
    cosines = {match.chunk.chunk_id: match.score for match in dense}
    assert all(hit.cosine == cosines.get(name) for name, hit in hits.items())


@settings(max_examples=30, deadline=None)
@given(dense=Cosines, keyword=Bm25, way=Ways, weight=st.floats(0.1, 10))
def test_the_best_match_of_both_paths_comes_first(
    dense: list[Match], keyword: list[Match], way: Fusion, weight: float
) -> None:
    hits = by_name(fused(dense=dense, keyword=keyword, fusion=way, weights={"keyword": weight}))
    if dense and keyword and dense[0].chunk == keyword[0].chunk:
        assert hits[dense[0].chunk.chunk_id].score == pytest.approx(1)


@pytest.mark.parametrize("way", ["weights", "rrf"])
def test_a_match_of_both_paths_beats_a_match_of_one(way: Fusion) -> None:
    dense = matches({"a": 0.9, "b": 0.8, "z": 0.1})
    keyword = matches({"b": 12.0, "c": 11.0, "z": 1.0})
    assert names(fused(dense=dense, keyword=keyword, fusion=way))[0] == "b"


@pytest.mark.parametrize("way", ["weights", "rrf"])
def test_the_weight_decides_between_the_paths(way: Fusion) -> None:
    dense, keyword = matches({"a": 0.9, "z": 0.1}), matches({"b": 12.0, "y": 1.0})
    assert names(fused(dense=dense, keyword=keyword, fusion=way, weights={"dense": 9}))[0] == "a"
    assert names(fused(dense=dense, keyword=keyword, fusion=way, weights={"dense": 0.1}))[0] == "b"


def test_reciprocal_ranks_are_summed_and_divided_by_the_highest_sum() -> None:
    dense, keyword = matches({"a": 0.9, "b": 0.8}), matches({"b": 7.0})
    hits = by_name(fused(dense=dense, keyword=keyword, fusion="rrf", rrf_k=10, weights={"keyword": 3}))
    assert hits["a"].score == pytest.approx((1 / 11) / (4 / 11))
    assert hits["b"].score == pytest.approx((1 / 12 + 3 / 11) / (4 / 11))


def test_a_path_without_results_leaves_its_weight_to_the_other() -> None:
    assert fused(dense=matches({"a": 0.4}), keyword=[], weights={"dense": 0.1})[0].score == 1
    assert fused(dense=[], keyword=matches({"a": 3.0}))[0].score == 1
    assert fused(dense=[], keyword=[]) == []


def test_ties_have_a_fixed_order() -> None:
    dense = matches({"b": 0.5, "a": 0.5})
    assert names(fused(dense=dense, keyword=dense[::-1])) == ["a", "b"]


def test_every_wording_of_a_question_is_a_list_of_its_own() -> None:
    lists = {("dense", ""): matches({"a": 0.9, "b": 0.5}), ("dense", "query 2"): matches({"b": 0.8, "c": 0.7})}
    hits = by_name(fuse(lists, RetrieveOptions(mode="dense", fusion="rrf")))
    assert hits["b"].ranks == {"dense": 2, "dense/query 2": 1}
    assert hits["c"].cosine is None, "how near it is to the question itself is not known"
    assert hits["b"].cosine == 0.5


@settings(max_examples=30, deadline=None)
@given(found=Cosines)
def test_dense_alone_has_the_cosine_as_its_score(found: list[Match]) -> None:
    hits = by_name(fused(mode="dense", dense=found))
    assert set(hits) == {match.chunk.chunk_id for match in found}
    assert all(hit.score == max(0.0, hit.cosine or 0.0) for hit in hits.values())


def test_a_cosine_slightly_above_1_is_clipped() -> None:
    assert fused(mode="dense", dense=matches({"a": 1.0000001}))[0].score == 1


@settings(max_examples=30, deadline=None)
@given(found=Bm25)
def test_keyword_scores_alone_are_relative_to_the_best(found: list[Match]) -> None:
    hits = fused(mode="keyword", keyword=found)
    scores = [hit.score for hit in hits]
    assert all(0 <= score <= 1 for score in scores)
    assert all(hit.cosine is None for hit in hits)
    if found and found[0].score > 0:
        assert scores[0] == 1
