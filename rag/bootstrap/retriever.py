"""Wires the Retriever service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from rag.bootstrap.documents import blob_folder
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.process import MIB, client_of, make_cache
from rag.config import Settings
from rag.errors import ModelNotFound, SetupError, Unavailable
from rag.http.background_loader import BackgroundLoader
from rag.http.clients.service_client import ServiceClient
from rag.http.model_aliases import ModelAliases
from rag.http.native.catalog_api import OpenCatalog
from rag.http.native.retriever_api import RetrieverApi, RetrieverComponents
from rag.http.pages.metrics_page import MetricsPage
from rag.http.v1.documents.parts import EmbeddingOptions
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.library.audit import AuditLog
from rag.library.batches.registry import BatchRegistry
from rag.library.batches.work import BatchLimits, BatchWork
from rag.library.disk_metrics import update_disk_metrics
from rag.library.documents.uploads import UploadRegistry
from rag.library.keys import KeyRegistry
from rag.ports import Cache, ChatTokenizer, Generator, Reranker, SparseEmbedders, VectorStore

if TYPE_CHECKING:
    from rag.catalog.database import Database
    from rag.http.clients.engine_facts import EngineFacts
    from rag.http.clients.remote import RemoteEmbedders
    from rag.library.document_runtime import DocumentRuntime
    from rag.retrieve.cache.retrieval_cache import RetrievalCache
    from rag.retrieve.options import RetrieveOptions
    from rag.retrieve.pipeline import RetrievalPipeline
    from rag.retrieve.planning.planner import LanguageModelPlanner
    from rag.retrieve.prompting.templates import Templates
    from rag.retrieve.quoting.quoter import Quoter
    from rag.retrieve.result import RetrievalResult
    from rag.retrieve.search.custom_retrievers import CustomRetrievers
    from rag.retrieve.search.path_searcher import PathSearcher


SERVER_CALLS = 16
"""Number of concurrent searches on a Milvus server."""
LITE_CALLS = 3
"""Number of concurrent searches on Milvus Lite, at most two of them from one caller. Milvus Lite runs them one after
the other: with more, a caller would wait longer for another caller's searches; with one, the p95 of eight concurrent
questions doubled."""
CUSTOM_CALLS = 8
"""Number of concurrent searches on custom retrievers."""


def retriever_api(addresses: Mapping[str, str]) -> tuple[RetrieverApi, Sequence[ServiceClient]]:
    """The API, and the clients that the caller must close.

    Args:
        addresses: URLs of the services named `Embedder` and `LLM`.
    """
    embedder, llm = client_of("Embedder", addresses["Embedder"]), client_of("LLM", addresses["LLM"])
    components = BackgroundLoader("the retriever", lambda: _load_components(embedder, llm))
    api = RetrieverApi(
        components,
        catalog=BackgroundLoader("the catalog", _open_catalog),
        incoming=blob_folder().incoming,
        max_file_bytes=settings().ingest.max_file_mib * MIB,
        embedder_ready=embedder.ready,
        embedding=EmbeddingOptions(settings().embedder.long_inputs, settings().embedder.token_ids),
        aliases=ModelAliases(settings().models.aliases),
    )
    return api, (embedder, llm)


def retriever_metrics(api: RetrieverApi, clients: Sequence[ServiceClient]) -> MetricsPage:
    """The Retriever's metrics page. Its gauges are updated on each request.

    Args:
        clients: Those of `retriever_api`.
    """

    def update() -> None:
        update_disk_metrics(settings().data_dir)
        if (loaded := api.components.loaded) is not None:
            loaded.library.update_job_metrics()

    # The edge reads the metrics of the LLM.
    return MetricsPage("Retriever", (client for client in clients if client.name == "Embedder"), update)


async def _open_catalog() -> OpenCatalog:
    from rag.bootstrap.documents import database
    from rag.library.answers.compaction_seal import CompactionSeal

    opened = await asyncio.to_thread(database)
    options = settings().responses
    responses = ResponseRegistry(opened, options.retention_days)
    conversations = ConversationRegistry(opened, options.retention_days, may_store=options.store)
    completions = CompletionRegistry(opened, options.retention_days)
    secret = options.compaction_key.get_secret_value() if options.compaction_key else None
    uploads = UploadRegistry(opened, blob_folder(), settings().ingest.max_file_mib * MIB)
    return OpenCatalog(
        KeyRegistry(opened),
        AuditLog(opened),
        responses,
        conversations,
        completions,
        BackgroundRegistry(opened, options.retention_days),
        uploads,
        BatchRegistry(opened),
        await asyncio.to_thread(_batch_work, opened),
        CompactionSeal(settings().blobs_dir, secret),
    )


def _batch_work(opened: Database) -> BatchWork:
    chosen = settings().batches
    limits = BatchLimits(chosen.lines_at_once, chosen.tenant_lines_at_once, chosen.max_lines)
    work = BatchWork(opened, blob_folder(), limits)
    work.resume()
    return work


async def _load_components(client: ServiceClient, llm: ServiceClient) -> RetrieverComponents:
    from rag.bootstrap.documents import chat_tokenizer, database, make_document_runtime, vector_store
    from rag.http.auth.metered_generator import MeteredGenerator
    from rag.http.clients.engine_facts import EngineFacts
    from rag.http.clients.remote import RemoteEmbedders, RemoteGenerator
    from rag.http.clients.remote_models import RemoteSparseEmbedders
    from rag.http.headers.used_tokens import report_tokens
    from rag.ingest.question_generation import LanguageModel
    from rag.retrieve.compaction.compactor import Compactor
    from rag.retrieve.model_search import ModelSearch
    from rag.retrieve.preparation import AnswerPreparer
    from rag.retrieve.prompting.prompt_builder import PromptBuilder
    from rag.retrieve.search.custom_retrievers import MirroredStore

    templates = _templates()  # first: a faulty template is reported at once
    store, tokenizer, catalog = await asyncio.gather(
        asyncio.to_thread(vector_store), asyncio.to_thread(chat_tokenizer), asyncio.to_thread(database)
    )
    embedders, engine = RemoteEmbedders(client), EngineFacts(llm)
    engine.start()
    await _connect(embedders)
    custom = _custom_retrievers(store)
    mirrored_store = cast(VectorStore, MirroredStore(store, custom))
    sparse = RemoteSparseEmbedders(client)
    await _check_sparse_model(sparse)
    generator = MeteredGenerator(RemoteGenerator(llm), report_tokens)
    language_model = LanguageModel(generator, tokenizer, engine.context_tokens)
    planner = _planner(generator, tokenizer, engine)
    loop = asyncio.get_running_loop()
    runtime = await asyncio.to_thread(
        make_document_runtime, embedders, sparse, language_model, mirrored_store, catalog, loop
    )
    cache = await _open_cache()
    reranker = await _reranker(client, runtime.encoders.configured.model_name)
    pipeline = _pipeline(runtime, _path_searcher(store, runtime, custom), sparse, planner, reranker, cache)
    prompts = PromptBuilder(templates, tokenizer, table_tokens=settings().prompt.table_tokens)
    quoter = _quoter(client, runtime.encoders.configured.model_name)
    return RetrieverComponents(
        store=store,
        pipeline=pipeline,
        preparer=AnswerPreparer(pipeline, prompts, quoter, store, semantic=settings().cache.semantic is not None),
        model_search=ModelSearch(pipeline, prompts, store),
        compactor=Compactor(generator, tokenizer, templates, timeout_s=settings().responses.compaction_timeout_s),
        library=runtime.library,
        attached_files=runtime.attached_files,
        embedder=embedders.default,
        reranker=reranker,
        check=runtime.library.check_default,
        stop=_stop(engine, runtime, reranker, cache),
        tokenizer=tokenizer,
        cache=cache,
    )


def _path_searcher(store: VectorStore, runtime: DocumentRuntime, custom: CustomRetrievers) -> PathSearcher:
    from rag.retrieve.search.path_searcher import PathSearcher

    calls = SERVER_CALLS if "://" in settings().store_uri else LITE_CALLS
    return PathSearcher(store, runtime.snapshots, custom, calls=calls, custom_calls=CUSTOM_CALLS)


async def _open_cache() -> Cache | None:
    if not settings().cache.retrievals:
        return None
    cache = make_cache()
    await cache.connect()
    return cache


def _stop(
    engine: EngineFacts, runtime: DocumentRuntime, reranker: Reranker, cache: Cache | None
) -> Callable[[], Awaitable[None]]:
    from rag.adapters.http_reranker import HttpReranker

    async def stop() -> None:
        engine.stop()
        await asyncio.to_thread(runtime.stop)
        if isinstance(reranker, HttpReranker):
            await reranker.close()
        if cache is not None:
            await cache.close()

    return stop


def _planner(generator: Generator, tokenizer: ChatTokenizer, engine: EngineFacts) -> LanguageModelPlanner:
    from rag.retrieve.planning.planner import LanguageModelPlanner

    return LanguageModelPlanner(
        generator,
        tokenizer,
        context_tokens=engine.context_tokens,
        model=lambda: engine.model,
        timeout_s=settings().plan.timeout_s,
    )


async def _connect(embedders: RemoteEmbedders) -> None:
    while True:
        try:
            await embedders.connect()
            return
        except Unavailable:
            await asyncio.sleep(0.5)


async def _check_sparse_model(sparse: SparseEmbedders) -> None:
    """Raises SetupError if a remote Embedder cannot load the configured model."""
    if (model := settings().embedder.sparse_model) is None:
        return
    try:
        await sparse.named(model)
    except ModelNotFound as error:
        option = "RAG_EMBEDDER__SPARSE_MODEL"
        raise SetupError(f"{option}: {error.message}", param=option) from error


def _custom_retrievers(store: VectorStore) -> CustomRetrievers:
    from rag.retrieve.search.custom_retrievers import CustomRetrievers, load_retrievers

    import_paths = settings().retrieve.paths
    if import_paths and settings().catalog.url:
        raise SetupError(
            "RAG_RETRIEVE__PATHS: a custom retriever sees only the writes of its own process, so it cannot be used "
            "with RAG_CATALOG__URL, which several replicas share",
            param="RAG_RETRIEVE__PATHS",
        )
    return CustomRetrievers(store, load_retrievers(import_paths))


def _templates() -> Templates:
    from rag.retrieve.prompting.template_check import open_templates

    return open_templates(settings().prompt.folder, fence=settings().prompt.fence)


def _pipeline(
    runtime: DocumentRuntime,
    path_searcher: PathSearcher,
    sparse: SparseEmbedders,
    planner: LanguageModelPlanner,
    reranker: Reranker,
    cache: Cache | None,
) -> RetrievalPipeline:
    from rag.retrieve.pipeline import RetrievalPipeline
    from rag.retrieve.search.searcher import Searcher

    return RetrievalPipeline(
        Searcher(runtime.encoders, sparse, path_searcher, max_wait_s=settings().server.retrieve_timeout_s),
        runtime.snapshots,
        runtime.leases,
        runtime.encoders,
        _retrieve_options(settings()),
        planner,
        reranker,
        _retrieval_cache(cache),
    )


async def _reranker(embedder: ServiceClient, encoder: str) -> Reranker:
    from rag.adapters.http_reranker import HttpReranker
    from rag.http.clients.remote_models import RemoteReranker

    chosen = settings().rerank
    if chosen.kind == "remote":
        key = chosen.api_key.get_secret_value() if chosen.api_key else None
        return HttpReranker(chosen.url or "", chosen.model, key, chosen.timeout_s)
    reranker = RemoteReranker(embedder, chosen.kind, chosen.cross_encoder or encoder, chosen.timeout_s)
    if chosen.on or chosen.cross_encoder:
        await reranker.connect()
    return reranker


def _quoter(embedder: ServiceClient, encoder: str) -> Quoter:
    from rag.generate.pipeline import NOT_FOUND
    from rag.http.clients.remote_models import RemoteReranker
    from rag.retrieve.quoting.quoter import Quoter

    options = settings()
    scorer = RemoteReranker(embedder, "late_interaction", encoder, options.rerank.timeout_s)
    return Quoter(scorer, min_confidence=options.prompt.min_confidence, refusal=NOT_FOUND)


def _retrieval_cache(cache: Cache | None) -> RetrievalCache[RetrievalResult] | None:
    from rag.retrieve.cache.retrieval_cache import RetrievalCache
    from rag.retrieve.result import pack_result, unpack_result

    chosen = settings().cache
    if cache is None:
        return None
    return RetrievalCache(
        cache,
        pack_result,
        unpack_result,
        is_cacheable=lambda result: result.is_cacheable,
        ttl_s=chosen.ttl_s,
        semantic=chosen.semantic,
    )


def _retrieve_options(options: Settings) -> RetrieveOptions:
    """The defaults of the service."""
    from rag.retrieve.options import RetrieveOptions

    chosen, rerank, plan = options.retrieve, options.rerank, options.plan
    return RetrieveOptions(
        top_k=chosen.top_k,
        mode=chosen.mode,
        candidates=chosen.candidates,
        fusion=chosen.fusion,
        weights=chosen.weights,
        rrf_k=chosen.rrf_k,
        duplicates=chosen.duplicates,
        min_cosine=chosen.min_cosine,
        rerank=rerank.on,
        rerank_top_n=rerank.top_n,
        rerank_weight=rerank.weight,
        rewrite=plan.rewrite,
        queries=plan.queries,
        hypothetical=plan.hypothetical,
    )
