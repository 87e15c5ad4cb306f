"""API keys in the catalog."""

from __future__ import annotations

import time

import pytest

from rag.auth.key import NewKey
from rag.auth.key_secret import hash_of
from rag.auth.limits import Limits
from rag.catalog.documents.stores import default_id
from rag.catalog.tables.schema import api_keys
from rag.errors import Conflict, NotFound, VectorStoreNotFound
from rag.library.keys import KeyRegistry
from rag.records import Cursor, NewStore
from tests.support.library_harness import ALL, LibraryHarness

pytestmark = pytest.mark.integration


@pytest.fixture
def registry(harness: LibraryHarness) -> KeyRegistry:
    return KeyRegistry(harness.database)


def test_only_the_hash_of_a_secret_is_stored(harness: LibraryHarness, registry: KeyRegistry) -> None:
    created = registry.create(NewKey("search page", ["ask"]))
    with harness.database.read() as connection:
        row = connection.execute(api_keys.select()).one()
    assert created.secret not in str(row)
    assert row.secret_hash == hash_of(created.secret)
    assert created.record.prefix == created.secret[:10]


def test_a_key_is_found_by_its_secret(registry: KeyRegistry) -> None:
    assert not registry.authenticate(None).required
    limits = Limits(requests_per_minute=5, tokens_per_day=9, max_stored_bytes=2**40)
    created = registry.create(NewKey("a", ["ask", "generate"], tenant="acme", limits=limits))
    found = registry.authenticate(hash_of(created.secret))
    assert (found.required, found.status) == (True, "active")
    assert found.key is not None
    assert (found.key.key_id, found.key.tenant, found.key.limits) == (created.record.key_id, "acme", limits)
    assert found.key.caller.scopes == {"ask", "generate"}
    assert registry.authenticate(hash_of("rag-other")).key is None


def test_a_revoked_key_stays_in_the_list_and_keys_stay_required(registry: KeyRegistry) -> None:
    created = registry.create(NewKey("a", ["ask"]))
    assert registry.revoke(created.record.key_id).status(time.time()) == "revoked"
    assert registry.authenticate(hash_of(created.secret)).status == "revoked"
    assert [key.revoked_at is not None for key in registry.page(ALL).rows] == [True]
    assert registry.required()
    first = registry.get(created.record.key_id).revoked_at
    assert registry.revoke(created.record.key_id).revoked_at == first
    with pytest.raises(Conflict):
        registry.rotate(created.record.key_id)


def test_an_expired_key_is_told_apart(registry: KeyRegistry) -> None:
    created = registry.create(NewKey("a", ["ask"], expires_at=time.time() - 1))
    assert registry.authenticate(hash_of(created.secret)).status == "expired"


def test_a_rotated_key_has_one_secret_or_for_a_while_two(registry: KeyRegistry) -> None:
    first = registry.create(NewKey("a", ["ask"]))
    second = registry.rotate(first.record.key_id)
    assert second.record.key_id == first.record.key_id
    assert registry.authenticate(hash_of(first.secret)).key is None
    third = registry.rotate(first.record.key_id, grace_s=100)
    assert registry.authenticate(hash_of(second.secret)).status == "active"
    assert registry.authenticate(hash_of(third.secret)).status == "active"
    assert registry.authenticate(hash_of(first.secret)).key is None


def test_the_last_use_is_written_rarely(registry: KeyRegistry) -> None:
    created = registry.create(NewKey("a", ["ask"]))
    assert created.record.last_used_at is None
    registry.authenticate(hash_of(created.secret))
    first = registry.get(created.record.key_id).last_used_at
    assert first is not None
    registry.authenticate(hash_of(created.secret))
    assert registry.get(created.record.key_id).last_used_at == first


def test_lists_have_pages(registry: KeyRegistry) -> None:
    made = [registry.create(NewKey(str(number), ["ask"])).record.key_id for number in range(3)]
    page = registry.page(Cursor(2, "asc"))
    assert (page.has_more, [key.key_id for key in page.rows]) == (True, made[:2])
    assert [key.key_id for key in registry.page(Cursor(2, "asc", after=made[1])).rows] == made[2:]


def test_vector_stores_are_looked_up_in_the_keys_own_tenant(harness: LibraryHarness, registry: KeyRegistry) -> None:
    store = harness.library.create_store(NewStore(name="manuals"))
    created = registry.create(NewKey("a", ["ask"], stores=["manuals", store.store_id, "default"]))
    assert created.record.stores == (store.store_id, "default")
    with pytest.raises(VectorStoreNotFound):
        registry.create(NewKey("a", ["ask"], tenant="acme", stores=["manuals"]))
    own = registry.create(NewKey("a", ["ask"], tenant="acme", stores=["default"]))
    assert own.record.stores == (default_id("acme"),)


@pytest.mark.parametrize("operation", ["get", "revoke", "rotate"])
def test_an_unknown_key_is_not_found(registry: KeyRegistry, operation: str) -> None:
    with pytest.raises(NotFound):
        getattr(registry, operation)("key_0")
