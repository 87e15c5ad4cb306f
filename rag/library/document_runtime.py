"""Everything that documents need, wired: the library, its jobs and its janitor, and what questions see."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.chunkers.strategy import ChunkingStrategy
from rag.encoders import StoreEncoders
from rag.ingest.encoding import PassageEncoder
from rag.ingest.flow import ingest_flow
from rag.ingest.progress import RunningJobs
from rag.ingest.question_generation import AskingWork, LanguageModel, PassageAsker
from rag.ingest.reindex import ReindexWork, reindex_flow
from rag.ingest.work import IngestWork
from rag.ingest.writing import ChunkWriter, Cut
from rag.library.janitor import Janitor
from rag.library.sql_library import LibraryParts, SqlLibrary
from rag.ports import Embedders, JobEngine, Parser, SparseEmbedders, VectorStore
from rag.retrieve.lease import ReadLease
from rag.retrieve.snapshot_reader import CatalogSnapshotReader

_SHARED_GRACE_S = 60.0
"""Longer than any question: with several replicas nobody knows who still sees a replaced version."""
_LET_GO_S = 10.0


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What comes from outside."""

    database: Database
    blobs: BlobFolder
    store: VectorStore
    parser: Parser
    embedders: Embedders
    engine: JobEngine
    cut: Cut
    chunking: ChunkingStrategy
    """Of vector stores that say nothing of it."""
    sparse_embedders: SparseEmbedders | None = None
    sparse_model: str = ""
    """The learned sparse model of vector stores that are made, or built anew, from now on; empty: none."""
    language_model: LanguageModel | None = None
    """Makes questions of passages, where that is asked for."""


class DocumentRuntime:
    """Args:
    loop: The running event loop, which the embedders are used in.
    shared_grace_s: Seconds that a replaced version's rows stay when other replicas may still be reading them.
    """

    def __init__(
        self, tools: Dependencies, loop: asyncio.AbstractEventLoop, *, shared_grace_s: float = _SHARED_GRACE_S
    ) -> None:
        self.encoders = StoreEncoders(tools.embedders)
        self.views = CatalogSnapshotReader(tools.database)
        self.leases = ReadLease()
        self.running = RunningJobs(tools.database)
        self._tools = tools
        passages = PassageEncoder(self.encoders, loop, tools.sparse_embedders)
        writer = ChunkWriter(tools.store, passages, tools.blobs, tools.cut)
        asker = PassageAsker(tools.language_model, loop)
        asking = AskingWork(tools.database, tools.blobs, writer, self.running, asker)
        self._ingest = IngestWork(tools.database, tools.blobs, tools.store, tools.parser, writer, self.running, asking)
        self._reindex = ReindexWork(tools.database, tools.store, writer, self.running, self.encoders)
        parts = LibraryParts(
            tools.database,
            tools.blobs,
            tools.store,
            tools.engine,
            self.encoders,
            passages,
            tools.chunking,
            tools.sparse_model,
        )
        self.library = SqlLibrary(parts)
        self.janitor = Janitor(
            tools.database,
            tools.blobs,
            tools.store,
            tools.engine,
            self.leases,
            delete_file=self.library.delete_file,
            resubmit=self.library.resubmit,
            grace_s=0.0 if tools.database.is_sqlite else shared_grace_s,
        )
        self.library.on_garbage = self.janitor.soon

    def start(self) -> None:
        """Blocks for a moment. Jobs that were broken off go on."""
        self.library.ensure_default()
        self.library.make_collections()
        self.library.tell_of_other_sparse_models()
        self._tools.engine.start(
            {"ingest": partial(ingest_flow, self._ingest), "reindex": partial(reindex_flow, self._reindex)}
        )
        self.library.resume()
        self.janitor.start()

    def stop(self) -> None:
        """Blocks for seconds at most. Jobs in work go on at the next start."""
        self.running.stop()
        self.janitor.stop()
        self._tools.engine.stop()
        until = time.monotonic() + _LET_GO_S
        while self.running.active and time.monotonic() < until:
            time.sleep(0.02)
        self._tools.parser.close()
        self._tools.store.close()
        self._tools.database.close()
