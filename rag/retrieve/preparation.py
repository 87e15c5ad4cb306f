"""Prepares answers: searches the vector stores, merges their results and builds the prompt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from rag.cache_key import answer_key
from rag.errors import ContextLengthExceeded
from rag.ports import VectorStore
from rag.retrieve.neighbours import read_neighbours
from rag.retrieve.options import OptionOverrides
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.prompting.joining import joinable_ids
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.query import Filters
from rag.retrieve.quoting.quoter import Quoter, QuoteResult
from rag.retrieve.quoting.window import neighbour_ids
from rag.retrieve.ranking.duplicates import chunk_with_context
from rag.retrieve.ranking.merging import merge_results
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.telemetry import retrieval as metrics
from rag.telemetry.stopwatch import ms_since
from rag.types import AnswerStyle, Chunk, Hit, JsonMapping, Message, PreparedPrompt, Prompt, QuoteChoice


@dataclass(frozen=True, slots=True)
class PreparationRequest:
    question: str
    vector_stores: Sequence[str]
    """At least one."""
    context_tokens: int
    """Context length of the language model."""
    max_tokens: int
    """Tokens reserved for the answer."""
    overrides: OptionOverrides = field(default_factory=dict)
    """Options that the request sets."""
    filters: Filters | None = None
    history: tuple[Message, ...] = ()
    score_threshold: float = 0.0
    """Hits with a lower score are left out."""
    system: str = ""
    """The client's instructions. A quoted answer cannot follow them."""
    style: AnswerStyle = "written"
    quotes_chosen_by: QuoteChoice = "ranking"
    template_values: JsonMapping = field(default_factory=dict)
    """Additional variables of the chat template. In a quoted answer, the model does not think."""


class AnswerPreparer:
    """Retrieves passages for a question and builds the prompt of its answer.

    Args:
        quoter: Chooses what a quoted answer may quote.
        store: Holds the chunks around the hits.
        semantic: Whether questions that mean the same share an answer.
    """

    def __init__(
        self,
        pipeline: RetrievalPipeline,
        prompts: PromptBuilder,
        quoter: Quoter,
        store: VectorStore,
        *,
        semantic: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._quoter = quoter
        self._store = store
        self._semantic = semantic

    async def prepare(self, request: PreparationRequest) -> PreparedPrompt:
        """Raises what the pipeline raises, and ContextLengthExceeded."""
        results = await self._retrieve(request)
        result = _merged(results, request)
        if request.style == "quoted":
            return await self._prepare_quoted(request, results, result)
        started = time.perf_counter()
        prompt = await self._written_prompt(request, results, result)
        _check_sources(request, result, prompt)
        metrics.observe_stages({"prompt": ms_since(started)})
        key = self._answer_key(request, result, prompt)
        queries, top_k = result.plan.queries, result.options.top_k
        return PreparedPrompt(prompt, result.timings_ms, result.plan.note, key, queries, top_k=top_k)

    async def explain(self, request: PreparationRequest, result: RetrievalResult) -> PreparedPrompt:
        """The prompt that `prepare` would build from one store's result. If no passage fits, it has no sources."""
        if request.style == "quoted":
            return await self._prepare_quoted(request, [result], result)
        return PreparedPrompt(await self._written_prompt(request, [result], result), {}, result.plan.note)

    async def _retrieve(self, request: PreparationRequest) -> Sequence[RetrievalResult]:
        """One result for each vector store."""
        return await asyncio.gather(
            *(
                self._pipeline.retrieve(
                    RetrievalRequest(request.question, store, request.overrides, request.filters, request.history)
                )
                for store in request.vector_stores
            )
        )

    async def _prepare_quoted(
        self, request: PreparationRequest, results: Sequence[RetrievalResult], result: RetrievalResult
    ) -> PreparedPrompt:
        started = time.perf_counter()
        found = await self._quotation(request, results, result)
        quote_ms = ms_since(started)
        metrics.observe_stages({"quote": quote_ms})
        timings_ms = {**result.timings_ms, "quote": quote_ms}
        note = "; ".join(filter(None, (result.plan.note, found.note)))
        prepared = PreparedPrompt(
            Prompt((), ()),
            timings_ms,
            note,
            queries=result.plan.queries,
            quotation=found.quotation,
            confidence=found.confidence,
            top_k=result.options.top_k,
        )
        if found.quotation is None:
            return prepared
        prompt = await asyncio.to_thread(
            self._prompts.make_quoting,
            request.question,
            found.quotation.quotes,
            result.hits,
            context_tokens=request.context_tokens,
            max_tokens=request.max_tokens,
        )
        return replace(prepared, prompt=prompt)

    async def _quotation(
        self, request: PreparationRequest, results: Sequence[RetrievalResult], result: RetrievalResult
    ) -> QuoteResult:
        if nothing_relevant(result.hits, result.options.min_cosine):
            return QuoteResult()
        neighbours = await self._neighbours(results, neighbour_ids)
        question = result.plan.in_conversation or result.plan.queries[0]
        return await self._quoter.quote(question, result.hits, neighbours, request.quotes_chosen_by)

    async def _written_prompt(
        self, request: PreparationRequest, results: Sequence[RetrievalResult], result: RetrievalResult
    ) -> Prompt:
        parts = PromptInput(
            request.question,
            relevant_hits(result),
            request.history,
            request.system,
            template_values=request.template_values,
        )
        if parts.hits and self._prompts.table_tokens:
            chosen = {hit.chunk.chunk_id for hit in parts.hits}
            neighbours = await self._neighbours(
                results, lambda hits: joinable_ids([hit for hit in hits if hit.chunk.chunk_id in chosen])
            )
            parts = replace(parts, neighbours={name: chunk_with_context(each) for name, each in neighbours.items()})
        return await asyncio.to_thread(
            self._prompts.make, parts, context_tokens=request.context_tokens, max_tokens=request.max_tokens
        )

    async def _neighbours(
        self, results: Sequence[RetrievalResult], ids_of: Callable[[Sequence[Hit]], Sequence[str]]
    ) -> Mapping[str, Chunk]:
        """Chunks around the hits, by id, read with one query for each vector store."""
        found = await asyncio.gather(
            *(read_neighbours(self._store, each.snapshot, ids_of(each.hits)) for each in results)
        )
        return dict(chain.from_iterable(of_store.items() for of_store in found))

    def _answer_key(self, request: PreparationRequest, result: RetrievalResult, prompt: Prompt) -> str:
        if not (self._semantic and result.key):
            return ""
        return answer_key(result.key, prompt.sources, request.history, self._prompts.version, request.system)


def _check_sources(request: PreparationRequest, result: RetrievalResult, prompt: Prompt) -> None:
    """Raise if no passage fits: the answer would wrongly say that nothing was found."""
    if relevant_hits(result) and not prompt.sources:
        raise ContextLengthExceeded(
            f"max_tokens: {request.max_tokens} tokens are reserved for the answer, so not even the best passage "
            f"fits into the model's context of {request.context_tokens}; lower max_tokens, or shorten the "
            "instructions",
            param="max_tokens",
        )


def _merged(results: Sequence[RetrievalResult], request: PreparationRequest) -> RetrievalResult:
    result = merge_results(results, request.overrides.get("top_k"))
    if not request.score_threshold:
        return result
    hits = tuple(hit for hit in result.hits if hit.score >= request.score_threshold)
    return replace(result, hits=hits, key="")


def relevant_hits(result: RetrievalResult) -> Sequence[Hit]:
    """The hits; none if no hit is relevant."""
    return () if nothing_relevant(result.hits, result.options.min_cosine) else result.hits
