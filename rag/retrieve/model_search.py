"""Searches that the language model requests while it generates an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest

from rag.ports import VectorStore
from rag.retrieve.neighbours import read_neighbours
from rag.retrieve.options import OptionOverrides
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.preparation import relevant_hits
from rag.retrieve.prompting.joining import join_hits, joinable_ids
from rag.retrieve.prompting.prompt_builder import PromptBuilder, with_distinct_texts
from rag.retrieve.query import Filters
from rag.retrieve.ranking.duplicates import chunk_with_context
from rag.retrieve.ranking.merging import merge_results
from rag.retrieve.result import RetrievalResult
from rag.types import Chunk, Hit, KnownPassage, Message, SearchOutput


@dataclass(frozen=True, slots=True)
class ModelSearchRequest:
    queries: Sequence[str]
    """At least one. The best passages of each are returned."""
    vector_stores: Sequence[str]
    """At least one."""
    max_tokens: int
    """Of the text for the language model."""
    overrides: OptionOverrides = field(default_factory=dict)
    """Options that the request sets."""
    filters: Filters | None = None
    score_threshold: float = 0.0
    """Hits with a lower score are left out."""
    known: Sequence[KnownPassage] = ()
    """The passages that earlier searches returned, in the order of their numbers."""
    explain: bool = False
    history: tuple[Message, ...] = ()
    """The conversation that a question of the user belongs to; the language model's own queries stand alone."""


class ModelSearch:
    """Runs searches of the language model, and renders the passages as text for it.

    Args:
        store: Holds the chunks around the hits.
    """

    def __init__(self, pipeline: RetrievalPipeline, prompts: PromptBuilder, store: VectorStore) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._store = store

    async def search(self, request: ModelSearchRequest) -> tuple[SearchOutput, Sequence[RetrievalResult]]:
        """The output for the language model, and the result of each query in each vector store.

        Raises what the pipeline raises.
        """
        by_query = await asyncio.gather(*(self._results(query, request) for query in request.queries))
        merged = [_merged(results, request) for results in by_query]
        results = list(chain.from_iterable(by_query))
        top_k = request.overrides.get("top_k") or max(result.options.top_k for result in merged)
        hits = with_distinct_texts(_interleaved([relevant_hits(result) for result in merged]))[:top_k]
        numbers = _known_numbers(hits, request.known)
        new = [hit for hit in hits if hit.chunk.chunk_id not in numbers]
        joined = await self._joined(new, results, request.max_tokens)
        output = await asyncio.to_thread(self._output, hits, joined, numbers, request)
        notes = "; ".join(dict.fromkeys(result.plan.note for result in merged if result.plan.note))
        return replace(output, top_k=top_k, note=notes), results

    def cut(self, text: str, max_tokens: int) -> tuple[str, int]:
        """See `PromptBuilder.cut`."""
        return self._prompts.cut(text, max_tokens)

    def _output(
        self, hits: Sequence[Hit], joined: Sequence[Hit], numbers: dict[str, int], request: ModelSearchRequest
    ) -> SearchOutput:
        again = sorted(set(numbers.values()))
        first = len(request.known) + 1
        own = list(range(first, first + len(joined)))
        made = self._prompts.make_search_output(joined, own, again, request.max_tokens)
        found = {hit.chunk.chunk_id: hit for hit in joined[: made.passages]}
        numbers = {**numbers, **dict(zip(found, own, strict=False))}
        shown = [found.get(hit.chunk.chunk_id, hit) for hit in hits if hit.chunk.chunk_id in numbers]
        shown_numbers = tuple(numbers[hit.chunk.chunk_id] for hit in shown)
        return SearchOutput(made.text, made.tokens, tuple(shown), shown_numbers, 0)

    async def _results(self, query: str, request: ModelSearchRequest) -> Sequence[RetrievalResult]:
        """One result for each vector store."""
        return await asyncio.gather(
            *(
                self._pipeline.retrieve(
                    RetrievalRequest(
                        query, store, request.overrides, request.filters, request.history, explain=request.explain
                    )
                )
                for store in request.vector_stores
            )
        )

    async def _joined(self, hits: Sequence[Hit], results: Sequence[RetrievalResult], max_tokens: int) -> Sequence[Hit]:
        """The hits, joined with the rest of their tables, lists and records as in the prompt of an answer."""
        room = min(self._prompts.table_tokens, max_tokens // 2)
        if not hits or not room:
            return hits
        ids = {hit.chunk.chunk_id for hit in hits}
        neighbours: dict[str, Chunk] = {}
        for result in results:
            own = [hit for hit in result.hits if hit.chunk.chunk_id in ids]
            neighbours |= await read_neighbours(self._store, result.snapshot, joinable_ids(own))
        larger = {name: chunk_with_context(chunk) for name, chunk in neighbours.items()}
        joined = await asyncio.to_thread(join_hits, hits, larger, room, self._prompts.count)
        return joined.hits


def _known_numbers(hits: Sequence[Hit], known: Sequence[KnownPassage]) -> dict[str, int]:
    """The numbers of the hits that earlier searches returned, by chunk id."""
    numbers = {}
    for hit in hits:
        number = next((number for number, passage in enumerate(known, start=1) if passage.holds(hit)), None)
        if number is not None:
            numbers[hit.chunk.chunk_id] = number
    return numbers


def _merged(results: Sequence[RetrievalResult], request: ModelSearchRequest) -> RetrievalResult:
    result = merge_results(results, request.overrides.get("top_k"))
    hits = tuple(hit for hit in result.hits if hit.score >= request.score_threshold)
    return replace(result, hits=hits)


def _interleaved(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The best hit of each query, then the second of each, and so on: scores of different queries are not
    comparable.
    """
    ordered: dict[str, Hit] = {}
    for hit in chain.from_iterable(zip_longest(*lists)):
        if hit is not None:
            ordered.setdefault(hit.chunk.chunk_id, hit)
    return list(ordered.values())
