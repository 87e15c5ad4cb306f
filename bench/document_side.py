"""The real document side in one process, with an encoder that costs next to nothing: what the trials of it stand on."""

from __future__ import annotations

import asyncio
import hashlib
import threading
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
from rag.catalog.schema import jobs
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
from tests.support.retrieval_harness import make_pipeline

STORE = "default"
_ANSWERS_IN_S = 60.0


def slow_embedders(pause_s: float) -> FakeEmbedders:
    return FakeEmbedders(FakeEmbedder(pause_s=pause_s, keeps_calls=False))


def cut(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    return chunker_for(from_json(strategy), None).chunk(extract)


@dataclass(frozen=True, slots=True)
class Wraps:
    """What is put around the real parts, to see what they are asked."""

    parser: Callable[[Parser], Parser] = lambda parser: parser
    engine: Callable[[JobEngine], JobEngine] = lambda engine: engine
    store: Callable[[VectorStore], VectorStore] = lambda store: store


@dataclass(slots=True)
class DocumentSide:
    archive: DocumentRuntime
    store: VectorStore
    database: Database
    blobs: BlobFolder
    pipeline: RetrievalPipeline
    loop: asyncio.AbstractEventLoop

    @property
    def library(self) -> Library:
        return self.archive.library

    @property
    def collection(self) -> str:
        return self.archive.views.snapshot(STORE).collection

    @property
    def is_idle(self) -> bool:
        """Whether all jobs have ended, and are known to have been left: only then their leavings are cleaned up."""
        with self.database.read() as connection:
            left = jobs.c.state.in_(("queued", "running")) | jobs.c.alive_at.is_not(None)
            return connection.execute(sa.select(jobs.c.id).where(left).limit(1)).first() is None

    def upload(self, filename: str, content: bytes) -> UploadedFile:
        """As the HTTP side leaves it."""
        path = self.blobs.incoming / uuid.uuid4().hex
        path.write_bytes(content)
        return UploadedFile(filename, path, len(content), hashlib.sha256(content).hexdigest())

    def search(self, text: str, mode: SearchMode, top_k: int = 10, filters: Any = None) -> RetrievalResult:
        question = RetrievalRequest(text, STORE, {"mode": mode, "top_k": top_k}, filters)
        return asyncio.run_coroutine_threadsafe(self.pipeline.retrieve(question), self.loop).result(_ANSWERS_IN_S)


@contextmanager
def document_side(
    folder: Path, embedders: Embedders, *, wraps: Wraps | None = None, at_once: int = 4, max_chars: int = 200
) -> Iterator[DocumentSide]:
    """Everything below `folder`; jobs that an earlier process left go on.

    Args:
        max_chars: Of a chunk.
    """
    wraps = wraps or Wraps()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop", daemon=True)
    thread.start()
    database = Database(f"sqlite:///{folder / 'catalog.db'}")
    store = wraps.store(MilvusStore(str(folder / "milvus.db")))
    tools = Dependencies(
        database=database,
        blobs=BlobFolder(folder / "blobs"),
        store=store,
        parser=wraps.parser(ParserProcess()),
        embedders=embedders,
        engine=wraps.engine(DbosJobs(f"sqlite:///{folder / 'jobs.db'}", at_once=at_once)),
        chunk_extract=cut,
        chunking=RecursiveStrategy(max_chars, max_chars // 10),
    )
    archive = DocumentRuntime(tools, loop)
    options = RetrieveOptions(candidates=50, duplicates=1)
    pipeline = make_pipeline(archive.encoders, store, archive.views, leases=archive.leases, options=options)
    try:
        archive.start()
        yield DocumentSide(archive, store, database, tools.blobs, pipeline, loop)
    finally:
        archive.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
