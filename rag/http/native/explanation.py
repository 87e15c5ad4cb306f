"""What became of every passage that a query found."""

from __future__ import annotations

from dataclasses import asdict

from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Hit, JsonObject, Prompt


def explanation(found: RetrievalResult, prompt: Prompt | None) -> JsonObject:
    """Args:
    prompt: What the language model would get; None where its context length is not known.
    """
    return {
        "options": asdict(found.options),
        "plan": asdict(found.plan),
        "vector_store": {"id": found.snapshot.store_id, "revision": found.snapshot.revision},
        "candidates": _candidates(found, prompt),
    }


def _candidates(found: RetrievalResult, prompt: Prompt | None) -> list[JsonObject]:
    places = {hit.chunk.chunk_id: place for place, hit in enumerate(found.hits, start=1)}
    stands_for = {duplicate_of: hit.chunk.chunk_id for hit in found.candidates for duplicate_of in hit.duplicates}
    in_prompt = {hit.chunk.chunk_id for hit in prompt.sources} if prompt else set()
    return [
        {
            **_found_by(hit),
            "hit": places.get(hit.chunk.chunk_id),
            "in_prompt": None if prompt is None else hit.chunk.chunk_id in in_prompt,
            "why": _why(hit, found, places, stands_for, prompt),
        }
        for hit in found.candidates
    ]


def _found_by(hit: Hit) -> JsonObject:
    return {
        "chunk_id": hit.chunk.chunk_id,
        "filename": hit.chunk.filename,
        "paths": {name: {"rank": rank, "score": round(hit.scores[name], 6)} for name, rank in hit.ranks.items()},
        "fused": None if hit.fused is None else round(hit.fused, 6),
        "rerank": None if hit.rerank is None else round(hit.rerank, 6),
        "score": round(hit.score, 6),
    }


def _why(
    hit: Hit, found: RetrievalResult, places: dict[str, int], stands_for: dict[str, str], prompt: Prompt | None
) -> str:
    """Why it is in the prompt, or is not."""
    chunk_id, options = hit.chunk.chunk_id, found.options
    if (duplicate_of := stands_for.get(chunk_id)) is not None:
        return f"left out: {duplicate_of} says the same"
    if (place := places.get(chunk_id)) is None:
        many = options.rerank and hit.rerank is None
        return (
            f"left out: not among the best {options.rerank_top_n}, which are reranked"
            if many
            else (f"left out: not among the best {options.top_k} (top_k)")
        )
    if nothing_relevant(found.hits, options.min_cosine):
        return f"left out: no hit has a cosine of at least {options.min_cosine:g} (min_cosine)"
    if prompt is None:
        return f"hit {place}; the language model is not ready, so its prompt is not known"
    if place > len(prompt.sources):
        return f"left out: hit {place} does not fit into the language model's context"
    return f"in the prompt as source {place}"
