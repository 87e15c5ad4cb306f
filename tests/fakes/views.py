from __future__ import annotations

from collections.abc import Collection

from rag.catalog.visibility import Snapshot
from rag.errors import VectorStoreNotFound
from tests.fakes.vector_store import FakeVectorStore


class FakeViews:
    """Every collection of a store is a vector store of that name, at `revision`; `unseen` versions are hidden."""

    def __init__(self, store: FakeVectorStore) -> None:
        self._store = store
        self.unseen: set[str] = set()
        self.revision = 0
        self.retrieval = ""
        self.sparse_embedder = ""

    def snapshot(self, store: str) -> Snapshot:
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
        )

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        return self.unseen & set(version_ids)
