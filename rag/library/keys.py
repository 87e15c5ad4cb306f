"""Operations on API keys."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import sqlalchemy as sa

from rag.auth.caller import Caller, acting_as
from rag.auth.key import CreatedKey, KeyRecord, KeyStatus, NewKey
from rag.auth.key_secret import new_secret
from rag.auth.scopes import SCOPES
from rag.catalog.database import Database
from rag.catalog.documents import stores
from rag.catalog.tenants import keys
from rag.errors import Conflict, InvalidRequest, NotFound
from rag.records import DEFAULT_STORE, Cursor, Page


@dataclass(frozen=True, slots=True)
class Authentication:
    """The result of looking up a secret."""

    required: bool
    """Whether requests need a key: there has been one."""
    key: KeyRecord | None = None
    """The key with this secret; None if there is none."""
    status: KeyStatus | None = None


@contextmanager
def _as_tenant(tenant: str) -> Iterator[None]:
    """Resolve names of vector stores in this tenant, whoever the caller is."""
    with acting_as(Caller("", tenant, frozenset(SCOPES))):
        yield


def _store_id(connection: sa.Connection, tenant: str, store: str) -> str:
    """Raises VectorStoreNotFound. A tenant's `default` is made when its first key is used, so it need not exist yet."""
    return stores.default_id(tenant) if store == DEFAULT_STORE else stores.resolve(connection, store).id


class KeyRegistry:
    """The API keys in the catalog. Methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewKey) -> CreatedKey:
        """Create a key. Raises VectorStoreNotFound if its tenant has no such vector store."""
        secret = new_secret()
        with self._database.write() as connection:
            if new.stores is not None:
                with _as_tenant(new.tenant):
                    ids = [_store_id(connection, new.tenant, store) for store in new.stores]
                new = replace(new, stores=list(dict.fromkeys(ids)))
            return CreatedKey(keys.get(connection, keys.insert(connection, new, secret)), secret)

    def get(self, key_id: str) -> KeyRecord:
        """Raises NotFound."""
        with self._database.read() as connection:
            return keys.get(connection, key_id)

    def page(self, cursor: Cursor) -> Page[KeyRecord]:
        with self._database.read() as connection:
            return keys.page(connection, cursor)

    def change_limits(self, key_id: str, changes: Mapping[str, int | None]) -> KeyRecord:
        """Set or remove limits of a key, by their names; the others stay. Raises NotFound."""
        with self._database.write() as connection:
            present = keys.get(connection, key_id).limits
            keys.set_limits(connection, key_id, replace(present, **changes))
            return keys.get(connection, key_id)

    def revoke(self, key_id: str) -> KeyRecord:
        """Revoke a key permanently. Raises NotFound."""
        with self._database.write() as connection:
            keys.get(connection, key_id)
            keys.revoke(connection, key_id)
            return keys.get(connection, key_id)

    def rotate(self, key_id: str, grace_s: float = 0.0) -> CreatedKey:
        """Give a key a new secret. The old one is accepted for another `grace_s` seconds.

        Raises NotFound, or Conflict if the key is revoked.
        """
        secret = new_secret()
        with self._database.write() as connection:
            if keys.get(connection, key_id).revoked_at is not None:
                raise Conflict(f"the API key {key_id} is revoked; create a new one", param="key")
            keys.set_secret(connection, key_id, secret, grace_s)
            return CreatedKey(keys.get(connection, key_id), secret)

    def store_ids(self, tenant: str, names: Sequence[str]) -> list[str]:
        """The ids of the named vector stores of a tenant, given by name or id, as far as they exist."""
        ids: list[str] = []
        with _as_tenant(tenant), self._database.read() as connection:
            for name in dict.fromkeys(names):
                with suppress(NotFound, InvalidRequest):  # no such vector store, or several of this name
                    ids.append(_store_id(connection, tenant, name))
        return ids

    def required(self) -> bool:
        """Whether requests need a key: there has been one."""
        with self._database.read() as connection:
            return keys.any_exist(connection)

    def authenticate(self, secret_hash: str | None) -> Authentication:
        """Look up a secret by its hash. None only returns `required`."""
        with self._database.read() as connection:
            required = keys.any_exist(connection)
            key = None if secret_hash is None else keys.with_secret(connection, secret_hash)
        if key is None:
            return Authentication(required)
        status = key.status(time.time())
        if status == "active" and keys.is_touch_due(key):
            with self._database.write() as connection:
                keys.touch(connection, key)
        return Authentication(required, key, status)
