"""What the Retriever service answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.http.hits import hit_to_wire, sources_to_wire
from rag.http.ingest_form import IngestRequest, received_ingest
from rag.http.resource import Resource
from rag.http.v1.app import documents_app
from rag.http.v1.objects import batch_status
from rag.http.v1.parts import Lookup, V1Parts
from rag.http.v1.thread import to_the_end
from rag.http.v1.waiter import Waiter
from rag.http.wire import PrepareRequest, RetrieveRequest
from rag.library.service import Library
from rag.ports import ChatTokenizer, VectorStore
from rag.records import Cursor, DocumentRecord, JobRecord
from rag.retrieve.prompt import assemble
from rag.retrieve.search import Found, Query, Searcher, nothing_relevant
from rag.types import Hit, JsonObject, Prompt, SearchMode


@dataclass(frozen=True, slots=True)
class RetrieverParts:
    """What the Retriever works with, once all of it is loaded."""

    store: VectorStore
    searcher: Searcher
    library: Library
    tokenizer: ChatTokenizer
    check: Callable[[], None]
    """Raises what keeps the service from being ready."""
    stop: Callable[[], None]
    """Lets go of all; jobs in work go on at the next start."""


class RetrieverApi:
    """Args:
    top_k: Hits unless the request says otherwise.
    mode: Search paths, likewise.
    min_cosine: Best cosine below which nothing relevant was found.
    incoming: Where uploads are written; on the same file system as the library's files.
    """

    def __init__(
        self,
        parts: Resource[RetrieverParts],
        *,
        top_k: int,
        mode: SearchMode,
        min_cosine: float,
        incoming: Path,
        max_file_bytes: int,
        embedder_ready: Callable[[], Awaitable[object]],
    ) -> None:
        self.parts = parts
        self._embedder_ready = embedder_ready
        self.v1 = documents_app(V1Parts(lambda: parts.get().library, self.look_up, incoming, max_file_bytes))
        """To be mounted at `/v1`."""
        self._incoming = incoming
        self._max_file_bytes = max_file_bytes
        self._waiter = Waiter()
        self._top_k = top_k
        self._mode = mode
        self._min_cosine = min_cosine

    async def ready(self) -> Mapping[str, Any]:
        """Facts; raises when store or encoder do not answer, or the store was filled by another model."""
        parts = self.parts.get()
        await self._embedder_ready()
        await asyncio.to_thread(parts.store.ping)
        await asyncio.to_thread(parts.check)
        return {"status": "ready"}

    async def drain(self) -> None:
        """The service is about to stop: who waits for a job gets the answer that it goes on."""
        self._waiter.release()

    async def stop(self) -> None:
        if (parts := self.parts.loaded) is not None:
            await asyncio.to_thread(parts.stop)

    async def prepare(self, request: PrepareRequest) -> Response:
        parts = self.parts.get()
        query = Query(request.question, request.vector_store, request.top_k or self._top_k, self._mode, request.filters)
        found = await parts.searcher.search(query)
        prompt = await asyncio.to_thread(self._assemble, parts.tokenizer, request, found)
        body = {
            "token_ids": prompt.token_ids,
            "sources": sources_to_wire(prompt.sources),
            "timings_ms": dict(found.timings_ms),
        }
        return JSONResponse(body)

    async def retrieve(self, request: RetrieveRequest) -> Response:
        query = Query(
            request.checked_query(),
            request.vector_store,
            request.top_k or self._top_k,
            request.mode or self._mode,
            request.filters,
        )
        found = await self.parts.get().searcher.search(query)
        hits = [hit_to_wire(hit, explain=request.explain) for hit in found.hits]
        return JSONResponse({"hits": hits, "timings_ms": dict(found.timings_ms)})

    async def look_up(self, lookup: Lookup) -> Sequence[Hit]:
        """The hits of a search in OpenAI's terms."""
        query = Query(
            lookup.text,
            lookup.store_id,
            lookup.top_k,
            lookup.mode or self._mode,
            lookup.filters,
            lookup.dense_weight,
        )
        return (await self.parts.get().searcher.search(query)).hits

    async def ingest(self, request: IngestRequest) -> Response:
        library = self.parts.get().library
        async with received_ingest(request.http, self._incoming, self._max_file_bytes) as order:
            job = await to_the_end(
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

    def _assemble(self, tokenizer: ChatTokenizer, request: PrepareRequest, found: Found) -> Prompt:
        """The prompt; without sources when nothing relevant was found, but never one that does not fit."""
        hits = () if nothing_relevant(found.hits, self._min_cosine) else found.hits
        return assemble(
            request.question,
            hits,
            request.turns(),
            tokenizer,
            context_tokens=request.context_tokens,
            max_tokens=request.max_tokens,
        )


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
