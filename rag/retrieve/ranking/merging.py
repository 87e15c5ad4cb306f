"""What one question found in several vector stores, as one list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rag.retrieve.planning.plan import Plan
from rag.retrieve.ranking.duplicates import collapsed
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Hit


def merged(found: Sequence[RetrievalResult], top_k: int | None = None) -> RetrievalResult:
    """The best of all stores, each text once; the options are the first store's.

    Fused scores compare hits of one store only, so the cosine decides; it becomes the score. The hits of one store
    keep their order: one that only other paths found is as good as the best behind it. Stores where nothing is near
    enough to the question are left out.

    Args:
        found: One a store, at least one.
        top_k: Hits at most; None: as many as the store that gives most.
    """
    if len(found) == 1:
        return found[0]
    options = replace(found[0].options, top_k=top_k or max(one.options.top_k for one in found), min_cosine=-1.0)
    relevant = [one.hits for one in found if not nothing_relevant(one.hits, one.options.min_cosine)]
    ordered = sorted((hit for hits in relevant for hit in _comparable(hits)), key=lambda hit: -hit.score)
    best = collapsed(ordered, options.duplicates, at_most=options.top_k)
    return RetrievalResult(tuple(best), options, _plan(found), found[0].snapshot, _timings(found))


def _comparable(hits: Sequence[Hit]) -> list[Hit]:
    """With scores that compare with those of another store; they fall as the hits' own do."""
    if all(hit.cosine is None for hit in hits):
        return list(hits)
    scored: list[Hit] = []
    best = 0.0
    for hit in reversed(hits):
        best = max(best, min(1.0, hit.cosine or 0.0))
        scored.append(replace(hit, score=best))
    return scored[::-1]


def _plan(found: Sequence[RetrievalResult]) -> Plan:
    plans = [one.plan for one in found]
    queries = dict.fromkeys(query for plan in plans for query in plan.queries)
    notes = dict.fromkeys(plan.note for plan in plans if plan.note)
    return Plan(tuple(queries), note="; ".join(notes))


def _timings(found: Sequence[RetrievalResult]) -> dict[str, float]:
    """They ran side by side: the longest of each step."""
    longest: Counter[str] = Counter()
    for one in found:
        longest |= Counter(one.timings_ms)
    return dict(longest)
