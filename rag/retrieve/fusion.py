"""Two ranked lists become one."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Hit, Match


def fuse(dense: Sequence[Match], keyword: Sequence[Match], *, dense_weight: float) -> list[Hit]:
    """Weighted sum of min-max normalised scores (Bruch et al., 2022, arXiv:2210.11934), best first.

    On each path the best match has 1 and the worst found has 0, as has a passage that the path did not
    find. A path without results leaves the whole weight to the other.
    """
    weights = _weights(bool(dense), bool(keyword), dense_weight)
    scores: dict[str, float] = {}
    ranks: dict[str, dict[str, int]] = {}
    cosines = {match.chunk.chunk_id: match.score for match in dense}
    chunks = {match.chunk.chunk_id: match.chunk for match in (*keyword, *dense)}
    for path, weight, matches in (("dense", weights[0], dense), ("keyword", weights[1], keyword)):
        for rank, (match, score) in enumerate(zip(matches, _normalised(matches), strict=True), start=1):
            chunk_id = match.chunk.chunk_id
            scores[chunk_id] = scores.get(chunk_id, 0.0) + weight * score
            ranks.setdefault(chunk_id, {})[path] = rank
    best_first = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [Hit(chunks[i], min(1.0, scores[i]), cosines.get(i), ranks[i]) for i in best_first]


def _weights(has_dense: bool, has_keyword: bool, dense_weight: float) -> tuple[float, float]:
    if has_dense and has_keyword:
        return dense_weight, 1 - dense_weight
    return float(has_dense), float(has_keyword)


def _normalised(matches: Sequence[Match]) -> list[float]:
    """Scores as parts of the spread between the worst and the best of this list."""
    if not matches:
        return []
    low, high = min(m.score for m in matches), max(m.score for m in matches)
    spread = high - low
    return [(m.score - low) / spread if spread > 0 else 1.0 for m in matches]


def dense_only(matches: Sequence[Match]) -> list[Hit]:
    """The score is the cosine; below 0 counts as 0."""
    return [Hit(m.chunk, min(1.0, max(0.0, m.score)), m.score, {"dense": rank}) for rank, m in enumerate(matches, 1)]


def keyword_only(matches: Sequence[Match]) -> list[Hit]:
    """The score is BM25 as a part of the best one's."""
    best = max((m.score for m in matches), default=0.0)
    return [
        Hit(m.chunk, m.score / best if best > 0 else 0.0, None, {"keyword": rank}) for rank, m in enumerate(matches, 1)
    ]
