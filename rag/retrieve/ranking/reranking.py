"""Reorders the best hits with a reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.ports import Reranker
from rag.retrieve.ranking.fusion import min_max_normalized
from rag.types import Hit, passage_text


async def rerank(reranker: Reranker, query: str, hits: Sequence[Hit], weight: float) -> list[Hit]:
    """The hits by the weighted sum of their min-max normalized fused and reranker scores; ties keep their order.

    Args:
        weight: Weight of the reranker, in [0, 1]. With 1, the scores of the hits are the reranker's own.

    Raises:
        DependencyUnavailable: the reranker does not answer.
    """
    rerank_scores = await reranker.rerank(query, [passage_text(hit.chunk) for hit in hits])
    scores = _combined([hit.score for hit in hits], rerank_scores, weight)
    reranked = [
        replace(hit, score=score, rerank=rerank_score)
        for hit, score, rerank_score in zip(hits, scores, rerank_scores, strict=True)
    ]
    return sorted(reranked, key=lambda hit: -hit.score)


def _combined(fused: Sequence[float], reranked: Sequence[float], weight: float) -> list[float]:
    if weight == 1:
        return list(reranked)
    pairs = zip(min_max_normalized(fused), min_max_normalized(reranked), strict=True)
    return [(1 - weight) * fused_score + weight * rerank_score for fused_score, rerank_score in pairs]
