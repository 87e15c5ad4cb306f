"""The bundle: four BentoML services. `bentoml serve service:RAG` runs them all.

RAG is the public edge. It asks the Retriever for passages and a prompt, and the LLM for the answer;
the Retriever asks the Embedder for vectors and is the only one that opens Milvus.

Each service runs in a process of its own, and each process imports this module. What only one service needs is imported
by that service's constructor.
"""

from __future__ import annotations

from typing import Any

import bentoml
from starlette.middleware.cors import CORSMiddleware

from rag.bootstrap import access, documents, process
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.private_supervisor import make_supervisor_private
from rag.bootstrap.start_check import refuse_unprotected_start
from rag.http.bodies.adapters_wire import LoadAdapterRequest, UnloadAdapterRequest
from rag.http.bodies.wire import (
    EncodeRequest,
    EncodeResponse,
    ExplainRequest,
    IngestResponse,
    PrepareRequest,
    RetrieveRequest,
    RetrieveResponse,
)
from rag.http.connection_limits import limit_connections
from rag.http.endpoint import endpoint
from rag.http.mcp.route import McpRoute
from rag.http.middleware.rerank_paths import RerankPaths
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.ask_wire import AskRequest
from rag.http.native.generate_wire import GenerateRequest, WriteRequest
from rag.http.native.ingest_form import IngestRequest
from rag.http.native.internal.audit_wire import AuditRequest
from rag.http.native.internal.background_wire import LeaseResponseRequest, QueueResponseRequest, WriteResponseRequest
from rag.http.native.internal.batch_wire import BatchWorkRequest
from rag.http.native.internal.compaction_wire import CompactRequest, OpenCompactionRequest
from rag.http.native.internal.count_wire import CountTokensRequest
from rag.http.native.internal.embedder_wire import (
    CountRequest,
    CountResponse,
    EncodeSparseRequest,
    EncodeSparseResponse,
    RerankRequest,
    RerankResponse,
)
from rag.http.native.internal.key_wire import AuthenticateRequest, OpenTenantRequest
from rag.http.native.internal.model_search_wire import CutTextRequest, SearchForModelRequest
from rag.http.native.internal.read_file_wire import ReadBytesRequest, ReadFileRequest
from rag.http.native.internal.response_wire import EarlierTurnsRequest, KeepCompletionRequest, KeepResponseRequest
from rag.http.native.internal.verify_wire import VerifyRequest, VerifyResponse
from rag.http.pages.web_page import WebPage
from rag.http.published_api import PublishedApi
from rag.http.v1.applications.deferred_app import DeferredApp

SETTINGS = settings()
documents.make_files_private()
process.format_other_logs()
limit_connections(
    header_timeout_s=SETTINGS.server.request_timeout_s,
    max_connections=SETTINGS.server.max_connections,
    idle_timeout_s=SETTINGS.server.idle_timeout_s,
)
TRAFFIC: Any = {"timeout": 3600}
"""Seconds until the first byte of a response. Answers and searches have shorter deadlines of their own."""
QUIET: Any = {"access": {"enabled": False}}
"""BentoML's access log is off: the edge logs requests, with their ids."""
TRACING: Any = {"excluded_urls": [".*"]}
"""BentoML's tracing is off: it makes a span for every chunk of a stream, even without an exporter
(docs/bentoml_issues.md#b22)."""
METRICS: Any = {"enabled": False}
"""BentoML's metrics are off: they have a series for every path that is requested (docs/bentoml_issues.md#b9)."""

embedder_lifecycle = process.make_lifecycle("Embedder")
retriever_v1, rag_v1, rag_mcp = DeferredApp(), DeferredApp(), DeferredApp()
retriever_lifecycle = process.make_lifecycle("Retriever")
llm_lifecycle = process.make_lifecycle("LLM")
rag_lifecycle = process.make_lifecycle("RAG", is_edge=True)


@bentoml.service(
    name="Embedder",
    workers=1,
    traffic=TRAFFIC,
    logging=QUIET,
    tracing=TRACING,
    metrics=METRICS,
    resources={"cpu": "1", "memory": "2Gi"},
)
class Embedder:
    """Turns questions and passages into vectors with a sentence-transformers encoder."""

    def __init__(self) -> None:
        from rag.bootstrap import embedder

        self._api = embedder.embedder_api()
        embedder_lifecycle.on_probe(self._api.ready)

    @bentoml.on_deployment
    def check_access() -> None:
        process.settle_data_dir()
        make_supervisor_private()
        refuse_unprotected_start("Embedder")

    @bentoml.on_deployment
    def prepare_model() -> None:
        process.prepare_model("encoder")

    @bentoml.on_startup
    async def begin(self) -> None:
        process.configure_logging()
        process.start_tracing("Embedder")
        embedder_lifecycle.install_signal_handlers()
        self._api.models.start()

    @endpoint("/encode")
    async def encode(self, request: EncodeRequest, /) -> EncodeResponse:
        """Vectors of unit length for texts, in their order."""
        return await self._api.encode(request)  # type: ignore[return-value]

    @endpoint("/count")
    async def count(self, request: CountRequest, /) -> CountResponse:
        """The number of tokens of each text, and how many the encoder reads."""
        return await self._api.count(request)  # type: ignore[return-value]

    @endpoint("/encode_sparse")
    async def encode_sparse(self, request: EncodeSparseRequest, /) -> EncodeSparseResponse:
        """Learned sparse vectors for texts, in their order."""
        return await self._api.encode_sparse(request)  # type: ignore[return-value]

    @endpoint("/rerank")
    async def rerank(self, request: RerankRequest, /) -> RerankResponse:
        """How well each passage answers a question, in [0, 1]."""
        return await self._api.rerank(request)  # type: ignore[return-value]


@bentoml.service(name="LLM", workers=1, traffic=TRAFFIC, logging=QUIET, tracing=TRACING, metrics=METRICS)
class LLM:
    """Writes text with vLLM's AsyncLLMEngine, token by token."""

    def __init__(self) -> None:
        from rag.bootstrap import llm

        self._api, self._engine = llm.llm_api()
        llm_lifecycle.on_probe(self.facts)

    @bentoml.on_deployment
    def check_access() -> None:
        process.settle_data_dir()
        make_supervisor_private()
        refuse_unprotected_start("LLM")

    @bentoml.on_deployment
    def prepare_model() -> None:
        process.prepare_model("llm")

    async def facts(self) -> Any:
        return self._api.facts()

    @bentoml.on_startup
    async def begin(self) -> None:
        process.configure_logging()
        process.start_tracing("LLM")
        llm_lifecycle.install_signal_handlers()
        await self._engine.start()

    @bentoml.on_shutdown
    async def end(self) -> None:
        await self._engine.stop()

    @endpoint("/generate", stream=True)
    async def generate(self, request: WriteRequest, /) -> str:
        """Generate text from a prompt, as server-sent events."""
        return await self._api.generate(request)  # type: ignore[return-value]

    @endpoint("/load_adapter")
    async def load_adapter(self, request: LoadAdapterRequest, /) -> dict[str, Any]:
        """Load a LoRA adapter, so that requests can name it."""
        return await self._api.load_adapter(request)  # type: ignore[return-value]

    @endpoint("/unload_adapter")
    async def unload_adapter(self, request: UnloadAdapterRequest, /) -> dict[str, Any]:
        """Unload a LoRA adapter; requests that name it are then refused."""
        return await self._api.unload_adapter(request)  # type: ignore[return-value]


@bentoml.service(
    name="Retriever",
    workers=1,
    traffic=TRAFFIC,
    logging=QUIET,
    tracing=TRACING,
    metrics=METRICS,
    resources={"cpu": "1", "memory": "4Gi"},
)
@bentoml.asgi_app(retriever_v1, path="/v1")
class Retriever:
    """Finds passages in Milvus, builds prompts from them, and ingests documents."""

    embedder = bentoml.depends(Embedder, url=SETTINGS.embedder.url)
    llm = bentoml.depends(LLM, url=SETTINGS.llm.service_url)

    def __init__(self) -> None:
        from rag.bootstrap import retriever

        addresses = {
            "Embedder": SETTINGS.embedder.url or process.address_of(Embedder),
            "LLM": SETTINGS.llm.service_url or process.address_of(LLM),
        }
        self._api, self._clients = retriever.retriever_api(addresses)
        retriever_v1.app = self._api.v1
        retriever_lifecycle.on_probe(self._api.ready)
        retriever_lifecycle.on_metrics(retriever.retriever_metrics(self._api, self._clients).text)
        for client in self._clients:
            retriever_lifecycle.on_drain(client.hold)
        retriever_lifecycle.on_drain(self._api.drain)

    @bentoml.on_deployment
    def check_access() -> None:
        process.settle_data_dir()
        make_supervisor_private()
        refuse_unprotected_start("Retriever")

    @bentoml.on_deployment
    def prepare_model() -> None:
        process.prepare_model("tokenizer")

    @bentoml.on_startup
    async def begin(self) -> None:
        process.configure_logging()
        process.start_tracing("Retriever")
        retriever_lifecycle.install_signal_handlers()
        self._api.start()

    @bentoml.on_shutdown
    async def end(self) -> None:
        await self._api.stop()
        for client in self._clients:
            await client.close()

    @endpoint("/retrieve")
    async def retrieve(self, request: ExplainRequest, /) -> RetrieveResponse:
        """Passages for a query, best first."""
        return await self._api.retrieve(request)  # type: ignore[return-value]

    @endpoint("/authenticate")
    async def authenticate(self, request: AuthenticateRequest, /) -> dict[str, Any]:
        """Look up an API key by the hash of its secret."""
        return await self._api.authenticate(request)  # type: ignore[return-value]

    @endpoint("/audit")
    async def audit(self, request: AuditRequest, /) -> dict[str, Any]:
        """Add entries to the audit log."""
        return await self._api.catalog.audit(request)  # type: ignore[return-value]

    @endpoint("/batch_work")
    async def batch_work(self, request: BatchWorkRequest, /) -> dict[str, Any]:
        """Store the results of batch lines, and assign further lines."""
        return await self._api.catalog.batch_work(request)  # type: ignore[return-value]

    @endpoint("/keep_response")
    async def keep_response(self, request: KeepResponseRequest, /) -> dict[str, Any]:
        """Store a response with the input that it answers."""
        return await self._api.catalog.keep_response(request)  # type: ignore[return-value]

    @endpoint("/keep_completion")
    async def keep_completion(self, request: KeepCompletionRequest, /) -> dict[str, Any]:
        """Store a chat completion with the messages that it answers."""
        return await self._api.catalog.keep_completion(request)  # type: ignore[return-value]

    @endpoint("/queue_response")
    async def queue_response(self, request: QueueResponseRequest, /) -> dict[str, Any]:
        """Queue a response for generation in the background."""
        return await self._api.catalog.queue_response(request)  # type: ignore[return-value]

    @endpoint("/lease_response")
    async def lease_response(self, request: LeaseResponseRequest, /) -> dict[str, Any]:
        """Lease the next queued response."""
        return await self._api.catalog.lease_response(request)  # type: ignore[return-value]

    @endpoint("/write_response")
    async def write_response(self, request: WriteResponseRequest, /) -> dict[str, Any]:
        """Store what the holder of a response's lease has generated."""
        return await self._api.catalog.write_response(request)  # type: ignore[return-value]

    @endpoint("/earlier_turns")
    async def earlier_turns(self, request: EarlierTurnsRequest, /) -> dict[str, Any]:
        """The stored items of earlier turns."""
        return await self._api.catalog.earlier_turns(request)  # type: ignore[return-value]

    @endpoint("/compact")
    async def compact(self, request: CompactRequest, /) -> dict[str, Any]:
        """Shorten a conversation to its newest turns and a summary of the others."""
        return await self._api.compact(request)  # type: ignore[return-value]

    @endpoint("/open_compaction")
    async def open_compaction(self, request: OpenCompactionRequest, /) -> dict[str, Any]:
        """The turns of a compacted conversation."""
        return await self._api.catalog.open_compaction(request)  # type: ignore[return-value]

    @endpoint("/count_tokens")
    async def count_tokens(self, request: CountTokensRequest, /) -> dict[str, Any]:
        """Count the tokens of a conversation for the language model."""
        return await self._api.count_tokens(request)  # type: ignore[return-value]

    @endpoint("/read_file")
    async def read_file(self, request: ReadFileRequest, /) -> dict[str, Any]:
        """The text of a file that a request attaches to a message."""
        return await self._api.read_file(request)  # type: ignore[return-value]

    @endpoint("/read_bytes")
    async def read_bytes(self, request: ReadBytesRequest, /) -> dict[str, Any]:
        """The bytes of a file that a request shows to the language model."""
        return await self._api.read_bytes(request)  # type: ignore[return-value]

    @endpoint("/open_tenant")
    async def open_tenant(self, request: OpenTenantRequest, /) -> dict[str, Any]:
        """The ids of the vector stores that a verified token may use."""
        return await self._api.open_tenant(request)  # type: ignore[return-value]

    @endpoint("/prepare")
    async def prepare(self, request: PrepareRequest, /) -> dict[str, Any]:
        """The prompt of an answer, as token ids, with the sources in it."""
        return await self._api.prepare(request)  # type: ignore[return-value]

    @endpoint("/search_for_model")
    async def search_for_model(self, request: SearchForModelRequest, /) -> dict[str, Any]:
        """Run a search of the language model, and render the passages as text for it."""
        return await self._api.search_for_model(request)  # type: ignore[return-value]

    @endpoint("/cut_text")
    async def cut_text(self, request: CutTextRequest, /) -> dict[str, Any]:
        """Truncate a text to a number of tokens."""
        return await self._api.cut_text(request)  # type: ignore[return-value]

    @endpoint("/verify")
    async def verify(self, request: VerifyRequest, /) -> VerifyResponse:
        """Score how well sources support the sentences that cite them."""
        return await self._api.verify(request)  # type: ignore[return-value]

    @endpoint("/ingest")
    async def ingest(self, request: IngestRequest, /) -> IngestResponse:
        """Add documents, or replace those of the same name."""
        return await self._api.ingest(request)  # type: ignore[return-value]


@bentoml.service(
    name="RAG",
    workers=1,
    traffic=TRAFFIC,
    logging=QUIET,
    tracing=TRACING,
    metrics=METRICS,
    resources={"cpu": "1", "memory": "1Gi"},
)
@bentoml.asgi_app(rag_v1, path="/v1")
class RAG:
    """Answers questions from your documents, with sources."""

    retriever = bentoml.depends(Retriever, url=SETTINGS.retrieve.url)
    llm = bentoml.depends(LLM, url=SETTINGS.llm.service_url)

    def __init__(self) -> None:
        from rag.bootstrap import edge

        addresses = {
            "Retriever": SETTINGS.retrieve.url or process.address_of(Retriever),
            "LLM": SETTINGS.llm.service_url or process.address_of(LLM),
        }
        self._api = edge.rag_api(addresses, process.address_of(RAG))
        rag_v1.app = self._api.v1
        rag_mcp.app = self._mcp = edge.mcp_endpoint()
        self._batches = edge.batch_runner(self._api.dependencies, rag_lifecycle)
        rag_lifecycle.on_probe(self._api.ready)
        rag_lifecycle.on_metrics(self._api.metrics)
        rag_lifecycle.on_drain(self._api.dependencies.hold)
        rag_lifecycle.on_drain(self._batches.drain)

    @bentoml.on_deployment
    def check_access() -> None:
        process.settle_data_dir()
        make_supervisor_private()
        refuse_unprotected_start("RAG", is_edge=True)

    @bentoml.on_startup
    async def begin(self) -> None:
        process.configure_logging()
        process.start_tracing("RAG")
        rag_lifecycle.install_signal_handlers()
        await self._mcp.start()
        await self._api.start()
        self._batches.start()

    @bentoml.on_shutdown
    async def end(self) -> None:
        await self._batches.close()
        await self._mcp.close()
        await self._api.close()
        await access.request_limits().close()

    @endpoint("/ask", stream=True)
    async def ask(self, request: AskRequest, /) -> str:
        """Answer a question from the documents.

        Streams server-sent events: `sources` once, `token` many times, `usage` once, and last `done`,
        or `error` when something failed on the way. With `stream` false, the answer is one JSON object.
        """
        return await self._api.ask(request)  # type: ignore[return-value]

    @endpoint("/retrieve")
    async def retrieve(self, request: RetrieveRequest, /) -> RetrieveResponse:
        """Find passages for a query, best first."""
        return await self._api.retrieve(request)  # type: ignore[return-value]

    @endpoint("/generate", stream=True)
    async def generate(self, request: GenerateRequest, /) -> str:
        """Generate text from a prompt, with vLLM's sampling parameters under their own names.

        Streams server-sent events: `token` many times, `usage` once, and last `done` or `error`.
        """
        return await self._api.generate(request)  # type: ignore[return-value]

    @endpoint("/ingest")
    async def ingest(self, request: IngestRequest, /) -> IngestResponse:
        """Add documents, or replace those of the same name in the same vector store.

        Accepted files are never lost: they are read, embedded and stored by a durable job, whose id is the answer's
        `batch_id`. `wait_s` holds the answer until the job has ended. A type that cannot be read refuses the request.
        """
        return await self._api.ingest(request)  # type: ignore[return-value]


_PUBLIC: Any = RAG
_SERVICES: Any = (
    (Embedder, embedder_lifecycle),
    (Retriever, retriever_lifecycle),
    (LLM, llm_lifecycle),
    (_PUBLIC, rag_lifecycle),
)
_PUBLIC.add_asgi_middleware(RerankPaths)
for _service, _lifecycle in _SERVICES:
    _service.add_asgi_middleware(ServiceMiddleware, **process.middleware_options(_lifecycle, _service))
_PUBLIC.add_asgi_middleware(PublishedApi)
_PUBLIC.add_asgi_middleware(WebPage)
_PUBLIC.add_asgi_middleware(McpRoute, endpoint=rag_mcp)
if SETTINGS.server.allowed_origins:
    _PUBLIC.add_asgi_middleware(CORSMiddleware, **process.cors_options())
