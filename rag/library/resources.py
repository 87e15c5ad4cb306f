"""The dependencies of the library's operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.catalog.documents import stores
from rag.catalog.documents.stores import Index
from rag.catalog.tables.rows import IndexState
from rag.chunkers.strategy import ChunkingStrategy
from rag.encoders import StoreEncoders
from rag.ingest.encoding import PassageEncoder
from rag.ports import Embedder, JobEngine, VectorStore


@dataclass(frozen=True, slots=True)
class LibraryResources:
    """The stores, models and services that the operations use."""

    database: Database
    blobs: BlobFolder
    store: VectorStore
    engine: JobEngine
    encoders: StoreEncoders
    passages: PassageEncoder
    chunking: ChunkingStrategy
    """The strategy for vector stores that set none."""
    request_cleanup: Callable[[], None]
    """Called when something was replaced or deleted, so that the janitor removes its rows and bytes soon."""
    sparse_model: str = ""
    """The learned sparse model of new indexes; empty: none."""

    def add_index(self, connection: sa.Connection, store_id: str, model: Embedder, state: IndexState) -> Index:
        """Insert an index for an embedding model, with the configured sparse model."""
        return stores.add_index(connection, store_id, model.model_name, model.dimensions, state, self.sparse_model)
