"""A vector store moves to another embedding model; see `rag.library.service.Library`."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from rag.catalog import jobs, stores
from rag.catalog.stores import Index
from rag.errors import Conflict
from rag.library.jobs import JobShelf
from rag.records import (
    JobRecord,
)


class ModelShelf(JobShelf):
    def reindex(self, store: str, embedder: str | None) -> JobRecord:
        model = self._parts.passages.embedder(embedder or self._embedder_of(store), lambda: None)
        if self._parts.sparse_model:
            self._parts.passages.sparse_embedder(self._parts.sparse_model, lambda: None)
        with self._database.write() as connection:
            store_id, active = self._movable(connection, store)
            if embedder is not None and active.embedder == model.model_name:
                raise Conflict(
                    f"the vector store is on {model.model_name!r} already; name no model to build its index anew",
                    param="embedder",
                )
            index = self._add_index(connection, store_id, model, "building")
            details = {"from": active.embedder, "to": index.embedder, "index": index.index_id}
            job_id = jobs.insert(connection, "reindex", store_id, details=details)
        return self._submitted(job_id)

    def _embedder_of(self, store: str) -> str:
        with self._database.read() as connection:
            return stores.active_index(connection, stores.resolve(connection, store).id).embedder

    def roll_back(self, store: str) -> JobRecord:
        with self._database.write() as connection:
            store_id, active = self._movable(connection, store)
            index = self._previous(connection, store_id)
            details = {"from": active.embedder, "to": index.embedder, "index": index.index_id}
            job_id = jobs.insert(connection, "reindex", store_id, details=details)
        return self._submitted(job_id)

    def forget_previous(self, store: str) -> Mapping[str, str]:
        with self._database.write() as connection:
            store_id, _ = self._movable(connection, store)
            index = self._previous(connection, store_id)
            stores.set_index_state(connection, index.index_id, "dropping")
        self.on_garbage()
        return {"index": index.index_id, "embedder": index.embedder}

    def _previous(self, connection: sa.Connection, store_id: str) -> Index:
        index = stores.index_in(connection, store_id, "previous")
        if index is None:
            raise Conflict("the vector store has no index from before", param="vector_store")
        return index

    def _movable(self, connection: sa.Connection, store: str) -> tuple[str, Index]:
        store_id: str = stores.resolve(connection, store).id
        stores.lock(connection, store_id)
        if jobs.unfinished(connection, store_id, "reindex"):
            raise Conflict("the vector store is on its way to another embedding model already", param="vector_store")
        return store_id, stores.active_index(connection, store_id)
