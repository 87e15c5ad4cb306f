"""What the Retriever service answers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.http.hits import hit_to_wire, sources_to_wire
from rag.http.ingest_form import IngestRequest
from rag.http.resource import Resource
from rag.http.wire import PrepareRequest, RetrieveRequest
from rag.ingest.pipeline import IngestPipeline
from rag.ports import ChatTokenizer, VectorStore
from rag.retrieve.prompt import assemble
from rag.retrieve.search import Found, Query, Searcher, nothing_relevant
from rag.types import Prompt, SearchMode


@dataclass(frozen=True, slots=True)
class RetrieverParts:
    """What the Retriever works with, once all of it is loaded."""

    store: VectorStore
    searcher: Searcher
    pipeline: IngestPipeline
    tokenizer: ChatTokenizer


class RetrieverApi:
    """Args:
    top_k: Hits unless the request says otherwise.
    mode: Search paths, likewise.
    min_cosine: Best cosine below which nothing relevant was found.
    """

    def __init__(self, parts: Resource[RetrieverParts], *, top_k: int, mode: SearchMode, min_cosine: float) -> None:
        self.parts = parts
        self._top_k = top_k
        self._mode = mode
        self._min_cosine = min_cosine

    async def ready(self) -> Mapping[str, Any]:
        """Facts; raises when the store does not answer."""
        store = self.parts.get().store
        await asyncio.to_thread(store.ping)
        return {"status": "ready"}

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

    async def ingest(self, request: IngestRequest) -> Response:
        pipeline = self.parts.get().pipeline
        files = await pipeline.ingest(request.vector_store, request.uploads, request.attributes)
        described = [{**asdict(file), "status": "completed"} for file in files]
        return JSONResponse({"files": described, "batch_id": f"batch-{uuid.uuid4().hex[:24]}"})

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
