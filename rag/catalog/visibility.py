"""What a question may see: one state of a vector store, whatever changes meanwhile. See `rag.catalog.schema`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from rag.catalog import stores as store_rows
from rag.catalog.schema import indexes, stores, versions
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
    """Whether the store goes when it is not used for long."""
    retrieval: str = ""
    """The store's own retrieval settings as JSON with sorted keys; empty when it has none."""
    sparse_embedder: str = ""
    """The learned sparse model of its vectors of that kind; empty when it has none."""
    stamp: str = ""
    """Of the revision: no other catalog has the same for it, nor this one after a backup was restored."""


def snapshot(connection: sa.Connection, store: str) -> Snapshot:
    """Raises VectorStoreNotFound, also when it has expired."""
    of_index = (indexes.c.id.label("index_id"), indexes.c.embedder, indexes.c.dimensions, indexes.c.sparse_embedder)
    is_active = (indexes.c.store_id == stores.c.id) & (indexes.c.state == "active")
    joined = sa.select(stores, *of_index).join(indexes, is_active)
    row = connection.execute(joined.where(stores.c.id == store)).first()
    if row is None:
        row = connection.execute(joined.where(stores.c.id == store_rows.resolve(connection, store).id)).one()
    expires = store_rows.expires_at(row)
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
        row.stamp,
    )


def visible(connection: sa.Connection, revision: int, version_ids: Iterable[str]) -> set[str]:
    """Those of the versions that exist for a question at this revision."""
    numbers = [seq_of(version_id) for version_id in version_ids]
    alive = (versions.c.born <= revision) & (versions.c.died.is_(None) | (versions.c.died > revision))
    found = connection.execute(sa.select(versions.c.seq).where(versions.c.seq.in_(numbers), alive)).scalars()
    return {version_id(seq) for seq in found}


def version_id(seq: int) -> str:
    """A version as the vector store knows it."""
    return f"v{seq}"


def seq_of(version_id: str) -> int:
    return int(version_id[1:])
