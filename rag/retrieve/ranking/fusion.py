"""Fuses the ranked lists of several search paths into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.recognized_language import without_language
from rag.retrieve.options import RetrieveOptions
from rag.types import Chunk, Hit, Match

ORIGINAL_LABEL = ""
"""Label of the question itself; other wordings of it have labels of their own."""
PathMatches = Mapping[tuple[str, str], Sequence[Match]]
"""Matches, best first, by path (`dense`, `keyword`, ...) and label of the wording."""


def fuse(path_matches: PathMatches, options: RetrieveOptions) -> list[Hit]:
    """Every chunk once, best first, with scores in [0, 1].

    A single list keeps its order whatever the fusion method. In dense mode its cosines stay the scores.
    """
    lists = {key: matches for key, matches in path_matches.items() if matches}
    if len(lists) == 1 and options.mode != "hybrid":
        ((path, _), matches) = next(iter(lists.items()))
        scores = _relative_to_best(path, matches)
    elif options.fusion == "rrf":
        scores = _reciprocal_ranks(lists, options)
    else:
        scores = _weighted_scores(lists, options)
    return _hits(lists, scores)


def _weighted_scores(lists: PathMatches, options: RetrieveOptions) -> dict[str, float]:
    """Weighted sum of min-max normalized scores (Bruch et al., 2022, arXiv:2210.11934).

    In each list the best match has 1. The worst match and every chunk that is not in the list have 0. The weight of a
    path without matches is spread over the others.
    """
    total = sum(options.weight(path) for path, _ in lists)
    scores: dict[str, float] = {}
    for (path, _), matches in lists.items():
        share = options.weight(path) / total
        for match, score in zip(matches, min_max_normalized([m.score for m in matches]), strict=True):
            scores[match.chunk.chunk_id] = scores.get(match.chunk.chunk_id, 0.0) + share * score
    return scores


def _reciprocal_ranks(lists: PathMatches, options: RetrieveOptions) -> dict[str, float]:
    """Reciprocal rank fusion (Cormack et al., 2009, doi:10.1145/1571941.1572114), divided by the highest possible sum.

    Ranks count from 1.
    """
    highest = sum(options.weight(path) for path, _ in lists) / (options.rrf_k + 1)
    scores: dict[str, float] = {}
    for (path, _), matches in lists.items():
        for rank, match in enumerate(matches, start=1):
            score = options.weight(path) / (options.rrf_k + rank) / highest
            scores[match.chunk.chunk_id] = scores.get(match.chunk.chunk_id, 0.0) + score
    return scores


def _relative_to_best(path: str, matches: Sequence[Match]) -> dict[str, float]:
    """Dense: the cosine, at least 0. Other paths have no upper bound: the score divided by the best one."""
    best = 1.0 if path == "dense" else max(match.score for match in matches)
    return {m.chunk.chunk_id: max(0.0, m.score / best) if best > 0 else 0.0 for m in matches}


def min_max_normalized(scores: Sequence[float]) -> list[float]:
    """Scores mapped linearly to [0, 1]; all 1 if they are equal."""
    if not scores:
        return []
    low, spread = min(scores), max(scores) - min(scores)
    return [(score - low) / spread if spread > 0 else 1.0 for score in scores]


def _public(chunk: Chunk) -> Chunk:
    attributes = without_language(chunk.attributes)
    return chunk if attributes is chunk.attributes else replace(chunk, attributes=attributes)


def _hits(lists: PathMatches, fused: Mapping[str, float]) -> list[Hit]:
    ranks: dict[str, dict[str, int]] = {}
    scores: dict[str, dict[str, float]] = {}
    chunks = {match.chunk.chunk_id: _public(match.chunk) for matches in lists.values() for match in matches}
    for (path, label), matches in lists.items():
        name = f"{path}/{label}" if label else path
        for rank, match in enumerate(matches, start=1):
            ranks.setdefault(match.chunk.chunk_id, {})[name] = rank
            scores.setdefault(match.chunk.chunk_id, {})[name] = match.score
    best_first = sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))
    return [
        Hit(chunks[i], min(1.0, fused[i]), scores[i].get("dense"), ranks[i], scores[i], fused=min(1.0, fused[i]))
        for i in best_first
    ]
