"""The Retriever service, wired: how questions are searched for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rag.bootstrap.process import MIB, blob_folder, client_of, make_cache, settings
from rag.config import Settings
from rag.errors import ModelNotFound, SetupError, Unavailable
from rag.http.background_loader import BackgroundLoader
from rag.http.clients.service_client import ServiceClient
from rag.http.native.retriever_api import RetrieverApi, RetrieverParts
from rag.ports import Cache, ChatTokenizer, Generator, Reranker, SparseEmbedders, VectorStore

if TYPE_CHECKING:
    from rag.http.clients.engine_facts import EngineFacts
    from rag.http.clients.remote import RemoteEmbedders
    from rag.library.document_runtime import DocumentRuntime
    from rag.retrieve.cache.retrieval_cache import RetrievalCache
    from rag.retrieve.options import RetrieveOptions
    from rag.retrieve.pipeline import RetrievalPipeline
    from rag.retrieve.planning.planner import LanguageModelPlanner
    from rag.retrieve.result import RetrievalResult
    from rag.retrieve.search.paths import SearchPaths


def retriever_api(addresses: Mapping[str, str]) -> tuple[RetrieverApi, Sequence[ServiceClient]]:
    """`addresses`: URLs of the services named `Embedder` and `LLM`. The clients are the caller's to close."""
    embedder, llm = client_of("Embedder", addresses["Embedder"]), client_of("LLM", addresses["LLM"])
    parts = BackgroundLoader("the retriever", lambda: _retriever_parts(embedder, llm))
    api = RetrieverApi(
        parts,
        incoming=blob_folder().incoming,
        max_file_bytes=settings().ingest.max_file_mib * MIB,
        embedder_ready=embedder.ready,
        semantic=settings().cache.semantic is not None,
    )
    return api, (embedder, llm)


async def _retriever_parts(client: ServiceClient, llm: ServiceClient) -> RetrieverParts:
    from rag.bootstrap.documents import chat_tokenizer, database, make_document_runtime, vector_store
    from rag.http.clients.engine_facts import EngineFacts
    from rag.http.clients.remote import RemoteEmbedders, RemoteGenerator
    from rag.http.clients.remote_models import RemoteSparseEmbedders
    from rag.ingest.question_generation import LanguageModel
    from rag.retrieve.prompting.prompt_builder import PromptBuilder
    from rag.retrieve.prompting.template_check import open_templates
    from rag.retrieve.search.custom_retrievers import CustomRetrievers, MirroredStore
    from rag.retrieve.search.paths import SearchPaths

    options = settings()
    templates = open_templates(options.prompt.folder, fence=options.prompt.fence)
    store, tokenizer, catalog = await asyncio.gather(
        asyncio.to_thread(vector_store), asyncio.to_thread(chat_tokenizer), asyncio.to_thread(database)
    )
    embedders, engine = RemoteEmbedders(client), EngineFacts(llm)
    engine.start()
    await _connected(embedders)
    own = CustomRetrievers(store, _own_paths(options))
    level = cast(VectorStore, MirroredStore(store, own))
    sparse = RemoteSparseEmbedders(client)
    await _check_sparse_model(sparse)
    generator = RemoteGenerator(llm)
    writer, planner = LanguageModel(generator, tokenizer, engine.context_tokens), _planner(generator, tokenizer, engine)
    loop = asyncio.get_running_loop()
    archive = await asyncio.to_thread(make_document_runtime, embedders, sparse, writer, level, catalog, loop)
    cache = await _opened_cache()
    reranker = await _reranker(client, archive.encoders.configured.model_name)
    finder = _finder(archive, SearchPaths(store, archive.views, own), sparse, planner, reranker, cache)
    return RetrieverParts(
        store,
        finder,
        archive.library,
        PromptBuilder(templates, tokenizer),
        embedders.default,
        reranker,
        archive.library.check_default,
        _stopping(engine, archive, reranker, cache),
        cache,
    )


async def _opened_cache() -> Cache | None:
    if not settings().cache.retrievals:
        return None
    cache = make_cache()
    await cache.connect()
    return cache


def _stopping(
    engine: EngineFacts, archive: DocumentRuntime, reranker: Reranker, cache: Cache | None
) -> Callable[[], Awaitable[None]]:
    from rag.adapters.http_reranker import HttpReranker

    async def stop() -> None:
        engine.stop()
        await asyncio.to_thread(archive.stop)
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


async def _connected(embedders: RemoteEmbedders) -> None:
    while True:
        try:
            await embedders.connect()
            return
        except Unavailable:
            await asyncio.sleep(0.5)


async def _check_sparse_model(sparse: SparseEmbedders) -> None:
    """Raises SetupError when an Embedder that runs elsewhere cannot load the configured one."""
    if (model := settings().embedder.sparse_model) is None:
        return
    try:
        await sparse.named(model)
    except ModelNotFound as error:
        option = "RAG_EMBEDDER__SPARSE_MODEL"
        raise SetupError(f"{option}: {error.message}", param=option) from error


def _own_paths(options: Settings) -> Mapping[str, Any]:
    from rag.retrieve.search.custom_retrievers import load_retrievers

    if options.retrieve.paths and options.catalog.url:
        raise SetupError(
            "RAG_RETRIEVE__PATHS: a search path of your own knows only what its own process writes, so it cannot be "
            "used with RAG_CATALOG__URL, which several replicas share",
            param="RAG_RETRIEVE__PATHS",
        )
    return load_retrievers(options.retrieve.paths)


def _finder(
    archive: DocumentRuntime,
    paths: SearchPaths,
    sparse: SparseEmbedders,
    planner: LanguageModelPlanner,
    reranker: Reranker,
    cache: Cache | None,
) -> RetrievalPipeline:
    from rag.retrieve.pipeline import RetrievalPipeline
    from rag.retrieve.search.searcher import Searcher

    searcher = Searcher(archive.encoders, sparse, paths, archive.views, archive.leases)
    options, kept = _retrieve_options(settings()), _kept_retrievals(cache)
    return RetrievalPipeline(searcher, archive.views, archive.encoders, options, planner, reranker, kept)


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


def _kept_retrievals(cache: Cache | None) -> RetrievalCache[RetrievalResult] | None:
    from rag.retrieve.cache.retrieval_cache import RetrievalCache
    from rag.retrieve.result import pack_result, unpack_result

    chosen = settings().cache
    if cache is None:
        return None
    return RetrievalCache(cache, pack_result, unpack_result, ttl_s=chosen.ttl_s, semantic=chosen.semantic)


def _retrieve_options(options: Settings) -> RetrieveOptions:
    """What a search is unless the vector store or the request says otherwise."""
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
