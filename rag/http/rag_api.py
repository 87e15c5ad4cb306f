"""The public edge: each method answers one native API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict, replace
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.errors import DeadlineExceeded
from rag.generate.answer import AnswerEvent, Done, Prepared, SourcesFound, answer
from rag.generate.kept_answers import KeptAnswers
from rag.http.dependencies import Dependencies
from rag.http.event_stream import Event, EventStream
from rag.http.forward import Forward
from rag.http.hits import sources_to_wire
from rag.http.ingest_form import IngestRequest
from rag.http.remote import RemoteGenerator, RemotePreparer
from rag.http.request_id import current_request_id
from rag.http.text_stream import collected, text_events
from rag.http.wire import AskRequest, GenerateRequest, RetrieveRequest
from rag.ports import Cache, Pieces
from rag.types import JsonObject, TextPiece, Usage


class RagApi:
    """Answers by asking the Retriever and the LLM.

    Args:
        dependencies: Clients named `Retriever` and `LLM`.
        sampling: vLLM's parameters of an answer unless the request says otherwise; `max_tokens` among them.
        cache: Of answers; None: none is kept.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        *,
        sampling: Mapping[str, Any],
        retrieve_timeout_s: float,
        answer_timeout_s: float,
        keep_alive_s: float,
        cache: Cache | None = None,
        ttl_s: float = 3600.0,
    ) -> None:
        self.dependencies = dependencies
        self._cache = cache
        self._retriever = dependencies.clients["Retriever"]
        self.forward = Forward(self._retriever, dependencies.require)
        """What the Retriever answers under the same path: `/ingest` and all of `/v1`."""
        self._preparer = RemotePreparer(self._retriever, retrieve_timeout_s)
        self._generator = RemoteGenerator(dependencies.clients["LLM"])
        self._answers = None if cache is None else KeptAnswers(self._generator, cache, self._model, ttl_s=ttl_s)
        self._defaults = dict(sampling)
        self._retrieve_timeout_s = retrieve_timeout_s
        self._stream_options: Any = {"keep_alive_s": keep_alive_s, "timeout_s": answer_timeout_s}

    async def start(self) -> None:
        self.dependencies.start()
        if self._cache is not None:
            await self._cache.connect()

    async def close(self) -> None:
        await self.dependencies.close()
        if self._cache is not None:
            await self._cache.close()

    async def ready(self) -> Mapping[str, Any]:
        """Facts by service; raises what the first has that is not ready."""
        cache = {} if self._cache is None else {"cache": dict(self._cache.facts())}
        return {**await self.dependencies.ready(), **cache}

    def _model(self) -> str:
        return str((self.dependencies.facts("LLM") or {}).get("model", ""))

    async def ask(self, request: AskRequest) -> Response:
        started = time.perf_counter()
        sampling = self._defaults | request.sampling()
        prepared = replace(await self._prepare(request, sampling["max_tokens"]), started=started)
        if not prepared.prompt.sources:
            return EventStream(_wire_events(answer(prepared, None)), **self._stream_options)
        pieces = await self._pieces(prepared, sampling)
        return EventStream(_wire_events(answer(prepared, pieces)), close=pieces.aclose, **self._stream_options)

    async def _pieces(self, prepared: Prepared, sampling: Mapping[str, Any]) -> Pieces:
        token_ids, request_id = prepared.prompt.token_ids, current_request_id.get()
        if self._answers is None:
            return await self._generator.generate(token_ids, sampling, request_id)
        return await self._answers.generate(token_ids, sampling, request_id, key=prepared.key or None)

    async def retrieve(self, request: RetrieveRequest) -> Response:
        request.checked_query()
        self.dependencies.require("Retriever")
        body = request.model_dump(exclude_none=True)
        if request.explain and (engine := self.dependencies.facts("LLM")):
            body |= {"context_tokens": engine["context_tokens"], "max_tokens": self._defaults["max_tokens"]}
        return JSONResponse(await self._retriever.call("/retrieve", body, timeout_s=self._retrieve_timeout_s))

    async def generate(self, request: GenerateRequest) -> Response:
        prompt, sampling = request.checked_prompt(), request.sampling()
        self.dependencies.require("LLM")
        pieces = await self._generator.generate(prompt, sampling, current_request_id.get())
        if not request.stream:
            return JSONResponse(await self._whole(pieces))
        return EventStream(text_events(pieces), close=pieces.aclose, **self._stream_options)

    async def ingest(self, request: IngestRequest) -> Response:
        return await self.forward.respond(request.http)

    async def _whole(self, pieces: Pieces) -> JsonObject:
        timeout_s = self._stream_options["timeout_s"]
        try:
            return await asyncio.wait_for(collected(pieces), timeout_s)
        except TimeoutError:
            raise DeadlineExceeded(f"the text was not complete within {timeout_s:g} s") from None

    async def _prepare(self, request: AskRequest, max_tokens: int) -> Prepared:
        question = request.checked_question()
        self.dependencies.require("Retriever")
        context_tokens = self.dependencies.require("LLM")["context_tokens"]
        names = ("vector_store", "top_k", "filters", "retrieval")
        body: dict[str, Any] = request.model_dump(include={"history", *names}, exclude_none=True)
        body |= {"question": question, "max_tokens": max_tokens, "context_tokens": context_tokens}
        return await self._preparer.prepare(body)


async def _wire_events(events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[Event, None]:
    async for event in events:
        yield _to_wire(event)


def _to_wire(event: AnswerEvent) -> Event:
    match event:
        case SourcesFound(hits):
            return "sources", {"sources": sources_to_wire(hits)}
        case TextPiece(text):
            return "token", {"text": text}
        case Usage():
            return "usage", asdict(event)
        case Done(finish_reason, citations, timings_ms, note):
            marks = [asdict(citation) for citation in citations]
            done = {"finish_reason": finish_reason, "citations": marks, "timings_ms": dict(timings_ms)}
            return "done", {**done, "note": note} if note else done
