"""Operations that move a vector store to another embedding model, or rebuild its index."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from rag.catalog.documents import jobs as job_rows
from rag.catalog.documents import stores
from rag.catalog.documents.stores import Index
from rag.catalog.tables.rows import JobDetails
from rag.catalog.tenants import quotas
from rag.errors import Conflict
from rag.library.documents import jobs
from rag.library.resources import LibraryResources
from rag.records import JobRecord


def reindex(resources: LibraryResources, store: str, embedder: str | None) -> JobRecord:
    model = resources.passages.embedder(embedder or _embedder_of(resources, store), lambda: None)
    if resources.sparse_model:
        resources.passages.sparse_embedder(resources.sparse_model, lambda: None)
    with resources.database.write() as connection:
        store_id, active = _lock_for_reindex(connection, store)
        if embedder is not None and active.embedder == model.model_name:
            raise Conflict(
                f"the vector store already uses {model.model_name!r}; name no model to rebuild its index",
                param="embedder",
            )
        index = resources.add_index(connection, store_id, model, "building")
        job_id = _insert_job(connection, active, index)
    return jobs.submit(resources, job_id)


def _embedder_of(resources: LibraryResources, store: str) -> str:
    with resources.database.read() as connection:
        return stores.active_index(connection, stores.resolve(connection, store).id).embedder


def roll_back(resources: LibraryResources, store: str) -> JobRecord:
    with resources.database.write() as connection:
        store_id, active = _lock_for_reindex(connection, store)
        job_id = _insert_job(connection, active, _previous(connection, store_id))
    return jobs.submit(resources, job_id)


def _insert_job(connection: sa.Connection, active: Index, index: Index) -> str:
    details: JobDetails = {"from": active.embedder, "to": index.embedder, "index": index.index_id}
    with quotas.enforced(connection, "max_unfinished_jobs"):
        return job_rows.insert(connection, "reindex", index.store_id, details=details)


def drop_previous(resources: LibraryResources, store: str) -> Mapping[str, str]:
    with resources.database.write() as connection:
        store_id, _ = _lock_for_reindex(connection, store)
        index = _previous(connection, store_id)
        stores.set_index_state(connection, index.index_id, "dropping")
    resources.request_cleanup()
    return {"index": index.index_id, "embedder": index.embedder}


def _previous(connection: sa.Connection, store_id: str) -> Index:
    index = stores.index_in_state(connection, store_id, "previous")
    if index is None:
        raise Conflict("the vector store has no previous index", param="vector_store")
    return index


def _lock_for_reindex(connection: sa.Connection, store: str) -> tuple[str, Index]:
    """Lock the store. Returns its id and its active index. Raises Conflict while it is being reindexed."""
    store_id = stores.resolve(connection, store).id
    stores.lock(connection, store_id)
    if job_rows.unfinished(connection, store_id, "reindex"):
        raise Conflict("the vector store is already being reindexed", param="vector_store")
    return store_id, stores.active_index(connection, store_id)
