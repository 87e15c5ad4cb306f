"""The real parts of the Retriever service in one process, with a fake encoder. The stress tests run on it."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rag.adapters.dbos_jobs import DbosJobs
from rag.adapters.milvus.store import MilvusStore
from rag.adapters.parser_process import ParserProcess
from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.catalog.tables.schema import jobs
from rag.chunkers import RecursiveStrategy, chunker_for
from rag.chunkers.strategy import from_json
from rag.library.document_runtime import Dependencies, DocumentRuntime
from rag.library.service import Library
from rag.ports import Embedders, JobEngine, Parser, VectorStore
from rag.records import Strategy, UploadedFile
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.result import RetrievalResult
from rag.types import Extract, Passage, SearchMode
from tests.fakes import FakeEmbedder, FakeEmbedders
from tests.support.loop_in_thread import loop_in_thread
from tests.support.retrieval_harness import make_pipeline

STORE = "default"
_SEARCH_TIMEOUT_S = 60.0


def slow_embedders(pause_s: float) -> FakeEmbedders:
    return FakeEmbedders(FakeEmbedder(pause_s=pause_s, keeps_calls=False))


def chunk(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    return chunker_for(from_json(strategy), None).chunk(extract)


@dataclass(frozen=True, slots=True)
class PortWrappers:
    """Wrappers around the real parser, job engine and store, to observe or disturb their calls."""

    parser: Callable[[Parser], Parser] = lambda parser: parser
    engine: Callable[[JobEngine], JobEngine] = lambda engine: engine
    store: Callable[[VectorStore], VectorStore] = lambda store: store


@dataclass(slots=True)
class InProcessRetriever:
    runtime: DocumentRuntime
    store: VectorStore
    database: Database
    blobs: BlobFolder
    pipeline: RetrievalPipeline
    loop: asyncio.AbstractEventLoop

    @property
    def library(self) -> Library:
        return self.runtime.library

    @property
    def collection(self) -> str:
        return self.runtime.snapshots.snapshot(STORE).collection

    @property
    def is_idle(self) -> bool:
        """Whether every job has ended and its worker has released it. The janitor cleans up only after that."""
        with self.database.read() as connection:
            left = jobs.c.state.in_(("queued", "running")) | jobs.c.alive_at.is_not(None)
            return connection.execute(sa.select(jobs.c.id).where(left).limit(1)).first() is None

    def upload(self, filename: str, content: bytes) -> UploadedFile:
        """An uploaded file as the HTTP layer hands it over."""
        path = self.blobs.incoming / uuid.uuid4().hex
        path.write_bytes(content)
        return UploadedFile(filename, path, len(content), hashlib.sha256(content).hexdigest())

    def search(self, text: str, mode: SearchMode, top_k: int = 10, filters: Any = None) -> RetrievalResult:
        question = RetrievalRequest(text, STORE, {"mode": mode, "top_k": top_k}, filters)
        return asyncio.run_coroutine_threadsafe(self.pipeline.retrieve(question), self.loop).result(_SEARCH_TIMEOUT_S)


@contextmanager
def in_process_retriever(
    folder: Path, embedders: Embedders, *, wrappers: PortWrappers | None = None, at_once: int = 4, max_chars: int = 200
) -> Iterator[InProcessRetriever]:
    """All data goes below `folder`. Jobs that an earlier process left unfinished are resumed.

    Args:
        max_chars: Longest chunk, in characters.
    """
    wrappers = wrappers or PortWrappers()
    with loop_in_thread() as loop:
        database = Database(f"sqlite:///{folder / 'catalog.db'}")
        store = wrappers.store(MilvusStore(str(folder / "milvus.db")))
        dependencies = Dependencies(
            database=database,
            blobs=BlobFolder(folder / "blobs"),
            store=store,
            parser=wrappers.parser(ParserProcess()),
            embedders=embedders,
            engine=wrappers.engine(DbosJobs(f"sqlite:///{folder / 'jobs.db'}", at_once=at_once)),
            chunk_extract=chunk,
            chunking=RecursiveStrategy(max_chars, max_chars // 10),
        )
        runtime = DocumentRuntime(dependencies, loop)
        options = RetrieveOptions(candidates=50, duplicates=1)
        pipeline = make_pipeline(runtime.encoders, store, runtime.snapshots, leases=runtime.leases, options=options)
        try:
            runtime.start()
            yield InProcessRetriever(runtime, store, database, dependencies.blobs, pipeline, loop)
        finally:
            runtime.stop()
