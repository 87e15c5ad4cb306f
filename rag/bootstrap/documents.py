"""The Retriever service, wired: where documents are kept, and how they come there."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.bootstrap.process import blob_folder, settings
from rag.errors import SetupError
from rag.ports import Embedders, SparseEmbedders, VectorStore
from rag.records import Strategy
from rag.types import Extract, Passage

if TYPE_CHECKING:
    from rag.ingest.question_generation import LanguageModel
    from rag.library.document_runtime import DocumentRuntime


def make_archive(
    embedders: Embedders,
    sparse_embedders: SparseEmbedders,
    language_model: LanguageModel,
    store: VectorStore,
    database: Any,
    loop: asyncio.AbstractEventLoop,
) -> DocumentRuntime:
    from rag.adapters.dbos_jobs import DbosJobs
    from rag.adapters.parser_process import ParserLimits, ParserProcess
    from rag.chunkers import RecursiveStrategy
    from rag.library.document_runtime import Dependencies, DocumentRuntime
    from rag.readers.pdf.ocr import missing_ocr

    options = settings()
    chosen = options.ingest
    if chosen.ocr and (missing := missing_ocr()):
        raise SetupError(f"RAG_INGEST__OCR: {missing}", param="RAG_INGEST__OCR")
    limits = ParserLimits(timeout_s=chosen.parse_timeout_s, memory_mib=chosen.parse_memory_mib)
    tools = Dependencies(
        database=database,
        blobs=blob_folder(),
        store=store,
        parser=ParserProcess(limits, ocr_languages=chosen.ocr, folder=blob_folder().incoming),
        embedders=embedders,
        engine=DbosJobs(options.jobs_url, at_once=chosen.jobs),
        cut=_cut,
        chunking=RecursiveStrategy(
            chosen.chunk_chars, int(chosen.chunk_chars * chosen.overlap), questions=chosen.questions
        ),
        language_model=language_model,
        sparse_embedders=sparse_embedders,
        sparse_model=options.embedder.sparse_model or "",
    )
    archive = DocumentRuntime(tools, loop)
    archive.start()
    return archive


def _cut(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    from rag.chunkers import TokenStrategy, chunker_for
    from rag.chunkers.strategy import from_json

    chosen = from_json(strategy)
    return chunker_for(chosen, _encoder_tokenizer() if isinstance(chosen, TokenStrategy) else None).chunk(extract)


@functools.cache
def _encoder_tokenizer() -> Any:
    from rag.adapters import model_files
    from rag.adapters.sentence_transformers.tokenizer import encoder_tokenizer

    return encoder_tokenizer(model_files.embedder_folder(settings()))


@functools.cache
def database() -> Any:
    from rag.catalog.database import Database

    return Database(settings().catalog_url)


@functools.cache
def vector_store() -> Any:
    from threadpoolctl import threadpool_limits

    from rag.adapters.milvus.index import FieldIndex, Indexes
    from rag.adapters.milvus.store import MilvusStore

    # Milvus Lite searches with NumPy: one query is too little work to share between threads.
    threadpool_limits(limits=1, user_api="blas")
    sys.setswitchinterval(0.0005)  # Milvus Lite is Python in threads of this process; 5 ms a turn would add up
    options = settings()
    token = options.store.token.get_secret_value() if options.store.token else None
    chosen = options.store
    indexes = Indexes(
        dense=FieldIndex(chosen.dense_index, chosen.dense_metric, chosen.dense_build, chosen.dense_search),
        keyword=FieldIndex(chosen.keyword_index, "BM25", chosen.keyword_build),
        sparse=FieldIndex(chosen.sparse_index, "IP", chosen.sparse_build),
    )
    return MilvusStore(
        options.store_uri, token, chosen.prefix, chosen.timeout_s, indexes=indexes, language=chosen.language
    )


@functools.cache
def chat_tokenizer() -> Any:
    """With `RAG_LLM__URL`, one that only counts: the server there makes prompts of conversations itself."""
    from rag.adapters import model_files
    from rag.adapters.estimated_tokenizer import EstimatedTokenizer
    from rag.adapters.hf_tokenizer import HfChatTokenizer, HfTokenCounter

    options = settings()
    if options.llm.url is None:
        return HfChatTokenizer(model_files.tokenizer_folder(options))
    if options.llm.tokenizer is None:
        return EstimatedTokenizer()
    return HfTokenCounter(model_files.tokenizer_folder(options))
