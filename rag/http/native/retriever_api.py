"""What the Retriever service answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.cache_key import answer_key
from rag.http.background_loader import BackgroundLoader
from rag.http.filters_wire import filter_to_json
from rag.http.hits import hit_to_wire, sources_to_wire
from rag.http.native.explanation import explanation
from rag.http.native.ingest_form import IngestRequest, received_ingest
from rag.http.native.verify_wire import VerifyRequest
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.v1.documents.job_waiter import JobWaiter
from rag.http.v1.documents.objects.job import batch_status
from rag.http.v1.documents.parts import StoreSearch, V1Parts
from rag.http.v1.documents_app import documents_app
from rag.http.wire import ExplainRequest, PrepareRequest, messages_of
from rag.library.service import Library
from rag.ports import Cache, Embedder, Reranker, VectorStore
from rag.records import Cursor, DocumentRecord, JobRecord
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.ranking.merging import merged
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.retrieve.support import support
from rag.types import JsonObject, Prompt


@dataclass(frozen=True, slots=True)
class RetrieverParts:
    """What the Retriever works with, once all of it is loaded."""

    store: VectorStore
    finder: RetrievalPipeline
    library: Library
    prompts: PromptBuilder
    embedder: Embedder
    """The configured one."""
    reranker: Reranker
    """Likewise."""
    check: Callable[[], None]
    """Raises what keeps the service from being ready."""
    stop: Callable[[], Awaitable[None]]
    """Lets go of all; jobs in work go on at the next start."""
    cache: Cache | None = None
    """Of what questions found; None: nothing is kept."""


class RetrieverApi:
    """Args:
    semantic: Whether questions that mean the same have the same answer.
    incoming: Where uploads are written; on the same file system as the library's files.
    """

    def __init__(
        self,
        parts: BackgroundLoader[RetrieverParts],
        *,
        incoming: Path,
        max_file_bytes: int,
        embedder_ready: Callable[[], Awaitable[object]],
        semantic: bool = False,
    ) -> None:
        self.parts = parts
        self._semantic = semantic
        self._embedder_ready = embedder_ready
        self.v1 = documents_app(self._v1_parts(incoming, max_file_bytes))
        """To be mounted at `/v1`."""
        self._incoming = incoming
        self._max_file_bytes = max_file_bytes
        self._waiter = JobWaiter()

    def _v1_parts(self, incoming: Path, max_file_bytes: int) -> V1Parts:
        get = self.parts.get
        return V1Parts(
            library=lambda: get().library,
            search=self.look_up,
            embedder=lambda: get().embedder,
            reranker=lambda: get().reranker,
            incoming=incoming,
            max_file_bytes=max_file_bytes,
        )

    async def ready(self) -> Mapping[str, Any]:
        """Facts; raises when store or encoder do not answer, or the store was filled by another model."""
        parts = self.parts.get()
        await self._embedder_ready()
        await asyncio.to_thread(parts.store.ping)
        await asyncio.to_thread(parts.check)
        cache = {} if parts.cache is None else {"cache": dict(parts.cache.facts())}
        return {"status": "ready", "embedder": parts.embedder.model_name, **cache}

    async def drain(self) -> None:
        """The service is about to stop: who waits for a job gets the answer that it goes on."""
        self._waiter.release()

    async def stop(self) -> None:
        if (parts := self.parts.loaded) is not None:
            await parts.stop()

    async def prepare(self, request: PrepareRequest) -> Response:
        parts = self.parts.get()
        question = RetrievalRequest(
            request.question,
            request.stores[0],
            request.changes(),
            filter_to_json(request.filters),
            messages_of(request.history),
        )
        found = await _found(parts.finder, question, request)
        prompt = await asyncio.to_thread(_prompt, parts.prompts, question, found, request, request.system or "")
        messages = {} if prompt.token_ids else {"messages": [asdict(message) for message in prompt.messages]}
        body = {
            "token_ids": prompt.token_ids,
            **messages,
            "sources": sources_to_wire(prompt.sources),
            "timings_ms": dict(found.timings_ms),
            "note": found.plan.note,
            "queries": list(found.plan.queries),
            "key": self._answer_key(question, found, prompt, request.system or ""),
        }
        return JSONResponse(body)

    async def verify(self, request: VerifyRequest) -> Response:
        pairs = [(sentence, source) for sentence, source in request.pairs]
        return JSONResponse({"scores": await support(pairs, self.parts.get().embedder)})

    def _answer_key(self, question: RetrievalRequest, found: RetrievalResult, prompt: Prompt, system: str) -> str:
        """For questions that differ in words and mean the same; empty where only equal prompts have equal answers."""
        if not (self._semantic and found.key):
            return ""
        version = self.parts.get().prompts.version
        return answer_key(found.key, prompt.sources, question.history, version, system)

    async def retrieve(self, request: ExplainRequest) -> Response:
        parts = self.parts.get()
        question = RetrievalRequest(
            request.checked_query(),
            request.vector_store,
            request.changes(),
            filter_to_json(request.filters),
            messages_of(request.history),
            explain=request.explain,
        )
        found = await parts.finder.find(question)
        hits = [hit_to_wire(hit, explain=request.explain) for hit in found.hits]
        body: JsonObject = {"hits": hits, "timings_ms": dict(found.timings_ms)}
        if found.plan.note:
            body["note"] = found.plan.note
        if request.explain:
            body["explain"] = await asyncio.to_thread(_explained, parts.prompts, question, found, request)
        return JSONResponse(body)

    async def look_up(self, lookup: StoreSearch) -> RetrievalResult:
        """What a search in OpenAI's terms finds."""
        question = RetrievalRequest(lookup.text, lookup.store_id, lookup.changes, lookup.filters)
        return await self.parts.get().finder.find(question)

    async def ingest(self, request: IngestRequest) -> Response:
        library = self.parts.get().library
        async with received_ingest(request.http, self._incoming, self._max_file_bytes) as order:
            job = await run_in_thread_shielded(
                library.ingest,
                order.vector_store,
                order.uploads,
                order.attributes,
                chunking=order.chunking,
                idempotency_key=order.idempotency_key,
            )
        job = await self._waiter.wait(library, job, order.wait_s)
        names = [upload.filename for upload in order.uploads]
        files = await asyncio.to_thread(_files_of, library, job, names)
        body = {"files": files, "batch_id": job.job_id, "status": batch_status(job)}
        return JSONResponse(body, status_code=202 if body["status"] == "in_progress" else 200)


async def _found(finder: RetrievalPipeline, question: RetrievalRequest, request: PrepareRequest) -> RetrievalResult:
    """In all vector stores that the request names."""
    stores = (replace(question, vector_store=store) for store in request.stores)
    found = merged(await asyncio.gather(*(finder.find(one) for one in stores)), request.top_k)
    if not request.score_threshold:
        return found
    hits = tuple(hit for hit in found.hits if hit.score >= request.score_threshold)
    return replace(found, hits=hits, key="")


def _prompt(
    prompts: PromptBuilder,
    question: RetrievalRequest,
    found: RetrievalResult,
    room: PrepareRequest | ExplainRequest,
    system: str = "",
) -> Prompt:
    """The prompt; without sources when nothing relevant was found, but never one that does not fit."""
    hits = () if nothing_relevant(found.hits, found.options.min_cosine) else found.hits
    parts = PromptInput(question.text, hits, question.history, system)
    return prompts.make(parts, context_tokens=room.context_tokens or 0, max_tokens=room.max_tokens)


def _explained(
    prompts: PromptBuilder, question: RetrievalRequest, found: RetrievalResult, request: ExplainRequest
) -> JsonObject:
    known = request.context_tokens is not None
    return explanation(found, _prompt(prompts, question, found, request) if known else None)


def _files_of(library: Library, job: JobRecord, names: Sequence[str]) -> list[JsonObject]:
    """The job's files in the order of `names`."""
    found: dict[str, DocumentRecord] = {}
    cursor = Cursor(limit=100, order="asc")
    while True:
        page = library.job_files(job.job_id, cursor)
        found.update((row.filename, row) for row in page.rows)
        if not page.has_more or not page.rows:
            return [_file_to_wire(found[name]) for name in names if name in found]
        cursor = Cursor(limit=100, order="asc", after=page.rows[-1].file_id)


def _file_to_wire(file: DocumentRecord) -> JsonObject:
    error = {"code": file.error_code, "message": file.error_message or ""} if file.error_code else None
    names = ("file_id", "filename", "status", "change", "chunks")
    return {**{name: getattr(file, name) for name in names}, "error": error}
