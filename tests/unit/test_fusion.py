"""Two ranked lists become one, with scores in [0, 1]."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.retrieve.fusion import dense_only, fuse, keyword_only
from rag.types import Hit, Match
from tests.builders import a_chunk


def matches(scores: dict[str, float]) -> list[Match]:
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return [Match(a_chunk(name, chunk_id=name), score) for name, score in ordered]


def by_name(hits: list[Hit]) -> dict[str, Hit]:
    return {hit.chunk.chunk_id: hit for hit in hits}


Names = st.sampled_from([f"c{i}" for i in range(12)])
Cosines = st.dictionaries(Names, st.floats(-1, 1)).map(matches)
Bm25 = st.dictionaries(Names, st.floats(0, 1e6)).map(matches)


@settings(max_examples=30, deadline=None)
@given(dense=Cosines, keyword=Bm25, weight=st.floats(0, 1))
def test_fused_hits_are_the_union_sorted_within_0_and_1(
    dense: list[Match], keyword: list[Match], weight: float
) -> None:
    hits = fuse(dense, keyword, dense_weight=weight)
    assert len(hits) == len(by_name(hits))
    assert set(by_name(hits)) == {match.chunk.chunk_id for match in (*dense, *keyword)}
    scores = [hit.score for hit in hits]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=30, deadline=None)
@given(dense=Cosines, keyword=Bm25)
def test_ranks_and_cosine_are_those_of_the_paths(dense: list[Match], keyword: list[Match]) -> None:
    hits = by_name(fuse(dense, keyword, dense_weight=0.5))
    for path, found in (("dense", dense), ("keyword", keyword)):
        ranks = {name: hit.ranks[path] for name, hit in hits.items() if path in hit.ranks}
        assert ranks == {match.chunk.chunk_id: rank for rank, match in enumerate(found, 1)}
    cosines = {match.chunk.chunk_id: match.score for match in dense}
    assert all(hit.cosine == cosines.get(name) for name, hit in hits.items())


@settings(max_examples=30, deadline=None)
@given(dense=Cosines, keyword=Bm25, weight=st.floats(0.1, 0.9))
def test_being_better_on_both_paths_is_being_better(dense: list[Match], keyword: list[Match], weight: float) -> None:
    hits = by_name(fuse(dense, keyword, dense_weight=weight))
    if dense and keyword and dense[0].chunk == keyword[0].chunk:
        assert hits[dense[0].chunk.chunk_id].score == pytest.approx(1)


def test_found_on_both_paths_beats_found_on_one() -> None:
    dense = matches({"a": 0.9, "b": 0.8, "z": 0.1})
    keyword = matches({"b": 12.0, "c": 11.0, "z": 1.0})
    assert fuse(dense, keyword, dense_weight=0.5)[0].chunk.chunk_id == "b"


def test_the_weight_decides_between_the_paths() -> None:
    dense, keyword = matches({"a": 0.9, "z": 0.1}), matches({"b": 12.0, "z": 1.0})
    assert fuse(dense, keyword, dense_weight=0.9)[0].chunk.chunk_id == "a"
    assert fuse(dense, keyword, dense_weight=0.1)[0].chunk.chunk_id == "b"


def test_a_path_without_results_leaves_its_weight_to_the_other() -> None:
    assert fuse(matches({"a": 0.4}), [], dense_weight=0.1)[0].score == 1
    assert fuse([], matches({"a": 3.0}), dense_weight=0.9)[0].score == 1
    assert fuse([], [], dense_weight=0.5) == []


def test_ties_have_one_order() -> None:
    dense = matches({"b": 0.5, "a": 0.5})
    assert [hit.chunk.chunk_id for hit in fuse(dense, dense[::-1], dense_weight=0.5)] == ["a", "b"]


@settings(max_examples=30, deadline=None)
@given(found=Cosines)
def test_dense_alone_has_the_cosine_as_its_score(found: list[Match]) -> None:
    hits = dense_only(found)
    assert [hit.chunk for hit in hits] == [match.chunk for match in found]
    assert all(hit.score == max(0.0, hit.cosine or 0.0) for hit in hits)
    assert [hit.ranks for hit in hits] == [{"dense": rank} for rank in range(1, len(found) + 1)]


def test_a_cosine_a_hair_above_1_is_1() -> None:
    assert dense_only(matches({"a": 1.0000001}))[0].score == 1


@settings(max_examples=30, deadline=None)
@given(found=Bm25)
def test_keyword_alone_has_parts_of_the_best_as_scores(found: list[Match]) -> None:
    hits = keyword_only(found)
    scores = [hit.score for hit in hits]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert all(hit.cosine is None for hit in hits)
    if found and found[0].score > 0:
        assert scores[0] == 1
