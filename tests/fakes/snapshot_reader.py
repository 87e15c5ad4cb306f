from __future__ import annotations

from collections.abc import Callable, Collection

from rag.catalog.documents.visibility import Snapshot
from rag.errors import VectorStoreNotFound
from tests.fakes.store.vector_store import FakeVectorStore


class FakeSnapshotReader:
    """Every collection is a vector store of the same name at `revision`; versions in `hidden_versions` are hidden."""

    def __init__(self, store: FakeVectorStore) -> None:
        self._store = store
        self.hidden_versions: set[str] = set()
        self.revision = 0
        self.retrieval = ""
        self.sparse_embedder = ""
        self.groups: tuple[str, ...] | None = None
        self.reads = 0
        """Number of snapshots that were read."""
        self.while_reading: Callable[[], object] = lambda: None

    def snapshot(self, store: str) -> Snapshot:
        self.reads += 1
        self.while_reading()
        if not self._store.exists(store):
            raise VectorStoreNotFound(f"there is no vector store {store!r}", param="vector_store")
        dimensions, model = self._store.models[self._store._real(store)]
        return Snapshot(
            store,
            self.revision,
            store,
            model,
            dimensions,
            sparse_embedder=self.sparse_embedder,
            retrieval=self.retrieval,
            groups=self.groups,
        )

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        return self.hidden_versions & set(version_ids)
