"""Merges the results of one question from several vector stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rag.retrieve.planning.plan import Plan
from rag.retrieve.ranking.duplicates import deduplicate
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Hit


def merge_results(results: Sequence[RetrievalResult], top_k: int | None = None) -> RetrievalResult:
    """The best hits of all stores, without duplicates, with the options of the first store.

    Fused scores compare hits of one store only, so hits are ordered by cosine, which becomes their score; an exact
    match has 1. The hits of one store keep their order: one without a cosine counts as much as the best hit behind it.
    Stores without a relevant hit are left out.

    Args:
        results: One for each store, at least one.
        top_k: Maximum number of hits; None: the largest `top_k` of the stores.
    """
    if len(results) == 1:
        return results[0]
    max_hits = top_k or max(result.options.top_k for result in results)
    options = replace(results[0].options, top_k=max_hits, min_cosine=-1.0)  # relevance is decided here, by store
    relevant = [result.hits for result in results if not nothing_relevant(result.hits, result.options.min_cosine)]
    ordered = sorted((hit for hits in relevant for hit in _comparable(hits)), key=lambda hit: -hit.score)
    best = deduplicate(ordered, options.duplicates, max_hits=max_hits)
    return RetrievalResult(tuple(best), options, _plan(results), results[0].snapshot, _timings(results))


def _comparable(hits: Sequence[Hit]) -> list[Hit]:
    """The hits with scores that are comparable between stores and that fall as their own scores do."""
    if all(hit.cosine is None for hit in hits):
        return list(hits)
    scored: list[Hit] = []
    best = 0.0
    for hit in reversed(hits):
        best = max(best, 1.0 if hit.is_exact else min(1.0, hit.cosine or 0.0))
        scored.append(replace(hit, score=best))
    return scored[::-1]


def _plan(results: Sequence[RetrievalResult]) -> Plan:
    plans = [result.plan for result in results]
    queries = dict.fromkeys(query for plan in plans for query in plan.queries)
    notes = dict.fromkeys(plan.note for plan in plans if plan.note)
    return Plan(tuple(queries), note="; ".join(notes))


def _timings(results: Sequence[RetrievalResult]) -> dict[str, float]:
    """The longest time of each step: the stores were searched in parallel."""
    longest: Counter[str] = Counter()
    for result in results:
        longest |= Counter(result.timings_ms)
    return dict(longest)
