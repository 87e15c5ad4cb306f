"""The HTTP API of the Retriever service: maps requests to the pipeline and the library, and results to JSON."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from starlette.responses import JSONResponse, Response

from rag.auth.caller import DEFAULT_TENANT
from rag.errors import RagError
from rag.http.background_loader import BackgroundLoader
from rag.http.bodies.hits import hit_to_wire, sources_to_wire
from rag.http.bodies.note_codes import note_codes
from rag.http.bodies.search_outputs import search_output_to_wire
from rag.http.bodies.wire import ExplainRequest, PrepareRequest, messages_of
from rag.http.fields.filters_wire import filter_to_json
from rag.http.headers.inner_headers import OBJECT_ID
from rag.http.model_aliases import ModelAliases
from rag.http.native.catalog_api import CatalogApi, OpenCatalog
from rag.http.native.explanation import ExplainedPrompt, explained_searches, explanation
from rag.http.native.ingest_form import IngestRequest, received_ingest
from rag.http.native.internal.compaction_wire import CompactRequest, compaction_to_wire
from rag.http.native.internal.count_wire import CountTokensRequest
from rag.http.native.internal.key_wire import AuthenticateRequest, OpenTenantRequest, authentication_to_wire
from rag.http.native.internal.model_search_wire import CutTextRequest, SearchForModelRequest
from rag.http.native.internal.read_file_wire import ReadBytesRequest, ReadFileRequest
from rag.http.native.internal.verify_wire import VerifyRequest
from rag.http.shielded_thread import run_in_thread_shielded
from rag.http.v1.applications.documents_app import documents_app
from rag.http.v1.documents.job_waiter import JobWaiter
from rag.http.v1.documents.objects.job import batch_status
from rag.http.v1.documents.parts import EmbeddingOptions, StoreSearch, V1Parts
from rag.library.documents.attached_files import AttachedFiles
from rag.library.service import Library
from rag.ports import Cache, ChatTokenizer, Embedder, Reranker, VectorStore
from rag.records import Cursor, DocumentRecord, JobRecord
from rag.retrieve.compaction.compactor import Compactor
from rag.retrieve.model_search import ModelSearch
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.preparation import AnswerPreparer, PreparationRequest
from rag.retrieve.result import RetrievalResult
from rag.retrieve.support import support
from rag.telemetry.http import READY
from rag.types import Facts, JsonObject, PreparedPrompt


@dataclass(frozen=True, slots=True)
class RetrieverComponents:
    """The components of the Retriever. They exist once all of them are loaded."""

    store: VectorStore
    pipeline: RetrievalPipeline
    preparer: AnswerPreparer
    model_search: ModelSearch
    compactor: Compactor
    library: Library
    attached_files: AttachedFiles
    embedder: Embedder
    """The configured one."""
    reranker: Reranker
    """The configured one."""
    check: Callable[[], None]
    """Raises the reason if the service is not ready."""
    stop: Callable[[], Awaitable[None]]
    """Releases all resources. Unfinished jobs resume at the next start."""
    tokenizer: ChatTokenizer
    """The language model's."""
    cache: Cache | None = None
    """The retrieval cache; None if it is turned off."""


class RetrieverApi:
    """The endpoints of the Retriever.

    Args:
        catalog: Opened long before the other components are loaded.
        incoming: Folder that uploads are written to; on the same file system as the files of the library.
    """

    def __init__(
        self,
        components: BackgroundLoader[RetrieverComponents],
        *,
        catalog: BackgroundLoader[OpenCatalog],
        incoming: Path,
        max_file_bytes: int,
        embedder_ready: Callable[[], Awaitable[Facts]],
        embedding: EmbeddingOptions,
        aliases: ModelAliases,
    ) -> None:
        self.components = components
        self.catalog = CatalogApi(catalog, aliases)
        self._known_tenants: set[str] = {DEFAULT_TENANT}
        self._embedder_ready = embedder_ready
        self.v1 = documents_app(self._v1_parts(incoming, max_file_bytes, embedding, aliases))
        """To be mounted at `/v1`."""
        self._incoming = incoming
        self._max_file_bytes = max_file_bytes
        self._waiter = JobWaiter()

    def _v1_parts(
        self, incoming: Path, max_file_bytes: int, embedding: EmbeddingOptions, aliases: ModelAliases
    ) -> V1Parts:
        get = self.components.get
        return V1Parts(
            library=lambda: get().library,
            search=self.search_store,
            embedder=lambda: get().embedder,
            reranker=lambda: get().reranker,
            incoming=incoming,
            max_file_bytes=max_file_bytes,
            keys=lambda: self.catalog.open.get().keys,
            audit=lambda: self.catalog.open.get().audit,
            embedding=embedding,
            aliases=aliases,
            responses=lambda: self.catalog.open.get().responses,
            conversations=lambda: self.catalog.open.get().conversations,
            completions=lambda: self.catalog.open.get().completions,
            background=lambda: self.catalog.open.get().background,
            uploads=lambda: self.catalog.open.get().uploads,
            batches=lambda: self.catalog.open.get().batches,
        )

    def start(self) -> None:
        """Load everything in the background."""
        self.catalog.open.start()
        self.components.start()

    async def ready(self) -> Mapping[str, object]:
        """Facts about this service and the Embedder.

        Raises if the store or the Embedder does not answer, or if their models differ.
        """
        components = self.components.get()
        embedder = await self._embedder_facts()
        await asyncio.to_thread(components.store.ping)
        await asyncio.to_thread(components.check)
        cache = {} if components.cache is None else {"cache": dict(components.cache.facts())}
        keys_exist = await asyncio.to_thread(self.catalog.open.get().keys.required)
        facts = {"status": "ready", "embedder": components.embedder.model_name, "keys_exist": keys_exist, **cache}
        return {**facts, "services": {"Embedder": embedder}}

    async def _embedder_facts(self) -> Facts:
        try:
            facts = await self._embedder_ready()
        except RagError:
            READY.labels("Embedder").set(0)
            raise
        READY.labels("Embedder").set(1)
        return facts

    async def drain(self) -> None:
        """Prepare for the shutdown: answer requests that wait for a job, and begin no more work."""
        self.catalog.drain()
        self._waiter.release()

    async def stop(self) -> None:
        if (components := self.components.loaded) is not None:
            await components.stop()

    async def authenticate(self, request: AuthenticateRequest) -> Response:
        """Which API key has this secret."""
        found = await asyncio.to_thread(self.catalog.open.get().keys.authenticate, request.secret_hash)
        if found.key is not None and found.status == "active":
            await self._ensure_tenant(found.key.tenant)
        return JSONResponse(authentication_to_wire(found))

    async def count_tokens(self, request: CountTokensRequest) -> Response:
        """The length of a conversation for the language model."""
        measure = self.components.get().tokenizer.measure
        tokens = await asyncio.to_thread(measure, request.parsed(), request.template_values)
        return JSONResponse({"tokens": tokens})

    async def read_file(self, request: ReadFileRequest) -> Response:
        """The text of a file that a request attaches to a message, and its length for the language model."""
        components = self.components.get()
        files, tokenizer = components.attached_files, components.tokenizer

        def read() -> JsonObject:
            if request.file_id is not None:
                filename, text = files.read(request.file_id)
            else:
                filename, text = files.read_bytes(request.content(), request.filename or "", self._max_file_bytes)
            return {"filename": filename, "text": text, "tokens": tokenizer.count(text)}

        return JSONResponse(await asyncio.to_thread(read))

    async def read_bytes(self, request: ReadBytesRequest) -> Response:
        """The bytes of a file that a request shows to the language model."""
        files = self.components.get().attached_files
        content = await asyncio.to_thread(files.content, request.file_id, request.max_bytes)
        return JSONResponse({"data": base64.b64encode(content).decode()})

    async def open_tenant(self, request: OpenTenantRequest) -> Response:
        """The ids of the requested vector stores, as far as they exist."""
        await self._ensure_tenant(request.tenant)
        if request.stores is None:
            return JSONResponse({"stores": None})
        ids = await asyncio.to_thread(self.catalog.open.get().keys.store_ids, request.tenant, request.stores)
        return JSONResponse({"stores": ids})

    async def _ensure_tenant(self, tenant: str) -> None:
        """Create the tenant's vector store `default`, before its first request."""
        if tenant not in self._known_tenants:
            await asyncio.to_thread(self.components.get().library.ensure_tenant, tenant)
            self._known_tenants.add(tenant)

    async def prepare(self, request: PrepareRequest) -> Response:
        prepared = await self.components.get().preparer.prepare(
            PreparationRequest(
                question=request.question,
                vector_stores=request.stores,
                context_tokens=request.context_tokens,
                max_tokens=request.max_tokens,
                overrides=request.overrides(),
                filters=filter_to_json(request.filters),
                history=messages_of(request.history),
                score_threshold=request.score_threshold,
                system=request.system or "",
                style=request.style,
                quotes_chosen_by=request.quotes_chosen_by,
                template_values=request.template_values,
            )
        )
        return JSONResponse(_prepared_to_wire(prepared))

    async def search_for_model(self, request: SearchForModelRequest) -> Response:
        """A search of the language model."""
        output, results = await self.components.get().model_search.search(request.parsed())
        explanations = explained_searches(request.parsed(), output, results) if request.explain else ()
        return JSONResponse(search_output_to_wire(replace(output, explanations=tuple(explanations))))

    async def cut_text(self, request: CutTextRequest) -> Response:
        """The beginning of a tool's output, with special tokens escaped."""
        cut = self.components.get().model_search.cut
        text, tokens = await asyncio.to_thread(cut, request.text, request.max_tokens)
        return JSONResponse({"text": text, "tokens": tokens})

    async def compact(self, request: CompactRequest) -> Response:
        """The compacted conversation, and its encrypted form for the client, with the turns after it."""
        compaction = await self.components.get().compactor.compact(request.parsed())
        seal, items = self.catalog.open.get().seal, [*compaction.items, *request.last]
        return JSONResponse(compaction_to_wire(compaction, await asyncio.to_thread(seal.seal, items)))

    async def verify(self, request: VerifyRequest) -> Response:
        pairs = [(sentence, source) for sentence, source in request.pairs]
        return JSONResponse({"scores": await support(pairs, self.components.get().embedder)})

    async def retrieve(self, request: ExplainRequest) -> Response:
        components = self.components.get()
        question = RetrievalRequest(
            request.checked_query(),
            request.vector_store,
            request.overrides(),
            filter_to_json(request.filters),
            messages_of(request.history),
            explain=request.explain,
        )
        result = await components.pipeline.retrieve(question)
        explained = await _explained_prompt(components.preparer, request, result) if request.explain else None
        hits = [hit_to_wire(hit, explain=request.explain) for hit in result.hits]
        body: JsonObject = {"hits": hits, "timings_ms": dict(result.timings_ms)}
        if note := explained.prepared.note if explained else result.plan.note:
            body |= {"note": note, "note_codes": note_codes(note)}
        if request.explain:
            body["explain"] = explanation(result, explained)
        return JSONResponse(body)

    async def search_store(self, search: StoreSearch) -> RetrievalResult:
        """The search of the OpenAI-compatible API."""
        question = RetrievalRequest(search.text, search.store_id, search.overrides, search.filters)
        return await self.components.get().pipeline.retrieve(question)

    async def ingest(self, request: IngestRequest) -> Response:
        library = self.components.get().library
        async with received_ingest(request.http, self._incoming, self._max_file_bytes) as form:
            job = await run_in_thread_shielded(
                library.ingest,
                form.vector_store,
                form.uploads,
                form.attributes,
                chunking=form.chunking,
                read_groups=form.read_groups,
                idempotency_key=form.idempotency_key,
            )
        job = await self._waiter.wait(library, job, form.wait_s)
        names = [upload.filename for upload in form.uploads]
        files = await asyncio.to_thread(_files_of, library, job, names)
        body = {"files": files, "batch_id": job.job_id, "status": batch_status(job)}
        status_code = 202 if body["status"] == "in_progress" else 200
        return JSONResponse(body, status_code=status_code, headers={OBJECT_ID: job.job_id})


def _prepared_to_wire(prepared: PreparedPrompt) -> JsonObject:
    prompt = prepared.prompt
    messages = {} if prompt.token_ids else {"messages": [asdict(message) for message in prompt.messages]}
    return {
        "token_ids": prompt.token_ids,
        **messages,
        "sources": sources_to_wire(prompt.sources),
        "timings_ms": dict(prepared.timings_ms),
        "note": prepared.note,
        "queries": list(prepared.queries),
        "key": prepared.cache_key,
        "quotation": None if prepared.quotation is None else asdict(prepared.quotation),
        "confidence": prepared.confidence,
        "top_k": prepared.top_k,
    }


async def _explained_prompt(
    preparer: AnswerPreparer, request: ExplainRequest, result: RetrievalResult
) -> ExplainedPrompt | None:
    """The prompt that an answer would get from this result; None if the engine's context length is not known."""
    if request.context_tokens is None:
        return None
    preparation = PreparationRequest(
        question=request.query,
        vector_stores=[request.vector_store],
        context_tokens=request.context_tokens,
        max_tokens=request.max_tokens,
        history=messages_of(request.history),
        style="quoted" if request.style == "quoted" else "written",
        quotes_chosen_by=request.quotes_chosen_by,
    )
    return ExplainedPrompt(preparation, await preparer.explain(preparation, result))


def _files_of(library: Library, job: JobRecord, names: Sequence[str]) -> list[JsonObject]:
    """The files of the job, in the order of `names`."""
    files: dict[str, DocumentRecord] = {}
    cursor = Cursor(limit=100, order="asc")
    while True:
        page = library.job_files(job.job_id, cursor)
        files.update((row.filename, row) for row in page.rows)
        if not page.has_more or not page.rows:
            return [_file_to_wire(files[name]) for name in names if name in files]
        cursor = Cursor(limit=100, order="asc", after=page.rows[-1].file_id)


def _file_to_wire(file: DocumentRecord) -> JsonObject:
    error = {"code": file.error_code, "message": file.error_message or ""} if file.error_code else None
    names = ("file_id", "filename", "status", "change", "chunks")
    return {**{name: getattr(file, name) for name in names}, "warnings": list(file.warnings), "error": error}
