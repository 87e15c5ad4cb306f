"""What the parts of the library share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.chunkers.strategy import ChunkingStrategy
from rag.encoders import StoreEncoders
from rag.ingest.encoding import PassageEncoder
from rag.ports import JobEngine, VectorStore


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


class Shelf:
    """Args:
    on_garbage: Called when something was replaced or deleted whose rows can go.
    """

    def __init__(self, parts: LibraryParts, on_garbage: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._database = parts.database
        self._blobs = parts.blobs
        self.on_garbage = on_garbage
