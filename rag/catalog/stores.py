"""Vector stores and their indexes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from rag.catalog import listing
from rag.catalog.schema import indexes, stores
from rag.errors import InvalidRequest, VectorStoreNotFound
from rag.records import Cursor, NewStore, Page

DEFAULT_STORE = "default"
_TOUCH_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Index:
    """One collection of a vector store, filled by one embedding model."""

    index_id: str
    """The collection's name, too."""
    store_id: str
    embedder: str
    dimensions: int
    state: str
    """`active`: searched. `building`: to become it. `previous`: was it. `dropping`: to be removed."""
    sparse_embedder: str = ""
    """The learned sparse model that its chunks have vectors of, too; empty: of none."""


def insert(connection: sa.Connection, new: NewStore, *, store_id: str | None = None) -> str:
    """Its id."""
    store_id = store_id or f"vs_{uuid.uuid4().hex[:24]}"
    now = time.time()
    row = {"id": store_id, "created_at": now, "last_active_at": now, "name": "", "metadata": {}}
    row |= {"stamp": uuid.uuid4().hex} | _said(new)
    connection.execute(sa.insert(stores).values(row))
    return store_id


def resolve(connection: sa.Connection, store: str) -> Any:
    """The row of an id, or of a name that only one store has.

    Raises:
        VectorStoreNotFound, InvalidRequest: several have that name.
    """
    if (row := connection.execute(sa.select(stores).where(stores.c.id == store)).first()) is not None:
        return row
    rows = connection.execute(sa.select(stores).where(stores.c.name == store).limit(2)).all() if store else []
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise InvalidRequest(f"several vector stores are named {store!r}: use an id", param="vector_store")
    raise VectorStoreNotFound(f"there is no vector store {store[:80]!r}", param="vector_store")


def lock(connection: sa.Connection, store_id: str) -> Any:
    """Its row, changed by no other transaction until this one ends."""
    row = connection.execute(sa.select(stores).where(stores.c.id == store_id).with_for_update()).first()
    if row is None:
        raise VectorStoreNotFound(f"there is no vector store {store_id[:80]!r}", param="vector_store")
    return row


def page(connection: sa.Connection, cursor: Cursor) -> Page[Any]:
    return listing.page(connection, sa.select(stores), stores.c.created_at, stores.c.id, cursor)


def update(connection: sa.Connection, store_id: str, changes: NewStore) -> None:
    values = _said(changes) | {"last_active_at": time.time()}
    connection.execute(sa.update(stores).where(stores.c.id == store_id).values(values))


def delete(connection: sa.Connection, store_id: str) -> None:
    connection.execute(sa.delete(stores).where(stores.c.id == store_id))
    connection.execute(sa.update(indexes).where(indexes.c.store_id == store_id).values(state="dropping"))


def next_revision(connection: sa.Connection, store_id: str) -> int:
    """A new revision of a locked store: what is born or dies in this transaction does so in it."""
    values = {"revision": stores.c.revision + 1, "stamp": uuid.uuid4().hex}
    change = sa.update(stores).where(stores.c.id == store_id).values(values)
    return int(connection.execute(change.returning(stores.c.revision)).scalar_one())


def touch(connection: sa.Connection, store_id: str) -> None:
    """Note that the store is in use; written once a minute at most."""
    now = time.time()
    stale = (stores.c.id == store_id) & (stores.c.last_active_at < now - _TOUCH_EVERY_S)
    connection.execute(sa.update(stores).where(stale).values(last_active_at=now))


def expires_at(row: Any) -> float | None:
    return None if row.expires_after_days is None else row.last_active_at + 86_400 * row.expires_after_days


def _said(new: NewStore) -> dict[str, Any]:
    said: Mapping[str, Any] = {
        "name": new.name,
        "description": new.description,
        "metadata": None if new.metadata is None else dict(new.metadata),
        "chunking": None if new.chunking is None else dict(new.chunking),
        "retrieval": None if new.retrieval is None else dict(new.retrieval) or sa.null(),
        "expires_after_days": new.expires_after_days,
    }
    values = {name: value for name, value in said.items() if value is not None}
    return values | ({"expires_after_days": None} if new.forget_expiry else {})


# --- indexes -----------------------------------------------------------------------------------


def add_index(
    connection: sa.Connection, store_id: str, embedder: str, dimensions: int, state: str, sparse_embedder: str = ""
) -> Index:
    change = sa.update(stores).where(stores.c.id == store_id).values(indexes_made=stores.c.indexes_made + 1)
    number = connection.execute(change.returning(stores.c.indexes_made)).scalar_one()
    index = Index(f"{store_id}-{number}", store_id, embedder, dimensions, state, sparse_embedder)
    connection.execute(
        sa.insert(indexes).values(
            id=index.index_id,
            store_id=store_id,
            embedder=embedder,
            dimensions=dimensions,
            state=state,
            created_at=time.time(),
            sparse_embedder=sparse_embedder,
        )
    )
    return index


def index_in(connection: sa.Connection, store_id: str, state: str) -> Index | None:
    """The store's index in that state; there is one at most, but for `dropping`."""
    found = connection.execute(sa.select(indexes).where(indexes.c.store_id == store_id, indexes.c.state == state))
    row = found.first()
    return None if row is None else _index(row)


def active_index(connection: sa.Connection, store_id: str) -> Index:
    index = index_in(connection, store_id, "active")
    if index is None:
        raise VectorStoreNotFound(f"the vector store {store_id!r} has no index", param="vector_store")
    return index


def all_indexes(connection: sa.Connection, state: str | None = None) -> list[Index]:
    statement = sa.select(indexes) if state is None else sa.select(indexes).where(indexes.c.state == state)
    return [_index(row) for row in connection.execute(statement)]


def set_index_state(connection: sa.Connection, index_id: str, state: str) -> None:
    connection.execute(sa.update(indexes).where(indexes.c.id == index_id).values(state=state))


def names_without_sparse(connection: sa.Connection, model: str) -> list[str]:
    """Names of the stores whose active index has no vectors of this sparse model; ids of those without a name."""
    of_another = (indexes.c.state == "active") & (indexes.c.sparse_embedder != model)
    joined = sa.select(stores.c.id, stores.c.name).join(indexes, indexes.c.store_id == stores.c.id)
    found = connection.execute(joined.where(of_another).order_by(stores.c.created_at, stores.c.id))
    return [row.name or row.id for row in found]


def switch_index(connection: sa.Connection, active: Index, new: Index) -> None:
    """Have a locked store searched in another of its indexes. The way back is kept, and one from before is not."""
    before = index_in(connection, new.store_id, "previous")
    if before is not None and before.index_id != new.index_id:
        set_index_state(connection, before.index_id, "dropping")
    set_index_state(connection, active.index_id, "previous")
    set_index_state(connection, new.index_id, "active")
    next_revision(connection, new.store_id)


def delete_index(connection: sa.Connection, index_id: str) -> None:
    connection.execute(sa.delete(indexes).where(indexes.c.id == index_id))


def _index(row: Any) -> Index:
    return Index(row.id, row.store_id, row.embedder, row.dimensions, row.state, row.sparse_embedder)
