"""Snapshots of vector stores, and which versions are visible in one. See `rag.catalog.tables.schema`."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rag.catalog import access, groups
from rag.catalog.documents import stores as store_rows
from rag.catalog.tables.rows import read_row
from rag.catalog.tables.schema import indexes, stores, versions
from rag.errors import VectorStoreNotFound


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A vector store at one revision."""

    store_id: str
    revision: int
    collection: str
    embedder: str
    dimensions: int
    expires: bool = False
    """Whether the store is deleted if it is not used for long."""
    retrieval: str = ""
    """The store's own retrieval settings as JSON with sorted keys; empty if it has none."""
    sparse_embedder: str = ""
    """The learned sparse model of its sparse vectors; empty if it has none."""
    groups: tuple[str, ...] | None = None
    """The caller's groups that documents of the store are reserved for; None if the caller may read all documents."""
    nonce: str = ""
    """Random, new with each revision: equal revision numbers of two catalogs, or of a restored backup, differ in it."""


@dataclass(frozen=True, slots=True)
class _StoreWithIndex:
    id: str
    revision: int
    nonce: str
    expires_after_days: int | None
    last_active_at: float
    retrieval: Mapping[str, Any] | None
    index_id: str
    embedder: str
    dimensions: int
    sparse_embedder: str
    read_groups: Sequence[str] | None


def snapshot(connection: sa.Connection, store: str) -> Snapshot:
    """The store at its current revision. Raises VectorStoreNotFound, also if the store has expired."""
    of_index = (indexes.c.id.label("index_id"), indexes.c.embedder, indexes.c.dimensions, indexes.c.sparse_embedder)
    is_active = (indexes.c.store_id == stores.c.id) & (indexes.c.state == "active")
    joined = sa.select(stores, *of_index).join(indexes, is_active)
    found = connection.execute(joined.where(stores.c.id == store, access.visible_stores())).first()
    if found is None:
        found = connection.execute(joined.where(stores.c.id == store_rows.resolve(connection, store).id)).one()
    row = read_row(_StoreWithIndex, found)
    expires = store_rows.expires_at(row.last_active_at, row.expires_after_days)
    if expires is not None and expires < time.time():
        raise VectorStoreNotFound(f"the vector store {store[:80]!r} has expired", param="vector_store")
    return Snapshot(
        row.id,
        row.revision,
        row.index_id,
        row.embedder,
        row.dimensions,
        expires is not None,
        json.dumps(row.retrieval, sort_keys=True) if row.retrieval else "",
        row.sparse_embedder,
        groups.of_caller_in_store(row.read_groups),
        row.nonce,
    )


def visible(
    connection: sa.Connection, revision: int, version_ids: Iterable[str], own_groups: Collection[str] | None = None
) -> set[str]:
    """Returns the versions that are visible at a revision and readable for these groups (None: for all)."""
    numbers = [seq_of(version_id) for version_id in version_ids]
    is_valid = (versions.c.valid_from <= revision) & (versions.c.valid_to.is_(None) | (versions.c.valid_to > revision))
    if own_groups is not None:
        is_valid &= groups.includes(versions.c.read_groups, own_groups)
    rows = connection.execute(sa.select(versions.c.seq).where(versions.c.seq.in_(numbers), is_valid)).scalars()
    return {version_id(seq) for seq in rows}


def version_id(seq: int) -> str:
    """The id of a version in the vector store."""
    return f"v{seq}"


def seq_of(version_id: str) -> int:
    return int(version_id[1:])
