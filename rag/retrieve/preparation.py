"""Prepares an answer: searches the vector stores, merges their results and builds the prompt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from rag.cache_key import answer_key
from rag.errors import ContextLengthExceeded
from rag.retrieve.options import OptionChanges
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.query import Filters
from rag.retrieve.quoting.quoter import Quoter, QuoteResult
from rag.retrieve.ranking.merging import merge_results
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.telemetry import retrieval as metrics
from rag.types import AnswerStyle, Message, PreparedPrompt, Prompt, QuoteChoice


@dataclass(frozen=True, slots=True)
class PreparationRequest:
    question: str
    vector_stores: Sequence[str]
    """At least one."""
    context_tokens: int
    """Context length of the language model."""
    max_tokens: int
    """Tokens reserved for the answer."""
    changes: OptionChanges = field(default_factory=dict)
    """Options that the request sets."""
    filters: Filters | None = None
    history: tuple[Message, ...] = ()
    score_threshold: float = 0.0
    """Hits with a lower score are left out."""
    system: str = ""
    """The client's instructions. A quoted answer cannot follow them."""
    style: AnswerStyle = "written"
    quotes_chosen_by: QuoteChoice = "ranking"


class AnswerPreparer:
    """Retrieves and builds the prompt.

    Args:
        quoter: Chooses what a quoted answer may quote.
        semantic: Whether questions that mean the same share an answer.
    """

    def __init__(
        self, pipeline: RetrievalPipeline, prompts: PromptBuilder, quoter: Quoter, *, semantic: bool = False
    ) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._quoter = quoter
        self._semantic = semantic

    async def prepare(self, request: PreparationRequest) -> PreparedPrompt:
        """Raises what the pipeline raises, and ContextLengthExceeded."""
        results = await self._retrieve(request)
        result = _merged(results, request)
        if request.style == "quoted":
            return await self._prepare_quoted(request, results, result)
        started = time.perf_counter()
        prompt = await asyncio.to_thread(self._prompt, request, result)
        metrics.observe_stages({"prompt": _ms_since(started)})
        key = self._answer_key(request, result, prompt)
        return PreparedPrompt(prompt, result.timings_ms, result.plan.note, key, result.plan.queries)

    async def _retrieve(self, request: PreparationRequest) -> Sequence[RetrievalResult]:
        """One result for each vector store."""
        return await asyncio.gather(
            *(
                self._pipeline.retrieve(
                    RetrievalRequest(request.question, store, request.changes, request.filters, request.history)
                )
                for store in request.vector_stores
            )
        )

    async def _prepare_quoted(
        self, request: PreparationRequest, results: Sequence[RetrievalResult], result: RetrievalResult
    ) -> PreparedPrompt:
        started = time.perf_counter()
        found = await self._quotation(request, results, result)
        quote_ms = _ms_since(started)
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
        around = await asyncio.gather(*(self._quoter.neighbours(each) for each in results))
        neighbours = dict(chain.from_iterable(of_store.items() for of_store in around))
        question = result.plan.in_conversation or result.plan.queries[0]
        return await self._quoter.quote(question, result.hits, neighbours, request.quotes_chosen_by)

    def _prompt(self, request: PreparationRequest, result: RetrievalResult) -> Prompt:
        prompt = build_prompt(
            self._prompts,
            PromptInput(request.question, result.hits, request.history, request.system),
            result.options.min_cosine,
            context_tokens=request.context_tokens,
            max_tokens=request.max_tokens,
        )
        if not prompt.sources and not nothing_relevant(result.hits, result.options.min_cosine):
            raise ContextLengthExceeded(  # an answer without sources would say that nothing was found
                f"max_tokens: {request.max_tokens} tokens are reserved for the answer, so not even the best passage "
                f"fits into the model's context of {request.context_tokens}; lower max_tokens, or shorten the "
                "instructions",
                param="max_tokens",
            )
        return prompt

    def _answer_key(self, request: PreparationRequest, result: RetrievalResult, prompt: Prompt) -> str:
        if not (self._semantic and result.key):
            return ""
        return answer_key(result.key, prompt.sources, request.history, self._prompts.version, request.system)


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def _merged(results: Sequence[RetrievalResult], request: PreparationRequest) -> RetrievalResult:
    result = merge_results(results, request.changes.get("top_k"))
    if not request.score_threshold:
        return result
    hits = tuple(hit for hit in result.hits if hit.score >= request.score_threshold)
    return replace(result, hits=hits, key="")


def build_prompt(
    prompts: PromptBuilder, parts: PromptInput, min_cosine: float, *, context_tokens: int, max_tokens: int
) -> Prompt:
    """The prompt, without sources if no hit is relevant. Raises ContextLengthExceeded."""
    if nothing_relevant(parts.hits, min_cosine):
        parts = replace(parts, hits=())
    return prompts.make(parts, context_tokens=context_tokens, max_tokens=max_tokens)
