"""Ranked lists of several paths become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.retrieve.options import RetrieveOptions
from rag.types import Hit, Match

FIRST = ""
"""Label of the lists that the question itself found; other queries made of it have others."""
PathLists = Mapping[tuple[str, str], Sequence[Match]]
"""Matches, best first, by path (`dense`, `keyword`, ...) and label of the query."""


def fuse(lists: PathLists, options: RetrieveOptions) -> list[Hit]:
    """All that was found, each chunk once, best first; scores are in [0, 1].

    A list alone keeps its order, whatever the way of fusion. A dense one also keeps its cosines as scores.
    """
    found = {key: matches for key, matches in lists.items() if matches}
    alone = next(iter(found)) if len(found) == 1 else None
    if alone is not None and options.mode != "hybrid":
        scores = _as_parts_of_the_best(alone[0], found[alone])
    elif options.fusion == "rrf":
        scores = _reciprocal_ranks(found, options)
    else:
        scores = _weighted_scores(found, options)
    return _hits(found, scores)


def _weighted_scores(found: PathLists, options: RetrieveOptions) -> dict[str, float]:
    """Weighted sum of min-max normalised scores (Bruch et al., 2022, arXiv:2210.11934).

    In each list the best match has 1 and the worst found has 0, as has a passage that it did not find. A path
    without results leaves its weight to the others.
    """
    total = sum(options.weight(path) for path, _ in found)
    scores: dict[str, float] = {}
    for (path, _), matches in found.items():
        share = options.weight(path) / total
        for match, score in zip(matches, normalised([m.score for m in matches]), strict=True):
            scores[match.chunk.chunk_id] = scores.get(match.chunk.chunk_id, 0.0) + share * score
    return scores


def _reciprocal_ranks(found: PathLists, options: RetrieveOptions) -> dict[str, float]:
    """Reciprocal rank fusion (Cormack et al., 2009, doi:10.1145/1571941.1572114), as parts of the highest there can be.

    Ranks count from 1.
    """
    highest = sum(options.weight(path) for path, _ in found) / (options.rrf_k + 1)
    scores: dict[str, float] = {}
    for (path, _), matches in found.items():
        for rank, match in enumerate(matches, start=1):
            part = options.weight(path) / (options.rrf_k + rank) / highest
            scores[match.chunk.chunk_id] = scores.get(match.chunk.chunk_id, 0.0) + part
    return scores


def _as_parts_of_the_best(path: str, matches: Sequence[Match]) -> dict[str, float]:
    """The cosine, below 0 counting as 0; on other paths, whose scores have no upper bound, the part of the best one."""
    best = 1.0 if path == "dense" else max(match.score for match in matches)
    return {m.chunk.chunk_id: max(0.0, m.score / best) if best > 0 else 0.0 for m in matches}


def normalised(scores: Sequence[float]) -> list[float]:
    """Scores as parts of the spread between the lowest and the highest of them; all 1 when they are the same."""
    if not scores:
        return []
    low, spread = min(scores), max(scores) - min(scores)
    return [(score - low) / spread if spread > 0 else 1.0 for score in scores]


def _hits(found: PathLists, fused: Mapping[str, float]) -> list[Hit]:
    ranks: dict[str, dict[str, int]] = {}
    scores: dict[str, dict[str, float]] = {}
    chunks = {match.chunk.chunk_id: match.chunk for matches in found.values() for match in matches}
    for (path, label), matches in found.items():
        name = f"{path}/{label}" if label else path
        for rank, match in enumerate(matches, start=1):
            ranks.setdefault(match.chunk.chunk_id, {})[name] = rank
            scores.setdefault(match.chunk.chunk_id, {})[name] = match.score
    best_first = sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))
    return [
        Hit(chunks[i], min(1.0, fused[i]), scores[i].get("dense"), ranks[i], scores[i], fused=min(1.0, fused[i]))
        for i in best_first
    ]
