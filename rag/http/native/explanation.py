"""Explains why each candidate of a query is in the prompt or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from rag.retrieve.model_search_request import ModelSearchRequest
from rag.retrieve.preparation import PreparationRequest
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Chunk, Hit, JsonObject, PreparedPrompt, Prompt, SearchOutput

Reason: TypeAlias = Literal[
    "in_prompt",
    "duplicate",
    "not_reranked",
    "top_k",
    "min_cosine",
    "min_confidence",
    "not_quoted",
    "context",
    "no_engine",
]
"""Why a candidate is in the prompt, or what kept it out."""


@dataclass(frozen=True, slots=True)
class ExplainedPrompt:
    """The prompt that an answer would get, and the request that it was made for."""

    request: PreparationRequest
    prepared: PreparedPrompt
    numbers: Sequence[int] = ()
    """The numbers of the sources; empty: counted from 1."""

    @property
    def is_too_far(self) -> bool:
        """Whether nothing is quoted because the best quote is not near enough to the question."""
        return self.prepared.quotation is None and self.prepared.confidence is not None

    def shown_number(self, source: int | None) -> int | None:
        """The number under which the language model knows a source."""
        return self.numbers[source - 1] if source is not None and self.numbers else source

    def source_number(self, chunk: Chunk) -> int | None:
        """The number of the source that holds a chunk. In a quoted answer, only sources with a quote count."""
        for number, source in enumerate(self.prepared.prompt.sources, start=1):
            whole = source.chunk
            is_within = whole.version_id == chunk.version_id and whole.start <= chunk.start and chunk.end <= whole.end
            if whole.chunk_id == chunk.chunk_id or (is_within and chunk.text in whole.text):
                return number if self._is_used(number) else None
        return None

    def _is_used(self, source: int) -> bool:
        quotation = self.prepared.quotation
        return quotation is None or any(quote.source == source for quote in quotation.quotes)


def explanation(result: RetrievalResult, prompt: ExplainedPrompt | None) -> JsonObject:
    """The `explain` field of a `/retrieve` response.

    Args:
        prompt: What the language model would get; None if its context length is not known.
    """
    return {
        "options": asdict(result.options),
        "plan": asdict(result.plan),
        "vector_store": {"id": result.snapshot.store_id, "revision": result.snapshot.revision},
        "candidates": _candidates(result, prompt),
        "prompt": None if prompt is None else _prompt(prompt),
    }


def explained_searches(
    request: ModelSearchRequest, output: SearchOutput, results: Sequence[RetrievalResult]
) -> list[JsonObject]:
    """Explains a search of the language model: one explanation for each query in each vector store."""
    preparation = PreparationRequest(request.queries[0], request.vector_stores, request.max_tokens, 0)
    prompt = ExplainedPrompt(preparation, PreparedPrompt(Prompt((), output.hits), {}), output.numbers)
    explained = []
    for result in results:
        explained.append({"query": result.plan.queries[0], **explanation(result, prompt), "prompt": None})
    return explained


def _prompt(explained: ExplainedPrompt) -> JsonObject:
    request, prepared = explained.request, explained.prepared
    return {
        "style": request.style,
        "messages": [asdict(message) for message in prepared.prompt.messages],
        "tokens": len(prepared.prompt.token_ids) or None,
        "context_tokens": request.context_tokens,
        "max_tokens": request.max_tokens,
        "confidence": prepared.confidence,
    }


def _candidates(result: RetrievalResult, prompt: ExplainedPrompt | None) -> list[JsonObject]:
    hits = {hit.chunk.chunk_id: number for number, hit in enumerate(result.hits, start=1)}
    duplicate_of = {duplicate: hit.chunk.chunk_id for hit in result.candidates for duplicate in hit.duplicates}
    explained = []
    for hit in result.candidates:
        chunk_id = hit.chunk.chunk_id
        original = duplicate_of.get(chunk_id, "")
        source = None if original or prompt is None else prompt.source_number(hit.chunk)
        place = _Place(hits.get(chunk_id), source, original)
        reason = _reason(hit, place, result, prompt)
        explained.append(
            {
                **_passage(hit),
                **_scores(hit),
                "hit": place.hit,
                "source": None if prompt is None else prompt.shown_number(place.source),
                "in_prompt": None if prompt is None else place.source is not None,
                "duplicate_of": place.duplicate_of or None,
                "reason": reason,
                "why": _sentence(reason, place, result, prompt) + _more(hit.chunk, place, result, prompt),
            }
        )
    return explained


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a candidate ended up."""

    hit: int | None
    """Its number among the hits, from 1."""
    source: int | None
    """Its number in the prompt, from 1."""
    duplicate_of: str
    """The chunk that stands for it; empty if none does."""


def _more(chunk: Chunk, place: _Place, result: RetrievalResult, prompt: ExplainedPrompt | None) -> str:
    """What the prompt has around a chunk."""
    if prompt is None or place.source is None:
        return ""
    source = prompt.prepared.prompt.sources[place.source - 1].chunk
    own = chunk if place.hit is None else result.hits[place.hit - 1].chunk
    if (source.start, source.end) == (own.start, own.end):
        return ""
    return f", with more of its table, list or record: characters {source.start} to {source.end}"


def _passage(hit: Hit) -> JsonObject:
    names = ("chunk_id", "file_id", "filename", "heading", "page", "text", "start", "end")
    return {name: getattr(hit.chunk, name) for name in names}


def _scores(hit: Hit) -> JsonObject:
    return {
        "paths": {name: {"rank": rank, "score": round(hit.scores[name], 6)} for name, rank in hit.ranks.items()},
        "cosine": None if hit.cosine is None else round(hit.cosine, 6),
        "fused": None if hit.fused is None else round(hit.fused, 6),
        "rerank": None if hit.rerank is None else round(hit.rerank, 6),
        "score": round(hit.score, 6),
    }


def _reason(hit: Hit, place: _Place, result: RetrievalResult, prompt: ExplainedPrompt | None) -> Reason:
    options = result.options
    if place.duplicate_of:
        return "duplicate"
    if place.source is not None:
        return "in_prompt"
    if place.hit is None:
        return "not_reranked" if options.rerank and hit.rerank is None else "top_k"
    if nothing_relevant(result.hits, options.min_cosine):
        return "min_cosine"
    if prompt is None:
        return "no_engine"
    if prompt.request.style == "quoted":
        return "min_confidence" if prompt.is_too_far else "not_quoted"
    return "context"


def _sentence(reason: Reason, place: _Place, result: RetrievalResult, prompt: ExplainedPrompt | None) -> str:
    options, confidence = result.options, (prompt and prompt.prepared.confidence) or 0.0
    sentences: dict[Reason, str] = {
        "in_prompt": f"in the prompt as source {prompt and prompt.shown_number(place.source)}",
        "duplicate": f"left out: duplicate of {place.duplicate_of}",
        "not_reranked": f"left out: not reranked, because it is not among the best {options.rerank_top_n}",
        "top_k": f"left out: not among the best {options.top_k} (top_k)",
        "min_cosine": f"left out: no hit has a cosine of at least {options.min_cosine:g} (min_cosine)",
        "min_confidence": f"left out: the best quote has a confidence of {confidence:.3f}, below min_confidence",
        "not_quoted": f"left out: no part of hit {place.hit} is among the best quotes",
        "context": f"left out: hit {place.hit} does not fit into the language model's context",
        "no_engine": f"hit {place.hit}; the language model is not ready, so its prompt is not known",
    }
    return sentences[reason]
