"""The best hits in the order that a reranker gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.ports import Reranker
from rag.retrieve.ranking.fusion import normalised
from rag.types import Hit, passage_text


async def reranked(reranker: Reranker, query: str, hits: Sequence[Hit], weight: float) -> list[Hit]:
    """The hits, best first by both scores, each as a part of its spread, weighted; then by the order given.

    Args:
        weight: Of the reranker, in [0, 1]; at 1 its own scores are the hits'.

    Raises:
        DependencyUnavailable: the reranker does not answer.
    """
    given = await reranker.rerank(query, [passage_text(hit.chunk) for hit in hits])
    if weight == 1:
        scores = list(given)
    else:
        parts = zip(normalised([hit.score for hit in hits]), normalised(given), strict=True)
        scores = [(1 - weight) * fused + weight * own for fused, own in parts]
    together = [replace(hit, score=score, rerank=own) for hit, score, own in zip(hits, scores, given, strict=True)]
    return sorted(together, key=lambda hit: -hit.score)
