"""Vector stores; see `rag.library.service.Library`."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from rag.catalog import documents, jobs, stores, versions
from rag.catalog.stores import DEFAULT_STORE, Index
from rag.errors import Conflict, NotFound, RagError
from rag.library.shelf import Shelf
from rag.records import (
    Cursor,
    NewStore,
    Page,
    StoreRecord,
)

_TOLD = 10
_log = logging.getLogger("rag.library")


class StoreShelf(Shelf):
    def ensure_default(self) -> None:
        """Make the vector store `default` if it is not there; move it to the configured model while it is empty."""
        with self._database.write() as connection:
            with suppress(NotFound):
                stores.resolve(connection, DEFAULT_STORE)
                self._refill_if_empty(connection)
                return
            self._insert_store(connection, NewStore(name=DEFAULT_STORE), DEFAULT_STORE)
        self.make_collections()

    def _refill_if_empty(self, connection: sa.Connection) -> None:
        index = stores.active_index(connection, DEFAULT_STORE)
        configured = self._parts.encoders.configured
        is_another = (index.embedder, index.sparse_embedder) != (configured.model_name, self._parts.sparse_model)
        if is_another and not documents.of_store(connection, DEFAULT_STORE):
            stores.set_index_state(connection, index.index_id, "dropping")
            self._add_index(connection, DEFAULT_STORE, configured, "active")

    def make_collections(self) -> None:
        """Bring Milvus to what the catalog says: a crash may have come between the two."""
        with self._database.read() as connection:
            active = stores.all_indexes(connection, "active")
        for index in active:
            self._make(index)

    def _make(self, index: Index) -> None:
        self._parts.store.create(index.index_id, index.dimensions, index.embedder, sparse_model=index.sparse_embedder)
        self._parts.store.point_alias(index.store_id, index.index_id)

    def tell_of_other_sparse_models(self) -> None:
        """Log once which vector stores have no vectors of the configured sparse model, and what to do."""
        if not (model := self._parts.sparse_model):
            return
        with self._database.read() as connection:
            names = stores.names_without_sparse(connection, model)
        if names:
            told = ", ".join(repr(name) for name in names[:_TOLD])
            more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
            _log.warning(
                "vector stores without vectors of the sparse model %s: %s%s; to make them: "
                "python -m rag reindex --store NAME --rebuild",
                model,
                told,
                more,
            )

    def check_default(self) -> None:
        """Raises EmbeddingMismatch when the vector store `default` was filled by another model than the configured."""
        with self._database.read() as connection:
            index = stores.active_index(connection, DEFAULT_STORE)
        self._parts.encoders.check(DEFAULT_STORE, index.embedder)

    def create_store(self, new: NewStore) -> StoreRecord:
        with self._database.write() as connection:
            index = self._insert_store(connection, new)
        try:
            self._make(index)
        except RagError:
            with suppress(RagError):  # else its collection is made at the next start
                self.delete_store(index.store_id)
            raise
        return self.store(index.store_id)

    def _insert_store(self, connection: sa.Connection, new: NewStore, store_id: str | None = None) -> Index:
        made = stores.insert(connection, new, store_id=store_id)
        return self._add_index(connection, made, self._parts.encoders.configured, "active")

    def stores(self, cursor: Cursor) -> Page[StoreRecord]:
        with self._database.read() as connection:
            page = stores.page(connection, cursor)
            return Page([_store_record(connection, row) for row in page.rows], page.has_more)

    def store(self, store: str) -> StoreRecord:
        with self._database.read() as connection:
            return _store_record(connection, stores.resolve(connection, store))

    def update_store(self, store: str, changes: NewStore) -> StoreRecord:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.update(connection, store_id, changes)
            return _store_record(connection, stores.resolve(connection, store_id))

    def delete_store(self, store: str) -> str:
        with self._database.write() as connection:
            store_id: str = stores.resolve(connection, store).id
            if store_id == DEFAULT_STORE:
                raise Conflict("the vector store 'default' cannot be deleted; delete its files", param="vector_store")
            stores.lock(connection, store_id)
            for job in jobs.unfinished(connection, store_id):
                jobs.end(connection, job.id, "cancelled")
            for document in documents.of_store(connection, store_id):
                versions.remove_document(connection, document)
            stores.delete(connection, store_id)
        self._parts.store.drop_alias(store_id)
        self.on_garbage()
        return store_id


def _store_record(connection: sa.Connection, row: Any) -> StoreRecord:
    counts, size = documents.counts(connection, row.id)
    expires = stores.expires_at(row)
    status: Any = "in_progress" if counts.in_progress else "completed"
    if expires is not None and expires < time.time():
        status = "expired"
    index = stores.active_index(connection, row.id)
    return StoreRecord(
        store_id=row.id,
        name=row.name,
        created_at=row.created_at,
        last_active_at=row.last_active_at,
        usage_bytes=size,
        file_counts=counts,
        embedder=index.embedder,
        description=row.description or "",
        metadata=row.metadata,
        chunking=row.chunking,
        expires_after_days=row.expires_after_days,
        expires_at=expires,
        status=status,
        retrieval=row.retrieval,
        sparse_embedder=index.sparse_embedder,
    )
