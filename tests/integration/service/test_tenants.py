"""Neither of two tenants of a running service can see, change or even notice what the other has."""

from __future__ import annotations

import json

import httpx
import pytest

from rag.http.published_document import public_operations
from tests.e2e.running import RunningService
from tests.support.tenants import (
    NAMES_NOTHING,
    SECRET_NAME,
    SECRET_TEXT,
    Tenant,
    client,
    foreign_requests,
    new_key,
    state_of,
    without_ids,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_no_route_serves_another_tenants_ids(acme: Tenant, umbra: Tenant, admin: httpx.Client) -> None:
    requests = foreign_requests(umbra)
    assert set(requests) == {route.operation.id for route in public_operations()} - NAMES_NOTHING
    before = state_of(umbra)
    for each in (acme.http, admin):  # not even an administrator's key, which belongs to another tenant
        for operation, examples in requests.items():
            for method, path, options in examples:
                answer = each.request(method, path, **options)
                expected = (400,) if "?after=" in path else (403, 404)
                assert answer.status_code in expected, (operation, path, answer.status_code, answer.text[:500])
                assert SECRET_NAME not in answer.text
                assert "third bridge" not in answer.text
    assert state_of(umbra) == before


def test_a_foreign_id_is_refused_like_an_unknown_one(acme: Tenant, umbra: Tenant) -> None:
    """Nothing in the answer tells that the id exists."""
    kept = [f"{kind}_{'0' * 32}" for kind in ("resp", "conv", "msg", "chatcmpl", "upload", "batch")]
    unknown = Tenant(umbra.http, "vs_" + "0" * 24, "file-" + "0" * 24, "vsfb_" + "0" * 24, *kept)
    for operation, examples in foreign_requests(umbra).items():
        for (method, path, options), (_, other_path, other_options) in zip(
            examples, foreign_requests(unknown)[operation], strict=True
        ):
            known, absent = (
                acme.http.request(method, path, **options),
                acme.http.request(method, other_path, **other_options),
            )
            assert without_ids(known, umbra) == without_ids(absent, unknown), operation


def test_a_compacted_conversation_is_opened_for_its_own_tenant(acme: Tenant, umbra: Tenant) -> None:
    body = {"model": "rag", "previous_response_id": umbra.response}
    compacted = umbra.http.post("/v1/responses/compact", json=body).json()["output"]
    asked = {"model": "rag", "input": [*compacted, {"role": "user", "content": "Where does the zebra sleep?"}]}
    assert umbra.http.post("/v1/responses", json=asked).status_code == 200
    refused = acme.http.post("/v1/responses", json=asked)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input.1.encrypted_content")


def test_lists_and_searches_show_a_tenant_its_own(acme: Tenant, umbra: Tenant, admin: httpx.Client) -> None:
    for http in (acme.http, admin):
        for path in ("/v1/vector_stores", "/v1/files", "/v1/jobs", "/v1/vector_stores/default/files"):
            text = http.get(path).text
            assert not any(value in text for value in (umbra.store, umbra.file_id, umbra.job, SECRET_NAME)), path
        hits = http.post("/retrieve", json={"query": "zebra of Umbra", "explain": True})
        assert "third bridge" not in hits.text
    assert "third bridge" in umbra.http.post("/retrieve", json={"query": "zebra of Umbra"}).text


def test_the_same_question_is_answered_from_each_tenants_documents(acme: Tenant, umbra: Tenant) -> None:
    """Also when the answers come from the caches."""
    for _ in range(2):
        for tenant, found in ((acme, "The owl of Acme sleeps in the barn."), (umbra, SECRET_TEXT)):
            hits = tenant.http.post("/retrieve", json={"query": "who sleeps where"}).json()["hits"]
            assert [hit["text"] for hit in hits] == [found]


def test_the_same_file_name_is_another_document(acme: Tenant, umbra: Tenant) -> None:
    answer = acme.http.post("/ingest", files={"files": (SECRET_NAME, b"Mine.")}, data={"wait_s": "100"}).json()
    assert [file["change"] for file in answer["files"]] == ["added"]
    assert answer["files"][0]["file_id"] != umbra.file_id
    assert umbra.http.get(f"/v1/files/{umbra.file_id}/content").text == SECRET_TEXT
    acme.http.delete(f"/v1/files/{answer['files'][0]['file_id']}")


def test_a_client_cannot_choose_its_tenant(acme: Tenant, umbra: Tenant) -> None:
    forged = json.dumps(["key_1", "umbra", ["admin"], None])
    answer = acme.http.get(f"/v1/vector_stores/{umbra.store}", headers={"x-rag-caller": forged})
    assert answer.status_code == 404


def test_a_key_for_one_vector_store_gets_404_for_the_others(service: RunningService, admin: httpx.Client) -> None:
    made = [admin.post("/v1/vector_stores", json={"name": name}).json()["id"] for name in ("one", "two")]
    key = new_key(admin, vector_stores=["one"])
    assert key["vector_stores"] == made[:1]
    with client(service, key["secret"]) as http:
        assert [row["id"] for row in http.get("/v1/vector_stores").json()["data"]] == made[:1]
        for store in (made[1], "two", "default"):
            assert http.get(f"/v1/vector_stores/{store}").status_code == 404
            assert http.post("/retrieve", json={"query": "x", "vector_store": store}).status_code == 404
        assert http.post("/retrieve", json={"query": "x", "vector_store": "one"}).status_code == 200
        assert http.post("/v1/vector_stores", json={"name": "three"}).status_code == 403
