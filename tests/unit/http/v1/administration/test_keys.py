"""`/v1/keys`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rag.auth.caller import Caller
from rag.auth.key_secret import hash_of
from rag.auth.limits import Limits
from rag.library.keys import KeyRegistry
from tests.support.acting import acting
from tests.support.library_harness import ALL
from tests.support.v1.v1_client import V1, error_of


async def post(app: V1, path: str, body: Any = None) -> Any:
    async with app.http() as http:
        return await http.post(f"/keys{path}", json=body)


async def get(app: V1, path: str = "") -> Any:
    async with app.http() as http:
        return await http.get(f"/keys{path}")


async def test_a_key_is_created_listed_rotated_and_revoked(app: V1) -> None:
    expires_at = int(time.time()) + 1000
    body = {"name": "page", "scopes": ["ask", "ask"], "expires_at": expires_at, "limits": {"requests_per_minute": 9}}
    created = (await post(app, "", {**body, "vector_stores": ["default"], "groups": ["legal", "hr", "hr"]})).json()
    assert created["secret"].startswith("rag-")
    assert (created["object"], created["status"], created["tenant"]) == ("api_key", "active", "default")
    assert (created["scopes"], created["vector_stores"]) == (["ask"], ["default"])
    assert (created["expires_at"], created["limits"]) == (expires_at, {"requests_per_minute": 9})
    assert created["groups"] == ["hr", "legal"]
    one = f"/{created['id']}"
    listed = (await get(app)).json()
    assert "secret" not in listed["data"][0]
    assert (await get(app, one)).json() == listed["data"][0]
    rotated = (await post(app, f"{one}/rotate")).json()
    assert rotated["secret"] != created["secret"]
    registry = KeyRegistry(app.harness.database)
    assert registry.authenticate(hash_of(rotated["secret"])).status == "active"
    async with app.http() as http:
        revoked = await http.delete(f"/keys{one}")
    assert revoked.json() == {"id": created["id"], "object": "api_key.deleted", "deleted": True}
    assert (await get(app, one)).json()["status"] == "revoked"
    assert error_of(await post(app, f"{one}/rotate", {"grace_s": 5}))[:2] == (409, "conflict")


async def test_limits_of_a_key_can_be_changed(app: V1) -> None:
    limits = {"requests_per_minute": 9, "tokens_per_day": 1000, "max_stored_bytes": 2**40}
    created = (await post(app, "", {"name": "a", "scopes": ["ask"], "limits": limits})).json()
    assert created["limits"] == limits
    one = f"/{created['id']}"
    changed = await post(app, one, {"limits": {"tokens_per_day": 2000, "max_stored_bytes": None, "max_documents": 0}})
    assert changed.json()["limits"] == {"requests_per_minute": 9, "tokens_per_day": 2000, "max_documents": 0}
    assert (await get(app, one)).json() == changed.json()
    registry = KeyRegistry(app.harness.database)
    found = registry.authenticate(hash_of(created["secret"])).key
    assert found is not None
    assert found.caller.key_limits == Limits(requests_per_minute=9, tokens_per_day=2000, max_documents=0)
    assert error_of(await post(app, one, {"limits": {"more": 1}})) == (400, "invalid_request", "limits.more")
    assert error_of(await post(app, one, {})) == (400, "invalid_request", "limits")
    assert error_of(await post(app, "/key_0", {"limits": {}})) == (404, "not_found", "key")


async def test_a_vector_store_whose_files_are_refused_is_not_created(app: V1) -> None:
    file = app.library.add_file(app.harness.upload("a.md", "apples"), "assistants")
    with acting(Caller("key_1", "default", frozenset({"admin"}), tenant_limits=Limits(max_documents=0))):
        async with app.http() as http:
            refused = await http.post("/vector_stores", json={"name": "new", "file_ids": [file.file_id]})
    assert error_of(refused) == (403, "quota_exceeded", "max_documents")
    assert [store.name for store in app.library.stores(ALL).rows] == ["default"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "a"}, "scopes"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["root"]}, "scopes.0"),
        ({"name": "a", "scopes": ["ask"], "tenant": "A b"}, "tenant"),
        ({"name": "a", "scopes": ["ask"], "tenant": "x" * 64}, "tenant"),
        ({"name": "a", "scopes": ["ask"], "expires_at": 1}, "expires_at"),
        ({"name": "a", "scopes": ["ask"], "vector_stores": []}, "vector_stores"),
        ({"name": "a", "scopes": ["ask"], "secret": "mine"}, "secret"),
        ({"name": "a", "scopes": ["ask"], "groups": "hr"}, "groups"),
        ({"name": "a", "scopes": ["ask"], "groups": ["a\nb"]}, "groups"),
        ({"name": "a", "scopes": ["ask"], "groups": ["x" * 128 + str(n) for n in range(9)]}, "groups.0"),
        ({"name": "a", "scopes": ["ask"], "groups": ["x" * 120 + str(n) for n in range(100)]}, "groups"),
        ({"name": "a", "scopes": ["ask"], "limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
    ],
)
async def test_an_invalid_key_is_refused(shared_app: V1, body: Any, param: str) -> None:
    assert error_of(await post(shared_app, "", body)) == (400, "invalid_request", param)


async def test_unknown_ids_are_not_found(shared_app: V1) -> None:
    assert error_of(await get(shared_app, "/key_0")) == (404, "not_found", "key")
    assert error_of(await post(shared_app, "/key_0/rotate")) == (404, "not_found", "key")
    unknown_store = await post(shared_app, "", {"name": "a", "scopes": ["ask"], "vector_stores": ["nope"]})
    assert error_of(unknown_store)[:2] == (404, "vector_store_not_found")
