"""The public edge: each method answers one native API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.errors import DeadlineExceeded
from rag.generate.answer import AnswerEvent, Done, SourcesFound, answer, prepare_answer
from rag.http.dependencies import Dependencies
from rag.http.event_stream import Event, EventStream
from rag.http.forward import Forward
from rag.http.hits import sources_to_wire
from rag.http.ingest_form import IngestRequest
from rag.http.remote import RemoteGenerator, RemotePreparer
from rag.http.request_id import current_request_id
from rag.http.text_stream import collected, text_events
from rag.http.wire import AskRequest, GenerateRequest, RetrieveRequest
from rag.ports import Pieces
from rag.types import JsonObject, Prompt, TextPiece, Usage


class RagApi:
    """Answers by asking the Retriever and the LLM.

    Args:
        dependencies: Clients named `Retriever` and `LLM`.
        sampling: vLLM's parameters of an answer unless the request says otherwise; `max_tokens` among them.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        *,
        sampling: Mapping[str, Any],
        retrieve_timeout_s: float,
        answer_timeout_s: float,
        keep_alive_s: float,
    ) -> None:
        self.dependencies = dependencies
        self._retriever = dependencies.clients["Retriever"]
        self.forward = Forward(self._retriever, dependencies.require)
        """What the Retriever answers under the same path: `/ingest` and all of `/v1`."""
        self._preparer = RemotePreparer(self._retriever, retrieve_timeout_s)
        self._generator = RemoteGenerator(dependencies.clients["LLM"])
        self._defaults = dict(sampling)
        self._retrieve_timeout_s = retrieve_timeout_s
        self._stream_options: Any = {"keep_alive_s": keep_alive_s, "timeout_s": answer_timeout_s}

    async def ask(self, request: AskRequest) -> Response:
        sampling = self._defaults | request.sampling()
        prepared = await prepare_answer(lambda: self._prepare(request, sampling["max_tokens"]))
        if not prepared.prompt.sources:
            return EventStream(_wire_events(answer(prepared, None)), **self._stream_options)
        pieces = await self._generator.generate(prepared.prompt.token_ids, sampling, current_request_id.get())
        return EventStream(_wire_events(answer(prepared, pieces)), close=pieces.aclose, **self._stream_options)

    async def retrieve(self, request: RetrieveRequest) -> Response:
        request.checked_query()
        self.dependencies.require("Retriever")
        body = request.model_dump(exclude_none=True)
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

    async def _prepare(self, request: AskRequest, max_tokens: int) -> tuple[Prompt, Mapping[str, float]]:
        question = request.checked_question()
        self.dependencies.require("Retriever")
        context_tokens = self.dependencies.require("LLM")["context_tokens"]
        names = ("vector_store", "top_k", "filters")
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
        case Done(finish_reason, citations, timings_ms):
            marks = [asdict(citation) for citation in citations]
            return "done", {"finish_reason": finish_reason, "citations": marks, "timings_ms": dict(timings_ms)}
