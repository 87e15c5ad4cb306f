"""Creates the Embedder service."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from rag import config
from rag.bootstrap.loaded_settings import settings
from rag.bootstrap.process import MIB
from rag.http.background_loader import BackgroundLoader
from rag.http.native.embedder_api import EmbedderApi, EmbedderModels

if TYPE_CHECKING:
    from rag.adapters.sentence_transformers.embedder import StEmbedder
    from rag.adapters.sentence_transformers.encoders import Encoders
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.rerankers import LocalRerankers
    from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
    from rag.adapters.sentence_transformers.sparse import StSparseEmbedder


def embedder_api() -> EmbedderApi:
    loading = asyncio.Lock()

    async def load() -> EmbedderModels:
        return await asyncio.to_thread(_load_models, loading)

    return EmbedderApi(BackgroundLoader("the encoder", load))


def _load_models(loading: asyncio.Lock) -> EmbedderModels:
    os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars spoil the log, and their lock can block the exit
    from rag.adapters.sentence_transformers.scheduler import ComputeScheduler, passage_threads

    options = settings().embedder
    scheduler = ComputeScheduler(passage_threads(options))
    dense = _encoders(scheduler, loading)
    sparse = _sparse_encoders(scheduler, loading)
    if options.sparse_model:
        sparse.preload(options.sparse_model, "RAG_EMBEDDER__SPARSE_MODEL")
    return EmbedderModels(dense, sparse, _rerankers(dense, scheduler, loading), options.sparse_model)


def _encoders(scheduler: ComputeScheduler, loading: asyncio.Lock) -> Encoders[StEmbedder]:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.embedder import StEmbedder
    from rag.adapters.sentence_transformers.encoders import Encoders

    options = settings()

    def load(model: str) -> StEmbedder:
        name = None if model == config.EMBEDDED_ENCODER else model
        # The prefixes in the settings belong to the configured model.
        own = options.embedder.model_copy(update={"model": name, "query_prefix": None, "passage_prefix": None})
        return StEmbedder(model_files.embedder_folder(options.model_copy(update={"embedder": own})), own, scheduler)

    configured = StEmbedder(model_files.embedder_folder(options), options.embedder, scheduler)
    return Encoders(configured, load, loading=loading)


def _sparse_encoders(scheduler: ComputeScheduler, loading: asyncio.Lock) -> ModelRegistry[StSparseEmbedder]:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.sparse import StSparseEmbedder

    options = settings().embedder

    def load(model: str) -> StSparseEmbedder:
        return StSparseEmbedder(model_files.sparse_folder(model), model, options, scheduler)

    return ModelRegistry("sparse encoder", load, loading=loading)


def _rerankers(encoders: Encoders[StEmbedder], scheduler: ComputeScheduler, loading: asyncio.Lock) -> LocalRerankers:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.cross_encoder import StCrossEncoder
    from rag.adapters.sentence_transformers.late_interaction import TokenVectorCache
    from rag.adapters.sentence_transformers.model_registry import ModelRegistry
    from rag.adapters.sentence_transformers.rerankers import LocalRerankers

    options = settings()

    def load(model: str) -> StCrossEncoder:
        return StCrossEncoder(model_files.cross_encoder_folder(model), model, options.embedder, scheduler)

    cross_encoders = ModelRegistry("cross-encoder", load, loading=loading)
    configured = options.rerank.cross_encoder
    if configured:
        cross_encoders.preload(configured, "RAG_RERANK__MODEL")
    return LocalRerankers(
        encoders, cross_encoders, TokenVectorCache(options.rerank.cache_mib * MIB), scheduler, configured
    )
