"""API keys. A revoked key stays, so that its id and name can still be looked up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.key import KeyRecord, NewKey
from rag.auth.key_secret import hash_of, visible_prefix
from rag.auth.limits import Limits
from rag.auth.scopes import Scope
from rag.catalog import listing
from rag.catalog.tables.rows import ResultRow, RowSelect, read_first, read_row
from rag.catalog.tables.schema import api_keys
from rag.errors import NotFound
from rag.records import Cursor, Page

_TOUCH_INTERVAL_S = 600.0


@dataclass(frozen=True, slots=True)
class _KeyRow:
    id: str
    name: str
    tenant: str
    scopes: Sequence[Scope]
    stores: Sequence[str] | None
    requests_per_minute: int | None
    limits: Mapping[str, int] | None
    prefix: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    groups: Sequence[str] | None


def insert(connection: sa.Connection, new: NewKey, secret: str) -> str:
    """Insert a key. `new.stores` holds ids. Returns the key's id."""
    key_id = f"key_{uuid.uuid4().hex[:24]}"
    connection.execute(
        sa.insert(api_keys).values(
            id=key_id,
            name=new.name,
            tenant=new.tenant,
            scopes=list(new.scopes),
            stores=None if new.stores is None else list(new.stores),
            created_at=time.time(),
            expires_at=new.expires_at,
            **_limit_values(new.limits),
            groups=list(new.groups) or None,
            **_secret_values(secret),
        )
    )
    return key_id


def _limit_values(limits: Limits) -> dict[str, object]:
    """The limit of requests has a column of its own, which was there first."""
    values = limits.to_json()
    return {"requests_per_minute": values.pop("requests_per_minute", None), "limits": values or None}


def _secret_values(secret: str) -> dict[str, str]:
    return {"secret_hash": hash_of(secret), "prefix": visible_prefix(secret)}


def get(connection: sa.Connection, key_id: str) -> KeyRecord:
    """Raises NotFound."""
    row = read_first(connection, _KeyRow, sa.select(api_keys).where(api_keys.c.id == key_id))
    if row is None:
        raise NotFound(f"there is no API key {key_id[:80]!r}", param="key")
    return _to_record(row)


def page(connection: sa.Connection, cursor: Cursor) -> Page[KeyRecord]:
    def read(row: ResultRow) -> KeyRecord:
        return _to_record(read_row(_KeyRow, row))

    return listing.page(connection, sa.select(api_keys), api_keys.c.created_at, api_keys.c.id, cursor, read)


def with_secret(connection: sa.Connection, secret_hash: str) -> KeyRecord | None:
    """The key with this secret, whatever its status. A secret from before a rotation counts while it is accepted."""
    row = read_first(connection, _KeyRow, _with_hash(secret_hash))
    return None if row is None else _to_record(row)


def _with_hash(secret_hash: str) -> RowSelect:
    is_previous = (api_keys.c.previous_hash == secret_hash) & (api_keys.c.previous_until > time.time())
    return sa.select(api_keys).where((api_keys.c.secret_hash == secret_hash) | is_previous)


def any_exist(connection: sa.Connection) -> bool:
    """Whether there has ever been a key. Revoking the last one must not open the service to everyone."""
    return connection.execute(sa.select(api_keys.c.id).limit(1)).first() is not None


def set_limits(connection: sa.Connection, key_id: str, limits: Limits) -> None:
    connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(_limit_values(limits)))


def revoke(connection: sa.Connection, key_id: str) -> None:
    is_valid = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    connection.execute(sa.update(api_keys).where(is_valid).values(revoked_at=time.time()))


def set_secret(connection: sa.Connection, key_id: str, secret: str, grace_s: float) -> None:
    """Replace a key's secret. The present one is accepted for another `grace_s` seconds."""
    previous = {"previous_hash": api_keys.c.secret_hash, "previous_until": time.time() + grace_s}
    values = {**previous, **_secret_values(secret)}
    connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(values))


def touch(connection: sa.Connection, key: KeyRecord) -> None:
    """Note that a key is in use."""
    connection.execute(sa.update(api_keys).where(api_keys.c.id == key.key_id).values(last_used_at=time.time()))


def is_touch_due(key: KeyRecord) -> bool:
    """Whether the last use that is stored is so old that a new one should be. Not every request can write."""
    return key.last_used_at is None or key.last_used_at < time.time() - _TOUCH_INTERVAL_S


def _to_record(row: _KeyRow) -> KeyRecord:
    return KeyRecord(
        key_id=row.id,
        name=row.name,
        tenant=row.tenant,
        scopes=tuple(row.scopes),
        stores=None if row.stores is None else tuple(row.stores),
        limits=Limits.from_json({"requests_per_minute": row.requests_per_minute, **(row.limits or {})}),
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        groups=tuple(row.groups or ()),
    )
