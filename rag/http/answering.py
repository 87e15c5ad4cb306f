"""Questions answered from documents: what `/ask`, chat completions and responses share."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rag.generate.answer_cache import CachingGenerator
from rag.generate.citations import Citing
from rag.generate.pipeline import AnswerEvent, AnswerOptions, PreparedAnswer, answer
from rag.generate.verify import Verifier
from rag.http.clients.remote import RemoteGenerator, RemotePreparer
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.middleware.request_id import current_request_id
from rag.ports import TokenStream


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question, checked. What is None is as the settings say."""

    question: str
    search: Mapping[str, Any] = field(default_factory=dict)
    """`vector_store`, `history`, `top_k`, `filters`, `retrieval`, `system`: as `PrepareRequest` takes them."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """vLLM's parameters by their own names, only those that the request sets."""
    model: str = ""
    """Name of an adapter; empty: the language model as it is."""
    citations: Citing | None = None
    """What is done with the marks in the answer; those of texts with a prescribed form are never looked for."""


class StartedAnswer:
    """One answer that is being written. To be closed, also when not one event was taken."""

    def __init__(self, prepared: PreparedAnswer, pieces: TokenStream | None, manner: AnswerOptions) -> None:
        self.events: AsyncGenerator[AnswerEvent, None] = answer(prepared, pieces, manner)
        self.queries = prepared.queries
        """What was searched for."""
        self._pieces = pieces

    async def aclose(self) -> None:
        """Stops the engine's work on it."""
        await self.events.aclose()
        if self._pieces is not None:
            await self._pieces.aclose()


class AnswerService:
    """Args:
    dependencies: Clients named `Retriever` and `LLM`.
    sampling: vLLM's parameters of an answer unless the request says otherwise; `max_tokens` among them.
    citations: What is done with the marks in an answer, unless the request says otherwise.
    verifier: Of cited sentences.
    answers: What was written before; None: each answer is written anew.
    """

    def __init__(
        self,
        dependencies: UpstreamServices,
        preparer: RemotePreparer,
        generator: RemoteGenerator,
        *,
        sampling: Mapping[str, Any],
        citations: Citing,
        verifier: Verifier,
        answers: CachingGenerator | None = None,
    ) -> None:
        self._dependencies = dependencies
        self._preparer = preparer
        self._generator = generator
        self._defaults = dict(sampling)
        self._citations = citations
        self._verifier = verifier
        self._answers = answers

    @property
    def max_tokens(self) -> int:
        return int(self._defaults["max_tokens"])

    async def begin(self, asked: AnswerRequest) -> StartedAnswer:
        """The answer, once its prompt is made and the language model has accepted it.

        Raises all that can be refused with a status.
        """
        started = time.perf_counter()
        sampling = self._defaults | dict(asked.sampling)
        prepared = replace(await self._prepare(asked, sampling["max_tokens"]), started=started)
        manner = self._manner(asked, sampling)
        if not prepared.prompt.sources:
            return StartedAnswer(prepared, None, manner)
        return StartedAnswer(prepared, await self._pieces(prepared, sampling, asked.model), manner)

    def _manner(self, asked: AnswerRequest, sampling: Mapping[str, Any]) -> AnswerOptions:
        citing, has_form = asked.citations or self._citations, bool(sampling.get("structured_outputs"))
        checks = citing != "off" and not has_form
        verifier = self._verifier if checks and citing == "verify" else None
        return AnswerOptions(sampling.get("n", 1), checks_marks=checks, verifier=verifier)

    async def _prepare(self, asked: AnswerRequest, max_tokens: int) -> PreparedAnswer:
        self._dependencies.require("Retriever")
        context_tokens = self._dependencies.require("LLM")["context_tokens"]
        told = {"question": asked.question, "max_tokens": max_tokens, "context_tokens": context_tokens}
        return await self._preparer.prepare({**asked.search, **told})

    async def _pieces(self, prepared: PreparedAnswer, sampling: Mapping[str, Any], model: str) -> TokenStream:
        prompt, request_id = prepared.prompt.for_model(), current_request_id.get()
        if self._answers is None:
            return await self._generator.generate(prompt, sampling, request_id, model=model)
        return await self._answers.generate(prompt, sampling, request_id, model=model, key=prepared.key or None)
