"""Explains why each candidate of a query is in the prompt or not."""

from __future__ import annotations

from dataclasses import asdict

from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Chunk, Hit, JsonObject, Prompt


def explanation(result: RetrievalResult, prompt: Prompt | None) -> JsonObject:
    """The `explain` field of a `/retrieve` response.

    Args:
        prompt: What the language model would get; None if its context length is not known.
    """
    return {
        "options": asdict(result.options),
        "plan": asdict(result.plan),
        "vector_store": {"id": result.snapshot.store_id, "revision": result.snapshot.revision},
        "candidates": _candidates(result, prompt),
    }


def _candidates(result: RetrievalResult, prompt: Prompt | None) -> list[JsonObject]:
    numbers = {hit.chunk.chunk_id: number for number, hit in enumerate(result.hits, start=1)}
    represented_by = {duplicate: hit.chunk.chunk_id for hit in result.candidates for duplicate in hit.duplicates}
    candidates: list[JsonObject] = []
    for hit in result.candidates:
        number = numbers.get(hit.chunk.chunk_id)
        source = 0 if hit.chunk.chunk_id in represented_by else _source_number(hit.chunk, prompt)
        if prompt is not None and source:
            why = _place(hit.chunk if number is None else result.hits[number - 1].chunk, prompt, source)
        else:
            why = _why(hit, result, number, represented_by, prompt)
        in_prompt = None if prompt is None else source > 0
        candidates.append({**_scores(hit), "hit": number, "in_prompt": in_prompt, "why": why})
    return candidates


def _source_number(chunk: Chunk, prompt: Prompt | None) -> int:
    """The number of the source that holds a chunk; 0 if none does."""
    for number, source in enumerate(prompt.sources if prompt else (), start=1):
        whole = source.chunk
        is_within = whole.version_id == chunk.version_id and whole.start <= chunk.start and chunk.end <= whole.end
        if whole.chunk_id == chunk.chunk_id or (is_within and chunk.text in whole.text):
            return number
    return 0


def _place(chunk: Chunk, prompt: Prompt, number: int) -> str:
    source = prompt.sources[number - 1].chunk
    place = f"in the prompt as source {number}"
    if (source.start, source.end) == (chunk.start, chunk.end):
        return place
    return f"{place}, with more of its table, list or record: characters {source.start} to {source.end}"


def _scores(hit: Hit) -> JsonObject:
    return {
        "chunk_id": hit.chunk.chunk_id,
        "filename": hit.chunk.filename,
        "paths": {name: {"rank": rank, "score": round(hit.scores[name], 6)} for name, rank in hit.ranks.items()},
        "fused": None if hit.fused is None else round(hit.fused, 6),
        "rerank": None if hit.rerank is None else round(hit.rerank, 6),
        "score": round(hit.score, 6),
    }


def _why(
    hit: Hit, result: RetrievalResult, number: int | None, represented_by: dict[str, str], prompt: Prompt | None
) -> str:
    options = result.options
    if (original := represented_by.get(hit.chunk.chunk_id)) is not None:
        return f"left out: duplicate of {original}"
    if number is None:
        if options.rerank and hit.rerank is None:
            return f"left out: not reranked, because it is not among the best {options.rerank_top_n}"
        return f"left out: not among the best {options.top_k} (top_k)"
    if nothing_relevant(result.hits, options.min_cosine):
        return f"left out: no hit has a cosine of at least {options.min_cosine:g} (min_cosine)"
    if prompt is None:
        return f"hit {number}; the language model is not ready, so its prompt is not known"
    return f"left out: hit {number} does not fit into the language model's context"
