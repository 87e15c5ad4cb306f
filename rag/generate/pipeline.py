"""The answer pipeline, from top to bottom: question -> prompt -> tokens -> cited and verified answer."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from rag.generate.answer_cache import CachingGenerator
from rag.generate.citations import CitationMode
from rag.generate.events import AnswerEvent, AnswerStream, CompletedText, Done, SourcesFound
from rag.generate.quoting import (
    StyleOption,
    prompt_fields,
    quote_citations,
    quoting_parameters,
    refusing_style,
    resolve_style,
)
from rag.generate.text_assembler import TextAssembler
from rag.generate.verify import Verifier
from rag.llm.template_values import EFFORT
from rag.ports import Generator, PromptPreparer, ServiceFacts, TokenStream
from rag.telemetry import answers as metrics
from rag.telemetry.stopwatch import ms_since
from rag.types import (
    AnswerStyle,
    Facts,
    JsonMapping,
    JsonObject,
    PreparedPrompt,
    ReasoningDelta,
    SamplingParameters,
    StreamEnd,
    TextDelta,
    Usage,
)

NOT_FOUND = "I found nothing about this in the documents."
_REPETITION = "repetition_detection"
NO_SOURCES = "no_sources"
"""Finish reason of the answer `NOT_FOUND`."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A validated question. The service's settings apply to fields that are left out."""

    question: str
    search: JsonMapping = field(default_factory=dict)
    """Fields of `PrepareRequest`: `vector_store`, `history`, `top_k`, `filters`, `retrieval`, `system`, ..."""
    sampling: SamplingParameters = field(default_factory=dict)
    """vLLM's sampling parameters by their own names."""
    model: str = ""
    """Name of a LoRA adapter; empty for the language model itself."""
    citations: CitationMode | None = None
    """Ignored in a quoted answer, whose citations are exact, and if `sampling` constrains the text to a structure,
    because such a text is never changed."""
    style: StyleOption | None = None
    template_values: JsonMapping = field(default_factory=dict)
    """Additional variables of the language model's chat template."""


@dataclass(frozen=True, slots=True)
class _AnswerForm:
    """The form that one answer takes: its style, its citations and whether a grammar prescribes it."""

    style: AnswerStyle
    citations: CitationMode
    is_structured: bool = False
    """Whether a grammar prescribes the text, so that it must not be changed."""


class AnswerPipeline:
    """Answers questions from documents.

    Args:
        services: Whether the services `Retriever` and `LLM` are ready.
        sampling: Default sampling parameters, by vLLM's names; `max_tokens` is among them.
        citations: Default citation mode.
        style: Default style.
        cache: Answers from the cache if possible; None disables the cache.
    """

    def __init__(
        self,
        services: ServiceFacts,
        preparer: PromptPreparer,
        generator: Generator,
        *,
        sampling: SamplingParameters,
        citations: CitationMode,
        verifier: Verifier,
        style: StyleOption = "written",
        cache: CachingGenerator | None = None,
    ) -> None:
        self._services = services
        self._preparer = preparer
        self._generator = generator
        self._sampling = dict(sampling)
        self._citations = citations
        self._verifier = verifier
        self._style = style
        self._cache = cache

    @property
    def sampling(self) -> SamplingParameters:
        """The default sampling parameters."""
        return self._sampling

    @property
    def max_tokens(self) -> int:
        """Length limit of an answer if the request sets none."""
        return int(self._sampling["max_tokens"])

    @property
    def citations(self) -> CitationMode:
        """The default citation mode."""
        return self._citations

    @property
    def verifier(self) -> Verifier:
        return self._verifier

    def default_prompt_fields(self, style: StyleOption | None, facts: Facts) -> JsonObject:
        """Fields of `PrepareRequest` for an answer with this style and default options; see `prompt_fields`."""
        resolved = resolve_style(style or self._style, {}, "", facts)
        return prompt_fields(resolved, facts, self.max_tokens)

    @asynccontextmanager
    async def answer(self, request: AnswerRequest, request_id: str) -> AsyncIterator[AnswerStream]:
        """The events of one answer.

        Entering the context retrieves the sources, builds the prompt and returns once the language model has accepted
        it: it raises every error that can still be sent as an HTTP status. Leaving it stops the language model.
        """
        started = time.perf_counter()
        sampling = {**self._defaults(request), **request.sampling}
        style, prepared = await self._prepare(request, sampling["max_tokens"])
        if not prepared.prompt.sources:
            async with aclosing(_nothing_found(prepared, sampling.get("n", 1), style, started)) as events:
                yield events
            return
        if prepared.quotation is not None:
            sampling = quoting_parameters(sampling, prepared.quotation)
        async with (
            self._generate(prepared, sampling, request, request_id) as tokens,
            aclosing(self._events(prepared, tokens, self._form(request, sampling, style), started)) as events,
        ):
            yield events

    async def prepare(self, request: AnswerRequest) -> PreparedPrompt:
        """The prompt of an answer, without generating it. Raises as `answer` does."""
        _, prepared = await self._prepare(request, request.sampling.get("max_tokens", self.max_tokens))
        return prepared

    def _defaults(self, request: AnswerRequest) -> SamplingParameters:
        """The default sampling parameters. Structured output is not cut off for repetition, which would make it
        invalid.
        """
        structured = request.sampling.get("structured_outputs") is not None
        return {name: value for name, value in self._sampling.items() if not (structured and name == _REPETITION)}

    async def _prepare(self, request: AnswerRequest, max_tokens: int) -> tuple[AnswerStyle, PreparedPrompt]:
        self._services.require("Retriever")
        facts = self._services.require("LLM")
        effort = request.template_values.get(EFFORT)
        requested = request.sampling if effort in (None, "none") else {**request.sampling, EFFORT: effort}
        style = resolve_style(request.style or self._style, requested, request.model, facts)
        fields = prompt_fields(style, facts, max_tokens)
        if request.template_values:
            fields["template_values"] = dict(request.template_values)
        return style, await self._preparer.prepare({**request.search, "question": request.question, **fields})

    def _generate(
        self, prepared: PreparedPrompt, sampling: SamplingParameters, request: AnswerRequest, request_id: str
    ) -> AbstractAsyncContextManager[TokenStream]:
        # In a quoted answer the model only chooses among quotes: long reasoning would delay that, or use up
        # `max_tokens`.
        thinks, model = prepared.quotation is None, request.model
        prompt = prepared.prompt.for_model(request.template_values, thinks=thinks)
        if self._cache is None:
            generation = self._generator.generate(prompt, sampling, request_id, model=model)
        else:
            key = prepared.cache_key or None
            generation = self._cache.generate(prompt, sampling, request_id, model=model, key=key)
        return generation if prepared.quotation is None else refusing_style(generation)

    def _form(self, request: AnswerRequest, sampling: SamplingParameters, style: AnswerStyle) -> _AnswerForm:
        if sampling.get("structured_outputs"):
            return _AnswerForm(style, "off", is_structured=True)
        return _AnswerForm(style, request.citations or self._citations)

    async def _events(
        self, prepared: PreparedPrompt, tokens: TokenStream, form: _AnswerForm, started: float
    ) -> AsyncGenerator[AnswerEvent, None]:
        sources = prepared.prompt.sources
        yield SourcesFound(sources, prepared.queries, prepared.top_k)
        texts = TextAssembler(None if form.citations == "off" else sources, has_fence=not form.is_structured)
        first_delta_ms, end = 0.0, None
        try:
            async for delta in tokens:
                if isinstance(delta, StreamEnd):
                    end = delta
                    break
                if isinstance(delta, ReasoningDelta):
                    yield delta
                elif (sent := texts.add(delta)) is not None:
                    first_delta_ms = first_delta_ms or ms_since(started)
                    yield sent
        except Exception:  # send what the citation filter held back, then report the error
            for rest in texts.flush():
                yield rest
            raise
        if end is None:
            return  # without a `Done` event, the event stream reports an error
        for rest in texts.flush():
            yield rest
        yield end.usage
        timings = {**prepared.timings_ms, "cached_answer" if end.cached else "first_token": first_delta_ms}
        completed, note = _with_quotes(texts.completed(end), prepared), prepared.note
        if form.citations == "verify":
            verifying = time.perf_counter()
            completed, failure = await self._verifier.verify(completed, sources)
            timings["verify"] = ms_since(verifying)
            note = "; ".join(filter(None, (note, failure)))
        timings["total"] = ms_since(started)
        _count_answer(completed[0].text, timings)
        yield Done(completed, timings, note, form.style, prepared.confidence)


def _with_quotes(texts: tuple[CompletedText, ...], prepared: PreparedPrompt) -> tuple[CompletedText, ...]:
    """The texts with the citations of a quoted answer."""
    if prepared.quotation is None:
        return texts
    quotes, sources = prepared.quotation.quotes, prepared.prompt.sources
    return tuple(replace(text, citations=quote_citations(text.text, quotes, sources)) for text in texts)


async def _nothing_found(
    prepared: PreparedPrompt, texts: int, style: AnswerStyle, started: float
) -> AsyncGenerator[AnswerEvent, None]:
    """The answer if nothing was found. The language model is not called, because it would invent an answer."""
    yield SourcesFound((), prepared.queries, prepared.top_k)
    for index in range(texts):
        yield TextDelta(NOT_FOUND, index)
    yield Usage(0, 0)
    completed = (CompletedText(NOT_FOUND, NO_SOURCES),) * texts
    timings = {**prepared.timings_ms, "total": ms_since(started)}
    _count_answer(NOT_FOUND, timings)
    yield Done(completed, timings, prepared.note, style, prepared.confidence)


def _count_answer(text: str, timings_ms: Mapping[str, float]) -> None:
    metrics.ANSWERS.labels("refused" if text == NOT_FOUND else "answered").inc()
    metrics.DURATION.observe(timings_ms["total"] / 1000)
    if first_token_ms := timings_ms.get("first_token"):
        metrics.FIRST_TOKEN.observe(first_token_ms / 1000)
