"""Builds the document side of the Retriever service: catalog, vector store, and how documents are ingested."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.blobs import BlobFolder
from rag.bootstrap.loaded_settings import settings
from rag.errors import SetupError
from rag.ports import ChatTokenizer, Embedders, SparseEmbedders, VectorStore
from rag.records import Strategy
from rag.types import Extract, Passage

if TYPE_CHECKING:
    from rag.adapters.milvus.store import MilvusStore
    from rag.adapters.parser_process import ParserProcess
    from rag.catalog.database import Database
    from rag.chunkers import RecursiveStrategy
    from rag.chunkers.tokens import TokenCounter
    from rag.ingest.question_generation import LanguageModel
    from rag.library.audit import AuditLog
    from rag.library.document_runtime import DocumentRuntime
    from rag.library.keys import KeyRegistry

_opening = threading.Lock()


def make_files_private() -> None:
    """Let only this user read the files that this process and its children create: they hold the documents' texts."""
    os.umask(0o077)


@functools.cache
def blob_folder() -> BlobFolder:
    return BlobFolder(settings().blobs_dir)


def make_document_runtime(
    embedders: Embedders,
    sparse_embedders: SparseEmbedders,
    language_model: LanguageModel,
    store: VectorStore,
    database: Database,
    loop: asyncio.AbstractEventLoop,
) -> DocumentRuntime:
    from rag.adapters.dbos_jobs import DbosJobs
    from rag.library.document_runtime import Dependencies, DocumentRuntime

    options = settings()
    dependencies = Dependencies(
        database=database,
        blobs=blob_folder(),
        store=store,
        parser=make_parser(blob_folder().incoming),
        embedders=embedders,
        engine=DbosJobs(options.jobs_url, at_once=options.ingest.jobs),
        chunk_extract=chunk_extract,
        chunking=default_chunking(),
        language_model=language_model,
        sparse_embedders=sparse_embedders,
        sparse_model=options.embedder.sparse_model or "",
        audit_days=options.audit.keep_days,
    )
    runtime = DocumentRuntime(dependencies, loop)
    runtime.start()
    return runtime


def make_parser(folder: Path | None = None) -> ParserProcess:
    """The process that reads files.

    Args:
        folder: For its temporary files; None: the system's.
    """
    from rag.adapters.parser_process import ParserLimits, ParserProcess
    from rag.ingest.parse_slots import FILES_AT_ONCE
    from rag.readers.pdf.ocr import missing_ocr

    chosen = settings().ingest
    if chosen.ocr and (missing := missing_ocr()):
        raise SetupError(f"RAG_INGEST__OCR: {missing}", param="RAG_INGEST__OCR")
    limits = ParserLimits(timeout_s=chosen.parse_timeout_s, memory_mib=chosen.parse_memory_mib)
    return ParserProcess(limits, ocr_languages=chosen.ocr, at_once=FILES_AT_ONCE, folder=folder)


def default_chunking() -> RecursiveStrategy:
    """The chunking strategy of documents whose vector store has none."""
    from rag.chunkers import RecursiveStrategy

    chosen = settings().ingest
    return RecursiveStrategy(chosen.chunk_chars, int(chosen.chunk_chars * chosen.overlap), questions=chosen.questions)


def chunk_extract(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    """The passages of an extract by a strategy as JSON."""
    from rag.chunkers import TokenStrategy, chunker_for
    from rag.chunkers.strategy import from_json

    chosen = from_json(strategy)
    return chunker_for(chosen, _encoder_tokenizer() if isinstance(chosen, TokenStrategy) else None).chunk(extract)


@functools.cache
def _encoder_tokenizer() -> TokenCounter:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.tokenization.tokenizer import encoder_tokenizer

    return encoder_tokenizer(model_files.embedder_folder(settings()))


def database() -> Database:
    """The catalog of this process. Several threads may ask for it at the start, so opening it is locked."""
    with _opening:
        return _database()


@functools.cache
def _database() -> Database:
    from rag.catalog.database import Database

    return Database(settings().catalog_url)


def catalog_name() -> str:
    """The URL of the catalog without its password."""
    from sqlalchemy.engine import make_url

    return make_url(settings().catalog_url).render_as_string(hide_password=True)


def key_registry() -> KeyRegistry:
    """The API keys in the catalog."""
    from rag.library.keys import KeyRegistry

    return KeyRegistry(database())


def audit_log() -> AuditLog:
    """The audit log in the catalog."""
    from rag.library.audit import AuditLog

    return AuditLog(database())


@functools.cache
def vector_store() -> MilvusStore:
    from threadpoolctl import threadpool_limits

    from rag.adapters.milvus.index import FieldIndex, Indexes, default_metric
    from rag.adapters.milvus.store import MilvusStore

    # Milvus Lite searches with NumPy. A single query is too little work to divide among threads.
    threadpool_limits(limits=1, user_api="blas")
    sys.setswitchinterval(0.0005)  # Milvus Lite runs in Python threads here; the default of 5 ms adds latency
    options = settings()
    token = options.store.token.get_secret_value() if options.store.token else None
    chosen = options.store
    indexes = Indexes(
        dense=FieldIndex(
            chosen.dense_index,
            chosen.dense_metric or default_metric(chosen.dense_index),
            chosen.dense_build,
            chosen.dense_search,
        ),
        keyword=FieldIndex(chosen.keyword_index, "BM25", chosen.keyword_build),
        sparse=FieldIndex(chosen.sparse_index, "IP", chosen.sparse_build),
        rescore_dtype=chosen.rescore_dtype,
    )
    return MilvusStore(
        options.store_uri,
        token,
        chosen.prefix,
        chosen.timeout_s,
        indexes=indexes,
        language=chosen.language,
        oversampling=chosen.oversampling,
    )


@functools.cache
def chat_tokenizer() -> ChatTokenizer:
    """With `RAG_LLM__URL` it only counts tokens: the server renders prompts itself."""
    from rag.adapters import model_files
    from rag.adapters.estimated_tokenizer import EstimatedTokenizer
    from rag.adapters.hf_tokenizer import HfChatTokenizer, HfTokenCounter

    options = settings()
    if options.llm.url is None:
        return HfChatTokenizer(model_files.tokenizer_folder(options))
    if options.llm.tokenizer is None:
        return EstimatedTokenizer()
    return HfTokenCounter(model_files.tokenizer_folder(options))
