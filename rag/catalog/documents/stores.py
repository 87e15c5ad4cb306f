"""Vector stores and their indexes."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import DEFAULT_TENANT, current_tenant
from rag.catalog import access, listing
from rag.catalog.tables.rows import IndexState, ResultRow, RowSelect, StoreRow, read_first, read_row, read_rows
from rag.catalog.tables.schema import indexes, stores
from rag.errors import InsufficientPermissions, InvalidRequest, VectorStoreNotFound
from rag.records import DEFAULT_STORE, Cursor, NewStore, Page

"""Name of the vector store that every tenant has."""
_TOUCH_INTERVAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Index:
    """A vector store's collection in Milvus, filled by one embedding model."""

    index_id: str
    """Also the name of the collection."""
    store_id: str
    embedder: str
    dimensions: int
    state: IndexState
    sparse_embedder: str = ""
    """The learned sparse model of its sparse vectors; empty: it has none."""


def default_id(tenant: str) -> str:
    """The id of a tenant's vector store `default`."""
    if tenant == DEFAULT_TENANT:
        return DEFAULT_STORE
    return f"vs_{hashlib.sha256(f'{DEFAULT_STORE}/{tenant}'.encode()).hexdigest()[:24]}"


def insert(connection: sa.Connection, new: NewStore, *, store_id: str | None = None, tenant: str | None = None) -> str:
    """Insert a vector store. Returns its id.

    Args:
        tenant: None for the caller's.

    Raises:
        InsufficientPermissions: the caller's key is limited to other vector stores.
    """
    if access.is_limited_to_stores():
        raise InsufficientPermissions("the API key is limited to certain vector stores and cannot create one")
    store_id = store_id or f"vs_{uuid.uuid4().hex[:24]}"
    now = time.time()
    defaults: Mapping[str, object] = {"name": "", "metadata": {}}
    row = {"id": store_id, "created_at": now, "last_active_at": now, "nonce": _new_nonce()}
    row |= {"tenant": tenant or current_tenant(), "created_by": access.created_by()}
    connection.execute(sa.insert(stores).values({**row, **defaults, **_given_values(new)}))
    return store_id


def resolve(connection: sa.Connection, store: str) -> StoreRow:
    """The vector store with this id, or with this name if only one has it.

    Raises:
        VectorStoreNotFound: none has this id or name.
        InvalidRequest: several have this name.
    """
    if (row := read_first(connection, StoreRow, _by_id(store))) is not None:
        return row
    by_name = sa.select(stores).where(stores.c.name == store, access.visible_stores()).limit(2)
    rows = read_rows(connection, StoreRow, by_name) if store else []
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise InvalidRequest(f"several vector stores are named {store!r}: use an id", param="vector_store")
    raise VectorStoreNotFound(f"there is no vector store {store[:80]!r}", param="vector_store")


def exists(connection: sa.Connection, store_id: str) -> bool:
    return connection.execute(sa.select(stores.c.id).where(stores.c.id == store_id)).first() is not None


def lock(connection: sa.Connection, store_id: str) -> StoreRow:
    """The vector store, locked until the transaction ends. Raises VectorStoreNotFound."""
    row = read_first(connection, StoreRow, _by_id(store_id).with_for_update())
    if row is None:
        raise VectorStoreNotFound(f"there is no vector store {store_id[:80]!r}", param="vector_store")
    return row


def _by_id(store_id: str) -> RowSelect:
    return sa.select(stores).where(stores.c.id == store_id, access.visible_stores())


def page(connection: sa.Connection, cursor: Cursor) -> Page[StoreRow]:
    def read(row: ResultRow) -> StoreRow:
        return read_row(StoreRow, row)

    statement = sa.select(stores).where(access.visible_stores())
    return listing.page(connection, statement, stores.c.created_at, stores.c.id, cursor, read)


def update(connection: sa.Connection, store_id: str, changes: NewStore) -> None:
    values = {**_given_values(changes), "last_active_at": time.time()}
    connection.execute(sa.update(stores).where(stores.c.id == store_id).values(values))


def delete(connection: sa.Connection, store_id: str) -> None:
    connection.execute(sa.delete(stores).where(stores.c.id == store_id))
    connection.execute(sa.update(indexes).where(indexes.c.store_id == store_id).values(state="dropping"))


def next_revision(connection: sa.Connection, store_id: str) -> int:
    """Start a new revision of a locked store. What becomes visible or is retired in this transaction belongs to it."""
    values = {"revision": stores.c.revision + 1, "nonce": _new_nonce()}
    change = sa.update(stores).where(stores.c.id == store_id).values(values)
    return int(connection.execute(change.returning(stores.c.revision)).scalar_one())


def _new_nonce() -> str:
    return uuid.uuid4().hex


def touch(connection: sa.Connection, store_id: str) -> None:
    """Note that the store is in use. Written at most once a minute."""
    now = time.time()
    is_stale = (stores.c.id == store_id) & (stores.c.last_active_at < now - _TOUCH_INTERVAL_S)
    connection.execute(sa.update(stores).where(is_stale).values(last_active_at=now))


def add_read_groups(connection: sa.Connection, store_id: str, read_groups: Sequence[str]) -> None:
    """Note that a document of a locked store has these read groups."""
    if not read_groups:
        return
    own = stores.c.id == store_id
    known = connection.execute(sa.select(stores.c.read_groups).where(own)).scalar() or ()
    if not set(read_groups) <= set(known):
        connection.execute(sa.update(stores).where(own).values(read_groups=sorted({*known, *read_groups})))


def expires_at(last_active_at: float, expires_after_days: int | None) -> float | None:
    return None if expires_after_days is None else last_active_at + 86_400 * expires_after_days


def _given_values(new: NewStore) -> dict[str, object]:
    """Values of the columns that a caller gave."""
    given: Mapping[str, object] = {
        "name": new.name,
        "description": new.description,
        "metadata": None if new.metadata is None else dict(new.metadata),
        "chunking": None if new.chunking is None else dict(new.chunking),
        "retrieval": None if new.retrieval is None else dict(new.retrieval) or sa.null(),
        "expires_after_days": new.expires_after_days,
    }
    values = {name: value for name, value in given.items() if value is not None}
    return values | ({"expires_after_days": None} if new.forget_expiry else {})


# --- indexes -----------------------------------------------------------------------------------


def add_index(
    connection: sa.Connection,
    store_id: str,
    embedder: str,
    dimensions: int,
    state: IndexState,
    sparse_embedder: str = "",
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


def index_in_state(connection: sa.Connection, store_id: str, state: IndexState) -> Index | None:
    """The store's index in this state. A store has at most one in each state, except `dropping`."""
    wanted = (indexes.c.store_id == store_id) & (indexes.c.state == state)
    return next(iter(_read_indexes(connection, _index_columns().where(wanted))), None)


def active_index(connection: sa.Connection, store_id: str) -> Index:
    index = index_in_state(connection, store_id, "active")
    if index is None:
        raise VectorStoreNotFound(f"the vector store {store_id!r} has no index", param="vector_store")
    return index


def all_indexes(connection: sa.Connection, state: IndexState | None = None) -> list[Index]:
    statement = _index_columns()
    return _read_indexes(connection, statement if state is None else statement.where(indexes.c.state == state))


def get_index(connection: sa.Connection, index_id: str) -> Index | None:
    return next(iter(_read_indexes(connection, _index_columns().where(indexes.c.id == index_id))), None)


def _index_columns() -> RowSelect:
    return sa.select(
        indexes.c.id.label("index_id"),
        indexes.c.store_id,
        indexes.c.embedder,
        indexes.c.dimensions,
        indexes.c.state,
        indexes.c.sparse_embedder,
    )


def _read_indexes(connection: sa.Connection, statement: RowSelect) -> list[Index]:
    return read_rows(connection, Index, statement)


def set_index_state(connection: sa.Connection, index_id: str, state: IndexState) -> None:
    connection.execute(sa.update(indexes).where(indexes.c.id == index_id).values(state=state))


def names_without_sparse(connection: sa.Connection, model: str) -> list[str]:
    """Names (ids, if unnamed) of the stores whose active index has no vectors of this sparse model."""
    has_another = (indexes.c.state == "active") & (indexes.c.sparse_embedder != model)
    joined = sa.select(stores.c.id, stores.c.name).join(indexes, indexes.c.store_id == stores.c.id)
    rows = connection.execute(joined.where(has_another).order_by(stores.c.created_at, stores.c.id))
    return [name or store_id for store_id, name in rows]


def switch_index(connection: sa.Connection, active: Index, new: Index) -> None:
    """Make another index of a locked store the active one.

    The index that was active becomes the `previous` one; an older previous index is dropped.
    """
    previous = index_in_state(connection, new.store_id, "previous")
    if previous is not None and previous.index_id != new.index_id:
        set_index_state(connection, previous.index_id, "dropping")
    set_index_state(connection, active.index_id, "previous")
    set_index_state(connection, new.index_id, "active")
    next_revision(connection, new.store_id)


def delete_index(connection: sa.Connection, index_id: str) -> None:
    connection.execute(sa.delete(indexes).where(indexes.c.id == index_id))
