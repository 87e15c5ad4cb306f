"""Prepares an answer: searches the vector stores, merges their results and builds the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rag.cache_key import answer_key
from rag.retrieve.options import OptionChanges
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.query import Filters
from rag.retrieve.ranking.merging import merge_results
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Message, PreparedPrompt, Prompt


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
    """The client's instructions."""


class AnswerPreparer:
    """Retrieves and builds the prompt.

    Args:
        semantic: Whether questions that mean the same share an answer.
    """

    def __init__(self, pipeline: RetrievalPipeline, prompts: PromptBuilder, *, semantic: bool = False) -> None:
        self._pipeline = pipeline
        self._prompts = prompts
        self._semantic = semantic

    async def prepare(self, request: PreparationRequest) -> PreparedPrompt:
        """Raises what the pipeline raises, and ContextLengthExceeded."""
        result = await self._retrieve(request)
        prompt = await asyncio.to_thread(self._prompt, request, result)
        key = self._answer_key(request, result, prompt)
        return PreparedPrompt(prompt, result.timings_ms, result.plan.note, key, result.plan.queries)

    async def _retrieve(self, request: PreparationRequest) -> RetrievalResult:
        results = await asyncio.gather(
            *(
                self._pipeline.retrieve(
                    RetrievalRequest(request.question, store, request.changes, request.filters, request.history)
                )
                for store in request.vector_stores
            )
        )
        result = merge_results(results, request.changes.get("top_k"))
        if not request.score_threshold:
            return result
        hits = tuple(hit for hit in result.hits if hit.score >= request.score_threshold)
        return replace(result, hits=hits, key="")

    def _prompt(self, request: PreparationRequest, result: RetrievalResult) -> Prompt:
        return build_prompt(
            self._prompts,
            PromptInput(request.question, result.hits, request.history, request.system),
            result.options.min_cosine,
            context_tokens=request.context_tokens,
            max_tokens=request.max_tokens,
        )

    def _answer_key(self, request: PreparationRequest, result: RetrievalResult, prompt: Prompt) -> str:
        if not (self._semantic and result.key):
            return ""
        return answer_key(result.key, prompt.sources, request.history, self._prompts.version, request.system)


def build_prompt(
    prompts: PromptBuilder, parts: PromptInput, min_cosine: float, *, context_tokens: int, max_tokens: int
) -> Prompt:
    """The prompt, without sources if no hit is relevant. Raises ContextLengthExceeded."""
    if nothing_relevant(parts.hits, min_cosine):
        parts = replace(parts, hits=())
    return prompts.make(parts, context_tokens=context_tokens, max_tokens=max_tokens)
