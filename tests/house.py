"""The document side of the service in one process: the real catalog, blobs, flows and janitor around fakes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.chunkers import RecursiveStrategy, chunker_for
from rag.chunkers.strategy import from_json
from rag.errors import UnsupportedFile
from rag.library.archive import Archive, Tools
from rag.library.sql_library import SqlLibrary
from rag.ports import Flow
from rag.records import Cursor, JobRecord, Received, Strategy
from rag.retrieve.search import Found, Query, Searcher
from rag.types import Extract, Passage
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore

T = TypeVar("T")
STORE = "default"


class FakeParser:
    """Reads UTF-8; a file that begins with `broken` is refused. `gate` holds it up."""

    def __init__(self) -> None:
        self.parsed: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    def parse(self, path: Path, filename: str) -> Extract:
        self.gate.wait(10)
        self.parsed.append(filename)
        text = path.read_text()
        if text.startswith("broken"):
            raise UnsupportedFile(f"{filename}: is broken", param=filename)
        return Extract(text, "text/plain")

    def close(self) -> None:
        self.closed = True


class ThreadJobs:
    """A JobEngine without memory: what stops is lost, and what `start` finds is nothing."""

    def __init__(self) -> None:
        self._flows: Mapping[str, Flow] = {}
        self._pool = ThreadPoolExecutor(8)
        self.submitted: list[str] = []

    def start(self, flows: Mapping[str, Flow]) -> None:
        self._flows = flows

    def submit(self, flow: str, job_id: str) -> None:
        if job_id not in self.submitted:
            self.submitted.append(job_id)
            self._pool.submit(self._flows[flow], job_id, self)

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        return work(*arguments)

    def forget(self, job_ids: Sequence[str]) -> None:
        self.submitted = [job_id for job_id in self.submitted if job_id not in job_ids]

    def stop(self) -> None:
        self._pool.shutdown(wait=True)


def cut(extract: Extract, strategy: Strategy) -> Sequence[Passage]:
    return chunker_for(from_json(strategy), None).chunk(extract)


@dataclass(slots=True)
class House:
    archive: Archive
    database: Database
    store: FakeVectorStore
    parser: FakeParser
    embedders: FakeEmbedders
    engine: ThreadJobs
    blobs: BlobFolder
    loop: asyncio.AbstractEventLoop

    @property
    def library(self) -> SqlLibrary:
        return self.archive.library

    def upload(self, filename: str, text: str) -> Received:
        import hashlib
        import uuid

        path = self.blobs.incoming / uuid.uuid4().hex
        path.write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Received(filename, path, len(text.encode()), digest)

    def ingest(self, *files: tuple[str, str], store: str = STORE, wait: bool = True, **options: Any) -> JobRecord:
        uploads = [self.upload(name, text) for name, text in files]
        job = self.library.ingest(store, uploads, options.pop("attributes", {}), **options)
        return self.library.wait(job.job_id, 10) if wait else job

    def search(self, text: str, *, store: str = STORE, top_k: int = 10, **options: Any) -> Found:
        searcher = Searcher(
            self.archive.encoders,
            self.store,
            self.archive.views,
            self.archive.leases,
            candidates=50,
            dense_weight=0.5,
        )
        query = Query(text, store, top_k, options.pop("mode", "hybrid"), **options)
        return asyncio.run_coroutine_threadsafe(searcher.search(query), self.loop).result(10)

    def texts(self, text: str, **options: Any) -> list[str]:
        return [hit.chunk.text for hit in self.search(text, **options).hits]

    def names(self, store: str = STORE) -> list[str]:
        return sorted(row.filename for row in self.library.documents(store, Cursor(100)).rows)

    def rows(self, store: str = STORE) -> list[str]:
        """Texts of all rows in the vector store, whoever may see them."""
        collection = self.archive.views.snapshot(store).collection
        return sorted(chunk.text for chunk in self.store.chunks(collection))

    def clean(self) -> None:
        self.archive.janitor.clean()


@contextmanager
def a_house(
    folder: Path,
    *,
    store: FakeVectorStore | None = None,
    embedders: FakeEmbedders | None = None,
    url: str | None = None,
    engine: Any = None,
) -> Iterator[House]:
    """A house with a running event loop in a thread, as the service has one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    database = Database(url or f"sqlite:///{folder / 'catalog.db'}")
    blobs = BlobFolder(folder / "blobs")
    tools = Tools(
        database=database,
        blobs=blobs,
        store=store or FakeVectorStore(),
        parser=FakeParser(),
        embedders=embedders or FakeEmbedders(FakeEmbedder(), {"other-model": 32}),
        engine=engine or ThreadJobs(),
        cut=cut,
        chunking=RecursiveStrategy(),
    )
    archive = Archive(tools, loop, shared_grace_s=0)
    archive.start()
    house = House(
        archive, database, tools.store, tools.parser, tools.embedders, tools.engine, blobs, loop  # type: ignore[arg-type]
    )
    try:
        yield house
    finally:
        archive.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
