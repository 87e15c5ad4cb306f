"""The document side of the service in one process: the real catalog, blobs, flows and janitor around fakes."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.chunkers import RecursiveStrategy, chunker_for
from rag.chunkers.strategy import from_json
from rag.ingest.question_generation import LanguageModel
from rag.library.document_runtime import Dependencies, DocumentRuntime
from rag.library.sql_library import SqlLibrary
from rag.records import Cursor, JobRecord, Received, Strategy
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
from tests.support.retrieval_harness import a_finder

STORE = "default"
ALL = Cursor(100, "asc")


def eventually(holds: Callable[[], object], timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


def cut(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    return chunker_for(from_json(strategy), FakeTokenCounter()).chunk(extract)


@dataclass(slots=True)
class House:
    archive: DocumentRuntime
    database: Database
    store: FakeVectorStore
    parser: FakeParser
    embedders: FakeEmbedders
    engine: FakeJobEngine
    blobs: BlobFolder
    loop: asyncio.AbstractEventLoop
    sparse: FakeSparseEmbedders

    @property
    def library(self) -> SqlLibrary:
        return self.archive.library

    def upload(self, filename: str, text: str) -> Received:
        path = self.blobs.incoming / uuid.uuid4().hex
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Received(filename, path, len(text.encode()), digest)

    def ingest(self, *files: tuple[str, str], store: str = STORE, wait: bool = True, **options: Any) -> JobRecord:
        uploads = [self.upload(name, text) for name, text in files]
        job = self.library.ingest(store, uploads, options.pop("attributes", {}), **options)
        return self.library.wait(job.job_id, 10) if wait else job

    def search(self, text: str, *, store: str = STORE, top_k: int = 10, **options: Any) -> RetrievalResult:
        changes = {"top_k": top_k, **({"mode": options["mode"]} if "mode" in options else {})}
        return self.find(RetrievalRequest(text, store, changes, options.get("filters")))

    def find(self, question: RetrievalRequest) -> RetrievalResult:
        finder = a_finder(
            self.archive.encoders,
            self.store,
            self.archive.views,
            leases=self.archive.leases,
            sparse=self.sparse,
            options=RetrieveOptions(candidates=50, duplicates=1),
        )
        return asyncio.run_coroutine_threadsafe(finder.find(question), self.loop).result(10)

    def texts(self, text: str, **options: Any) -> list[str]:
        return [hit.chunk.text for hit in self.search(text, **options).hits]

    def names(self, store: str = STORE) -> list[str]:
        return sorted(row.filename for row in self.library.documents(store, Cursor(100)).rows)

    def file_id(self, name: str, store: str = STORE) -> str:
        return next(row.file_id for row in self.library.documents(store, ALL).rows if row.filename == name)

    def rows(self, store: str = STORE) -> list[str]:
        """Texts of all rows in the vector store, whoever may see them."""
        return sorted(chunk.text for chunk in self.chunks(store))

    def chunks(self, store: str = STORE) -> list[Chunk]:
        """Those rows."""
        return [chunk for chunk, *_ in self.store.rows[self.archive.views.snapshot(store).collection]]

    def clean(self) -> None:
        self.archive.janitor.clean()


@functools.cache
def an_empty_catalog() -> bytes:
    """A SQLite file with all tables: to copy it takes a moment, to make it anew several times as long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        Database(f"sqlite:///{path}").close()
        return path.read_bytes()


@contextmanager
def a_house(
    folder: Path,
    *,
    store: FakeVectorStore | None = None,
    embedders: FakeEmbedders | None = None,
    url: str | None = None,
    engine: Any = None,
    sparse: FakeSparseEmbedders | None = None,
    sparse_model: str = "",
    language_model: LanguageModel | None = None,
    questions: int | None = None,
) -> Iterator[House]:
    """A house with a running event loop in a thread, as the service has one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    catalog = folder / "catalog.db"
    if url is None and not catalog.exists():
        catalog.write_bytes(an_empty_catalog())
    database = Database(url or f"sqlite:///{catalog}")
    blobs = BlobFolder(folder / "blobs")
    tools = Dependencies(
        database=database,
        blobs=blobs,
        store=store or FakeVectorStore(),
        parser=FakeParser(),
        embedders=embedders or FakeEmbedders(FakeEmbedder(), {"other-model": 32}),
        engine=engine or FakeJobEngine(),
        cut=cut,
        chunking=RecursiveStrategy(questions=questions),
        sparse_embedders=sparse or FakeSparseEmbedders(),
        sparse_model=sparse_model,
        language_model=language_model,
    )
    archive = DocumentRuntime(tools, loop, shared_grace_s=0)
    archive.start()
    own: Any = tools
    house = House(
        archive, database, own.store, own.parser, own.embedders, own.engine, blobs, loop, own.sparse_embedders
    )
    try:
        yield house
    finally:
        house.parser.gate.set()
        archive.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
