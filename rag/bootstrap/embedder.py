"""Creates the Embedder service."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rag import config
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.process import MIB
from rag.deferred_sklearn import sklearn_deferred
from rag.http.background_loader import BackgroundLoader
from rag.http.native.embedder_api import EmbedderApi, EmbedderModels
from rag.queues.fair_queue import QueueLimits

if TYPE_CHECKING:
    from rag.adapters.sentence_transformers.embedder import StEmbedder
    from rag.adapters.sentence_transformers.encoders import Encoders
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
    from rag.adapters.sentence_transformers.rerankers import LocalRerankers
    from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
    from rag.adapters.sentence_transformers.sparse import StSparseEmbedder


MAX_WAITING_QUESTIONS = 256
"""Maximum number of waiting slices of one caller's questions."""


def embedder_api() -> EmbedderApi:
    loading = asyncio.Lock()

    async def load() -> EmbedderModels:
        with sklearn_deferred():
            return await asyncio.to_thread(_load_models, loading)

    return EmbedderApi(BackgroundLoader("the encoder", load))


def _load_models(loading: asyncio.Lock) -> EmbedderModels:
    os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars spoil the log, and their lock can block the exit
    from rag.adapters.sentence_transformers.scheduler import ComputeScheduler, cores, passages_at_once

    options = settings().embedder
    limits = QueueLimits(max_waiting=MAX_WAITING_QUESTIONS, max_wait_s=settings().server.retrieve_timeout_s)
    scheduler = ComputeScheduler(cores(options), passages_at_once=passages_at_once(options), limits=limits)
    token_file = _token_vector_file()
    dense = _encoders(scheduler, loading, token_file)
    sparse = _sparse_encoders(scheduler, loading)
    if options.sparse_model:
        sparse.preload(options.sparse_model, "RAG_EMBEDDER__SPARSE_MODEL")
    return EmbedderModels(dense, sparse, _rerankers(dense, scheduler, loading, token_file), options.sparse_model)


def _token_vector_file() -> TokenVectorFile | None:
    """None if late interaction is not used, or its vectors are not to be stored."""
    from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile

    options = settings()
    if options.rerank.kind != "late_interaction" or not options.rerank.token_vectors_mib:
        return None
    return TokenVectorFile(options.data_dir / "token_vectors.db", options.rerank.token_vectors_mib * MIB)


def _encoders(
    scheduler: ComputeScheduler, loading: asyncio.Lock, token_file: TokenVectorFile | None
) -> Encoders[StEmbedder]:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.embedder import StEmbedder
    from rag.adapters.sentence_transformers.encoders import Encoders

    options = settings()

    def load(model: str) -> StEmbedder:
        name = None if model == config.EMBEDDED_ENCODER else model
        # The prefixes in the settings belong to the configured model.
        own = options.embedder.model_copy(update={"model": name, "query_prefix": None, "passage_prefix": None})
        return StEmbedder(
            model_files.embedder_folder(options.model_copy(update={"embedder": own})), own, scheduler, token_file
        )

    configured = StEmbedder(model_files.embedder_folder(options), options.embedder, scheduler, token_file)
    return Encoders(configured, load, loading=loading, allowed=options.embedder.allowed_names)


def _sparse_encoders(scheduler: ComputeScheduler, loading: asyncio.Lock) -> ModelRegistry[StSparseEmbedder]:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.sparse import StSparseEmbedder

    options = settings().embedder

    def load(model: str) -> StSparseEmbedder:
        return StSparseEmbedder(model_files.sparse_folder(model), model, options, scheduler)

    return ModelRegistry("sparse encoder", load, loading=loading, allowed=options.allowed_names)


def _rerankers(
    encoders: Encoders[StEmbedder],
    scheduler: ComputeScheduler,
    loading: asyncio.Lock,
    token_file: TokenVectorFile | None,
) -> LocalRerankers:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.cross_encoder import StCrossEncoder
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.multi_vector.late_interaction import TokenVectorCache
    from rag.adapters.sentence_transformers.rerankers import LocalRerankers

    options = settings()

    def load(model: str) -> StCrossEncoder:
        return StCrossEncoder(model_files.cross_encoder_folder(model), model, options.embedder, scheduler)

    cross_encoders = ModelRegistry("cross-encoder", load, loading=loading, allowed=options.embedder.allowed_names)
    configured = options.rerank.cross_encoder
    if configured:
        cross_encoders.preload(configured, "RAG_RERANK__MODEL")
    cache = TokenVectorCache(options.rerank.cache_mib * MIB)
    return LocalRerankers(encoders, cross_encoders, cache, scheduler, configured, token_file)
