"""What the parts of the library share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog import stores
from rag.catalog.database import Database
from rag.catalog.stores import Index
from rag.chunkers.strategy import ChunkingStrategy
from rag.encoders import StoreEncoders
from rag.ingest.encoding import PassageEncoder
from rag.ports import Embedder, JobEngine, VectorStore


@dataclass(frozen=True, slots=True)
class LibraryParts:
    """What the library works with."""

    database: Database
    blobs: BlobFolder
    store: VectorStore
    engine: JobEngine
    encoders: StoreEncoders
    passages: PassageEncoder
    chunking: ChunkingStrategy
    """Of stores that say nothing of it."""
    sparse_model: str = ""
    """The learned sparse model of indexes that are made from now on; empty: none."""


class Shelf:
    """Args:
    on_garbage: Called when something was replaced or deleted whose rows can go.
    """

    def __init__(self, parts: LibraryParts, on_garbage: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._database = parts.database
        self._blobs = parts.blobs
        self.on_garbage = on_garbage

    def _add_index(self, connection: sa.Connection, store_id: str, model: Embedder, state: str) -> Index:
        """A new index of this model, as indexes are made by now."""
        return stores.add_index(
            connection, store_id, model.model_name, model.dimensions, state, self._parts.sparse_model
        )
