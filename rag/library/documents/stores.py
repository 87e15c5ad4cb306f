"""Operations on vector stores."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Literal

import sqlalchemy as sa

from rag.auth.caller import DEFAULT_TENANT, current_tenant
from rag.catalog import versions
from rag.catalog.documents import documents, jobs, stores
from rag.catalog.documents.stores import Index
from rag.catalog.tables.rows import StoreRow
from rag.catalog.tenants import quotas
from rag.errors import Conflict, InsufficientPermissions, NotFound, RagError
from rag.library.resources import LibraryResources
from rag.records import DEFAULT_STORE, Cursor, NewStore, Page, StoreRecord

_MAX_LOGGED_NAMES = 10
_log = logging.getLogger("rag.library")


# --- at start ----------------------------------------------------------------------------------


def ensure_tenant(resources: LibraryResources, tenant: str) -> None:
    """Create the vector store `default` of a tenant if it is missing."""
    if tenant == DEFAULT_TENANT:
        return
    store_id = stores.default_id(tenant)
    with resources.database.write() as connection:
        if stores.exists(connection, store_id):
            return
        index = _insert(resources, connection, NewStore(name=DEFAULT_STORE), store_id, tenant)
    _create_collection(resources, index)  # if this fails, it is created at the next start


def ensure_default(resources: LibraryResources) -> None:
    """Create the vector store `default` if it is missing. While it is empty, it takes over the configured model."""
    with resources.database.write() as connection:
        with suppress(NotFound):
            stores.resolve(connection, DEFAULT_STORE)
            _replace_index_if_empty(resources, connection)
            return
        _insert(resources, connection, NewStore(name=DEFAULT_STORE), DEFAULT_STORE)
    create_collections(resources)


def _replace_index_if_empty(resources: LibraryResources, connection: sa.Connection) -> None:
    index = stores.active_index(connection, DEFAULT_STORE)
    configured = resources.encoders.configured
    has_others = (index.embedder, index.sparse_embedder) != (configured.model_name, resources.sparse_model)
    if has_others and not documents.of_store(connection, DEFAULT_STORE):
        stores.set_index_state(connection, index.index_id, "dropping")
        resources.add_index(connection, DEFAULT_STORE, configured, "active")


def create_collections(resources: LibraryResources) -> None:
    """Create the collections of active indexes that are missing in Milvus, for example after a crash."""
    with resources.database.read() as connection:
        active = stores.all_indexes(connection, "active")
    for index in active:
        _create_collection(resources, index)


def _create_collection(resources: LibraryResources, index: Index) -> None:
    resources.store.create(index.index_id, index.dimensions, index.embedder, sparse_model=index.sparse_embedder)
    resources.store.point_alias(index.store_id, index.index_id)


def warn_about_missing_sparse_vectors(resources: LibraryResources) -> None:
    """Log which vector stores have no vectors of the configured sparse model, and how to add them."""
    if not (model := resources.sparse_model):
        return
    with resources.database.read() as connection:
        names = stores.names_without_sparse(connection, model)
    if names:
        listed = ", ".join(repr(name) for name in names[:_MAX_LOGGED_NAMES])
        more = f" and {len(names) - _MAX_LOGGED_NAMES} more" if len(names) > _MAX_LOGGED_NAMES else ""
        _log.warning(
            "vector stores without vectors of the sparse model %s: %s%s; to add them, run "
            "python -m rag reindex --store NAME --rebuild",
            model,
            listed,
            more,
        )


def check_default(resources: LibraryResources) -> None:
    with resources.database.read() as connection:
        index = stores.active_index(connection, DEFAULT_STORE)
    resources.encoders.check(DEFAULT_STORE, index.embedder)


# --- operations --------------------------------------------------------------------------------


def create(resources: LibraryResources, new: NewStore) -> StoreRecord:
    with resources.database.write() as connection, quotas.enforced(connection, "max_vector_stores"):
        index = _insert(resources, connection, new)
    try:
        _create_collection(resources, index)
    except RagError:
        with suppress(RagError):  # if this fails too, the collection is created at the next start
            delete(resources, index.store_id)
        raise
    return get(resources, index.store_id)


def _insert(
    resources: LibraryResources,
    connection: sa.Connection,
    new: NewStore,
    store_id: str | None = None,
    tenant: str | None = None,
) -> Index:
    new_id = stores.insert(connection, new, store_id=store_id, tenant=tenant)
    return resources.add_index(connection, new_id, resources.encoders.configured, "active")


def page(resources: LibraryResources, cursor: Cursor) -> Page[StoreRecord]:
    with resources.database.read() as connection:
        rows = stores.page(connection, cursor)
        return Page([_to_record(connection, row) for row in rows.rows], rows.has_more)


def get(resources: LibraryResources, store: str) -> StoreRecord:
    with resources.database.read() as connection:
        return _to_record(connection, stores.resolve(connection, store))


def update(resources: LibraryResources, store: str, changes: NewStore) -> StoreRecord:
    with resources.database.write() as connection:
        store_id = stores.resolve(connection, store).id
        stores.update(connection, store_id, changes)
        return _to_record(connection, stores.resolve(connection, store_id))


def delete(resources: LibraryResources, store: str) -> str:
    with resources.database.write() as connection:
        store_id = stores.resolve(connection, store).id
        if store_id == stores.default_id(current_tenant()):
            raise Conflict(
                "the vector store 'default' cannot be deleted; delete its files instead", param="vector_store"
            )
        stores.lock(connection, store_id)
        if documents.has_unreadable(connection, store_id):
            raise InsufficientPermissions("the vector store has documents that you may not read")
        for job in jobs.unfinished(connection, store_id):
            jobs.end(connection, job.id, "cancelled")
        for document in documents.of_store(connection, store_id):
            versions.remove_document(connection, document)
        stores.delete(connection, store_id)
    resources.store.drop_alias(store_id)
    resources.request_cleanup()
    return store_id


def _to_record(connection: sa.Connection, row: StoreRow) -> StoreRecord:
    counts, size = documents.counts(connection, row.id)
    expires_at = stores.expires_at(row.last_active_at, row.expires_after_days)
    status: Literal["completed", "in_progress", "expired"] = "in_progress" if counts.in_progress else "completed"
    if expires_at is not None and expires_at < time.time():
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
        expires_at=expires_at,
        status=status,
        retrieval=row.retrieval,
        sparse_embedder=index.sparse_embedder,
    )
