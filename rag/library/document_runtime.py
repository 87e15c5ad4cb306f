"""Builds and runs the document side of the service: the library, its jobs, its janitor, and snapshots for queries."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from functools import partial

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.chunkers.strategy import ChunkingStrategy
from rag.encoders import StoreEncoders
from rag.ingest.encoding import PassageEncoder
from rag.ingest.flow import ingest_flow
from rag.ingest.parse_slots import ParseSlots
from rag.ingest.progress import RunningJobs
from rag.ingest.question_generation import LanguageModel, QuestionGenerator, QuestionSteps
from rag.ingest.reindex import ReindexWork, reindex_flow
from rag.ingest.version_chunks import ChunkExtract, VersionChunks
from rag.ingest.work import IngestWork
from rag.ingest.writing import ChunkWriter
from rag.library.documents import jobs, stores
from rag.library.documents.attached_files import AttachedFiles
from rag.library.janitor import Janitor
from rag.library.resources import LibraryResources
from rag.library.service import Library
from rag.ports import Embedders, JobEngine, Parser, SparseEmbedders, VectorStore
from rag.retrieve.lease import ReadLease
from rag.retrieve.snapshot_reader import CatalogSnapshotReader

_SHARED_GRACE_S = 60.0
"""Longer than any query: a replica cannot know which queries of other replicas still see a replaced version."""
_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The adapters and settings that the runtime is built from."""

    database: Database
    blobs: BlobFolder
    store: VectorStore
    parser: Parser
    embedders: Embedders
    engine: JobEngine
    chunk_extract: ChunkExtract
    chunking: ChunkingStrategy
    """The strategy for vector stores that set none."""
    sparse_embedders: SparseEmbedders | None = None
    sparse_model: str = ""
    """The learned sparse model of indexes that are created or rebuilt from now on; empty: none."""
    audit_days: int = 90
    """How long entries of the audit log are kept."""
    language_model: LanguageModel | None = None
    """Generates questions about passages, if a chunking strategy requests them."""


class DocumentRuntime:
    """The document side of the service.

    Args:
        loop: The running event loop in which the embedders are used.
        shared_grace_s: How long the rows of a replaced version are kept if other replicas may be reading them.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        loop: asyncio.AbstractEventLoop,
        *,
        shared_grace_s: float = _SHARED_GRACE_S,
    ) -> None:
        database, blobs, store = dependencies.database, dependencies.blobs, dependencies.store
        self._dependencies = dependencies
        self.encoders = StoreEncoders(dependencies.embedders)
        self.snapshots = CatalogSnapshotReader(database)
        self.leases = ReadLease()
        self.running = RunningJobs(database)
        passages = PassageEncoder(self.encoders, loop, dependencies.sparse_embedders)
        chunks = VersionChunks(blobs, dependencies.chunk_extract)
        writer = ChunkWriter(store, passages)
        generator = QuestionGenerator(dependencies.language_model, loop)
        questions = QuestionSteps(database, blobs, chunks, self.running, generator)
        slots = ParseSlots(loop)
        self._ingest = IngestWork(
            database, blobs, store, dependencies.parser, chunks, writer, self.running, questions, slots
        )
        self.attached_files = AttachedFiles(database, blobs, dependencies.parser, slots)
        self._reindex = ReindexWork(database, store, chunks, writer, self.running, self.encoders)
        cleanup_wanted = threading.Event()
        self._resources = LibraryResources(
            database=database,
            blobs=blobs,
            store=store,
            engine=dependencies.engine,
            encoders=self.encoders,
            passages=passages,
            chunking=dependencies.chunking,
            request_cleanup=cleanup_wanted.set,
            sparse_model=dependencies.sparse_model,
        )
        self.library = Library(self._resources)
        grace_s = 0.0 if database.is_sqlite else shared_grace_s
        self.janitor = Janitor(
            self._resources, self.leases, cleanup_wanted, grace_s=grace_s, audit_days=dependencies.audit_days
        )

    def start(self) -> None:
        """Prepare the stores, start the job engine and resume unfinished jobs. Blocks for a moment."""
        stores.ensure_default(self._resources)
        stores.create_collections(self._resources)
        stores.warn_about_missing_sparse_vectors(self._resources)
        self._dependencies.engine.start(
            {"ingest": partial(ingest_flow, self._ingest), "reindex": partial(reindex_flow, self._reindex)}
        )
        jobs.resume(self._resources)
        self.janitor.start()

    def stop(self) -> None:
        """Stop all work and close the dependencies. Blocks for some seconds at most. Jobs resume at the next start."""
        self.running.stop()
        self.janitor.stop()
        self._dependencies.engine.stop()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while self.running.active and time.monotonic() < deadline:
            time.sleep(0.02)
        self._dependencies.parser.close()
        self._dependencies.store.close()
        self._dependencies.database.close()
