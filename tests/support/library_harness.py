"""The document side of the service in one process: the real catalog, blobs, flows and janitor with fakes around it."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.catalog.documents import job_records
from rag.catalog.tables.schema import jobs
from rag.chunkers import RecursiveStrategy, chunker_for
from rag.chunkers.strategy import from_json
from rag.ingest.question_generation import LanguageModel
from rag.library.document_runtime import Dependencies, DocumentRuntime
from rag.library.service import Library
from rag.records import ENDED, Cursor, JobRecord, Strategy, UploadedFile
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.result import RetrievalResult
from rag.types import Chunk, Extract, Passage
from tests.fakes import (
    FakeEmbedder,
    FakeEmbedders,
    FakeJobEngine,
    FakeParser,
    FakeSparseEmbedders,
    FakeTokenCounter,
    FakeVectorStore,
)
from tests.support.catalogs import a_catalog
from tests.support.loop_in_thread import loop_in_thread
from tests.support.retrieval_harness import make_pipeline

STORE = "default"
ALL = Cursor(100, "asc")


def eventually(holds: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait until the condition is true. The timeout only ends a test that would hang."""
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, f"not true after {timeout_s:g} s"
        time.sleep(0.01)


class CountingChunker:
    """Splits extracts as the service does, and counts the calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, extract: Extract, strategy: Strategy) -> Sequence[Passage]:
        self.calls += 1
        return chunker_for(from_json(strategy), FakeTokenCounter()).chunk(extract)


class CountingBlobs(BlobFolder):
    """Counts how often an extract is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads = 0

    def read(self, blob_id: str) -> bytes:
        self.reads += 1
        return super().read(blob_id)


@dataclass(slots=True)
class LibraryHarness:
    """The document side, and the fakes around it."""

    runtime: DocumentRuntime
    database: Database
    store: FakeVectorStore
    parser: FakeParser
    embedders: FakeEmbedders
    engine: FakeJobEngine
    blobs: CountingBlobs
    chunker: CountingChunker
    loop: asyncio.AbstractEventLoop
    sparse: FakeSparseEmbedders

    @property
    def library(self) -> Library:
        return self.runtime.library

    def upload(self, filename: str, text: str) -> UploadedFile:
        path = self.blobs.incoming / uuid.uuid4().hex
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return UploadedFile(filename, path, len(text.encode()), digest)

    def ingest(self, *files: tuple[str, str], store: str = STORE, wait: bool = True, **options: Any) -> JobRecord:
        uploads = [self.upload(name, text) for name, text in files]
        job = self.library.ingest(store, uploads, options.pop("attributes", {}), **options)
        return self.library.wait(job.job_id, 30) if wait else job

    def search(self, text: str, *, store: str = STORE, top_k: int = 10, **options: Any) -> RetrievalResult:
        changes = {"top_k": top_k, **({"mode": options["mode"]} if "mode" in options else {})}
        return self.find(RetrievalRequest(text, store, changes, options.get("filters")))

    def find(self, question: RetrievalRequest) -> RetrievalResult:
        pipeline = make_pipeline(
            self.runtime.encoders,
            self.store,
            self.runtime.snapshots,
            leases=self.runtime.leases,
            sparse=self.sparse,
            options=RetrieveOptions(candidates=50, duplicates=1),
        )
        return asyncio.run_coroutine_threadsafe(pipeline.retrieve(question), self.loop).result(10)

    def texts(self, text: str, **options: Any) -> list[str]:
        return [hit.chunk.text for hit in self.search(text, **options).hits]

    def names(self, store: str = STORE) -> list[str]:
        return sorted(row.filename for row in self.library.documents(store, Cursor(100)).rows)

    def file_id(self, name: str, store: str = STORE) -> str:
        return next(row.file_id for row in self.library.documents(store, ALL).rows if row.filename == name)

    def rows(self, store: str = STORE) -> list[str]:
        """Texts of all rows in the vector store, visible or not."""
        return sorted(chunk.text for chunk in self.chunks(store))

    def chunks(self, store: str = STORE) -> list[Chunk]:
        """All chunks in the vector store, visible or not."""
        return [chunk for chunk, *_ in self.store.rows[self.runtime.snapshots.snapshot(store).collection]]

    def clean(self) -> None:
        """Clean up once all ended jobs are released by their flows: the janitor skips the versions of other jobs."""
        eventually(lambda: not self._jobs_being_released())
        self.runtime.janitor.clean()

    def _jobs_being_released(self) -> list[str]:
        """Jobs that count as ended, because all their files are done, while their flows still run."""
        alive = sa.select(jobs.c.id).where(jobs.c.alive_at.is_not(None))
        with self.database.read() as connection:
            ids = connection.execute(alive).scalars().all()
            return [job_id for job_id in ids if job_records.record(connection, job_id).state in ENDED]


@contextmanager
def make_harness(
    folder: Path,
    *,
    store: FakeVectorStore | None = None,
    embedders: FakeEmbedders | None = None,
    url: str | None = None,
    engine: FakeJobEngine | None = None,
    sparse: FakeSparseEmbedders | None = None,
    sparse_model: str = "",
    language_model: LanguageModel | None = None,
    questions: int | None = None,
) -> Iterator[LibraryHarness]:
    """A document side whose event loop runs in a thread, as in the service."""
    with loop_in_thread() as loop:
        database = a_catalog(folder) if url is None else Database(url)
        blobs, chunker = CountingBlobs(folder / "blobs"), CountingChunker()
        store, parser, engine = store or FakeVectorStore(), FakeParser(), engine or FakeJobEngine()
        embedders = embedders or FakeEmbedders(FakeEmbedder(), {"other-model": 32})
        sparse = sparse or FakeSparseEmbedders()
        dependencies = Dependencies(
            database=database,
            blobs=blobs,
            store=store,
            parser=parser,
            embedders=embedders,
            engine=engine,
            chunk_extract=chunker,
            chunking=RecursiveStrategy(questions=questions),
            sparse_embedders=sparse,
            sparse_model=sparse_model,
            language_model=language_model,
        )
        runtime = DocumentRuntime(dependencies, loop, shared_grace_s=0)
        runtime.start()
        harness = LibraryHarness(runtime, database, store, parser, embedders, engine, blobs, chunker, loop, sparse)
        try:
            yield harness
        finally:
            harness.parser.gate.set()
            runtime.stop()
