"""Merging the hits of several vector stores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rag.catalog.documents.visibility import Snapshot
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.planning.plan import Plan
from rag.retrieve.ranking.merging import merge_results
from rag.retrieve.result import RetrievalResult
from rag.types import Hit
from tests.support.builders import a_chunk

SNAPSHOT: Any = object.__new__(Snapshot)


def a_hit(text: str, score: float, cosine: float | None) -> Hit:
    return Hit(a_chunk(text, filename=f"{text}.md"), score, cosine)


def found(*hits: Hit, **options: Any) -> RetrievalResult:
    return RetrievalResult(hits, RetrieveOptions(**options), Plan(("q",)), SNAPSHOT, {"search": float(len(hits))})


def texts(one: RetrievalResult) -> list[str]:
    return [hit.chunk.text for hit in one.hits]


def test_the_result_of_a_single_store_is_unchanged() -> None:
    alone = found(a_hit("a", 0.9, 0.1))
    assert merge_results([alone]) is alone


def test_the_cosine_decides_between_stores() -> None:
    first = found(a_hit("good", 1.0, 0.8), a_hit("weak", 0.9, 0.35))
    second = found(a_hit("best", 0.6, 0.9), a_hit("fair", 0.5, 0.5))
    together = merge_results([first, second])
    assert texts(together) == ["best", "good", "fair", "weak"]
    assert [hit.score for hit in together.hits] == [0.9, 0.8, 0.5, 0.35]
    assert together.timings_ms == {"search": 2.0}


def test_the_hits_of_a_store_keep_their_order() -> None:
    first = found(a_hit("words alone", 1.0, None), a_hit("reranked first", 0.9, 0.4), a_hit("behind it", 0.8, 0.7))
    second = found(a_hit("other", 1.0, 0.6), a_hit("last, by words alone", 0.1, None))
    together = merge_results([first, second], 10)
    assert texts(together) == ["words alone", "reranked first", "behind it", "other", "last, by words alone"]
    scores = [hit.score for hit in together.hits]
    assert scores == sorted(scores, reverse=True)


def test_without_cosines_the_scores_decide() -> None:
    together = merge_results([found(a_hit("a", 0.4, None)), found(a_hit("b", 0.9, None))])
    assert texts(together) == ["b", "a"]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (None, 3)])
def test_top_k_bounds_the_merged_hits(top_k: int | None, count: int) -> None:
    first = found(a_hit("a", 1, 0.9), a_hit("b", 1, 0.8), top_k=2)
    second = found(a_hit("c", 1, 0.7), a_hit("d", 1, 0.6), top_k=3)
    assert len(merge_results([first, second], top_k).hits) == count


def test_a_store_without_anything_relevant_is_left_out() -> None:
    far = found(a_hit("far", 1.0, 0.2), a_hit("words", 0.9, None), min_cosine=0.3)
    near = found(a_hit("near", 1.0, 0.28), min_cosine=0.25)
    together = merge_results([far, near])
    assert texts(together) == ["near"]
    assert max(hit.cosine or 0 for hit in together.hits) >= together.options.min_cosine
    assert texts(merge_results([far, found(min_cosine=0.3)])) == []


def test_an_exact_match_comes_first() -> None:
    exact = replace(a_hit("QX-7731-B", 1.0, 0.1), is_exact=True)
    together = merge_results([found(a_hit("near", 1.0, 0.6)), found(exact, a_hit("far", 0.5, 0.2))])
    assert texts(together) == ["QX-7731-B", "near", "far"]
    assert together.hits[0].score == 1.0


def test_a_text_in_two_stores_is_returned_once() -> None:
    together = merge_results([found(a_hit("the same words here", 1, 0.9)), found(a_hit("the same words here", 1, 0.8))])
    assert len(together.hits) == 1
    assert len(together.hits[0].duplicates) == 1


def test_plans_are_merged() -> None:
    one = RetrievalResult((), RetrieveOptions(), Plan(("q", "r"), note="no planner"), SNAPSHOT, {})
    other = RetrievalResult((), RetrieveOptions(), Plan(("q", "s"), note="no planner"), SNAPSHOT, {})
    plan = merge_results([one, other]).plan
    assert (plan.queries, plan.note) == (("q", "r", "s"), "no planner")
