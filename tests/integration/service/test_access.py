"""A running service with API keys. Neither of two tenants can see, change or even notice what the other has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import bentoml
import httpx
import openai
import pytest

from rag.http.auth.verified_keys import FRESH_S
from rag.http.published_api import public_operations
from tests.e2e.running import IDLE_S, LIMIT_S, ROOT, RunningService, free_port, wait_until
from tests.integration.service.conftest import ADMIN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SCOPES = ["ask", "generate", "ingest", "delete"]
SECRET_TEXT = "The zebra of Umbra sleeps under the third bridge."
SECRET_NAME = "umbra-report.md"


@dataclass
class Tenant:
    """One tenant, and a client with a key of it."""

    http: httpx.Client
    store: str
    file_id: str
    job: str


def client(service: RunningService, key: str | None) -> httpx.Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=LIMIT_S)


def new_key(admin: httpx.Client, **fields: Any) -> dict[str, Any]:
    created = admin.post("/v1/keys", json={"name": "test", "scopes": SCOPES, **fields})
    assert created.status_code == 200, created.text
    key: dict[str, Any] = created.json()
    return key


def new_tenant(service: RunningService, admin: httpx.Client, name: str, filename: str, text: str) -> Tenant:
    http = client(service, new_key(admin, tenant=name)["secret"])
    answer = http.post("/ingest", files={"files": (filename, text.encode())}, data={"wait_s": "100"}).json()
    assert [file["status"] for file in answer["files"]] == ["completed"], answer
    store = http.get("/v1/vector_stores/default").json()["id"]
    return Tenant(http, store, answer["files"][0]["file_id"], answer["batch_id"])


@pytest.fixture(scope="module")
def umbra(service: RunningService, admin: httpx.Client) -> Iterator[Tenant]:
    tenant = new_tenant(service, admin, "umbra", SECRET_NAME, SECRET_TEXT)
    yield tenant
    tenant.http.close()


@pytest.fixture(scope="module")
def acme(service: RunningService, admin: httpx.Client) -> Iterator[Tenant]:
    tenant = new_tenant(service, admin, "acme", "acme-notes.md", "The owl of Acme sleeps in the barn.")
    yield tenant
    tenant.http.close()


# --- keys --------------------------------------------------------------------------------------


def test_the_log_says_that_keys_are_needed(service: RunningService) -> None:
    wait_until(
        lambda: re.search("ready: .* - API keys or signed tokens are needed - ", service.log.read_text()), IDLE_S
    )


def test_without_a_key_only_probes_and_documentation_are_served(service: RunningService) -> None:
    with client(service, None) as http:
        for path in ("/livez", "/readyz", "/healthz", "/", "/docs.json", "/schema.json"):
            assert http.get(path).status_code == 200, path
        for path in ("/metrics", "/v1/models", "/v1/vector_stores", "/v1/keys", "/v1/nothing"):
            refused = http.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key"), path
            assert refused.headers["www-authenticate"].startswith("Bearer")


def audited(admin: httpx.Client, count: int, **query: Any) -> list[dict[str, Any]]:
    """The entries of the audit log, oldest first, once there are so many."""

    def entries() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = admin.get("/v1/audit", params={"limit": 100, **query}).json()["data"]
        return found[::-1]

    wait_until(lambda: len(entries()) >= count, IDLE_S)
    return entries()


def test_a_key_works_until_it_is_revoked(service: RunningService, admin: httpx.Client) -> None:
    key = new_key(admin)
    with client(service, key["secret"]) as http:
        assert http.get("/v1/models").status_code == 200
        assert http.get("/v1/keys").status_code == 403
        assert http.get("/metrics").status_code == 403
        admin.delete(f"/v1/keys/{key['id']}")
        time.sleep(FRESH_S)
        refused = http.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["message"]) == (401, "the API key was revoked")
    entries = audited(admin, 3, key=key["id"])
    assert [(entry["action"], entry["status"]) for entry in entries] == [
        ("list_keys", 403),
        ("metrics", 403),
        ("list_models", 401),
    ]
    revoked = {"key": key["id"], "id": key["id"]}
    [managed] = [entry for entry in audited(admin, 1, action="revoke_key") if entry["targets"] == revoked]
    assert (managed["key_id"], managed["status"]) == ("admin", 200)
    assert key["secret"] not in admin.get("/v1/audit", params={"limit": 100}).text


def test_a_key_with_a_limit_gets_a_429_with_the_time_to_wait(service: RunningService, admin: httpx.Client) -> None:
    key = new_key(admin, limits={"requests_per_minute": 2})
    with client(service, key["secret"]) as http:
        answers = [http.get("/v1/models") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
        refused = http.get("/v1/models")
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) > 1


def test_used_tokens_are_counted(service: RunningService, admin: httpx.Client) -> None:
    chat = {"model": "instant", "messages": [{"role": "user", "content": "Who sleeps?"}]}
    embeddings = {"model": "all-MiniLM-L6-v2", "input": "Who sleeps?"}
    for path, body in (("/v1/chat/completions", chat), ("/v1/embeddings", embeddings)):
        with client(service, new_key(admin, limits={"tokens_per_day": 3})["secret"]) as http:
            answer = http.post(path, json=body)
            assert (answer.status_code, answer.headers["x-ratelimit-remaining-tokens"]) == (200, "3"), answer.text
            assert answer.json()["usage"]["total_tokens"] >= 3
            assert not [name for name in answer.headers if name.startswith("x-rag")]
            refused = http.post(path, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded"), path
            assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
            assert int(refused.headers["retry-after"]) > 86_000
            assert http.get("/v1/models").status_code == 200


def test_a_key_stores_no_more_than_it_may(service: RunningService, admin: httpx.Client) -> None:
    key = new_key(admin, tenant="small", limits={"max_documents": 1})
    with client(service, key["secret"]) as http:
        first = http.post("/ingest", files={"files": ("a.md", b"One.")}, data={"wait_s": "100"})
        assert first.status_code == 200, first.text
        refused = http.post("/ingest", files={"files": ("b.md", b"Two.")})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "quota_exceeded")
        assert [file["filename"] for file in http.get("/v1/files").json()["data"]] == ["a.md"]


def test_the_audit_log_says_who_did_what(service: RunningService, admin: httpx.Client) -> None:
    key = new_key(admin, name="clerk", tenant="audited", scopes=["ask", "ingest"])
    with client(service, key["secret"]) as http:
        http.headers["x-request-id"] = "audited-1"
        store = http.post("/v1/vector_stores", json={"name": SECRET_NAME}).json()["id"]
        http.post(
            f"/v1/vector_stores/{store}", json={"description": SECRET_TEXT}, headers={"x-forwarded-for": "192.0.2.9"}
        )
        job = http.post("/ingest", files={"files": (SECRET_NAME, SECRET_TEXT.encode())}).json()["batch_id"]
        http.post("/retrieve", json={"query": SECRET_TEXT})
        http.delete(f"/v1/vector_stores/{store}")
    entries = audited(admin, 4, key=key["id"])
    assert [(entry["action"], entry["status"], entry["error_code"]) for entry in entries] == [
        ("create_vector_store", 200, ""),
        ("update_vector_store", 200, ""),
        ("ingest", 202, ""),
        ("delete_vector_store", 403, "insufficient_permissions"),
    ]
    assert [entry["targets"] for entry in entries] == [
        {"id": store},
        {"store": store, "id": store},
        {"id": job},
        {"store": store},
    ]
    assert [entry["address"] for entry in entries] == ["127.0.0.1", "192.0.2.9", "127.0.0.1", "127.0.0.1"]
    assert {(entry["key_name"], entry["tenant"], entry["request_id"]) for entry in entries} == {
        ("clerk", "audited", "audited-1")
    }
    for text in (SECRET_TEXT, SECRET_NAME, key["secret"]):
        assert text not in str(entries)


def test_the_model_decides_between_asking_and_generating(service: RunningService, admin: httpx.Client) -> None:
    messages = [{"role": "user", "content": "Who sleeps?"}]
    for scope, other in (("ask", "instant"), ("generate", "rag")):
        with client(service, new_key(admin, scopes=[scope])["secret"]) as http:
            allowed = "rag" if scope == "ask" else "instant"
            for path, body in (
                ("/v1/chat/completions", {"messages": messages}),
                ("/v1/responses", {"input": "Who sleeps?"}),
            ):
                assert http.post(path, json={"model": allowed, **body}).status_code == 200, (scope, path)
                refused = http.post(path, json={"model": other, **body})
                assert refused.json()["error"]["code"] == "insufficient_permissions", (scope, path)


def test_clients_send_their_keys(service: RunningService, acme: Tenant) -> None:
    secret = acme.http.headers["authorization"].removeprefix("Bearer ")
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=secret) as client_of_openai:
        assert "rag" in {model.id for model in client_of_openai.models.list()}
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="wrong", max_retries=0) as client_of_openai:
        with pytest.raises(openai.AuthenticationError) as caught:
            client_of_openai.models.list()
        assert caught.value.code == "invalid_api_key"
    with bentoml.SyncHTTPClient(service.url, token=secret) as client_of_bentoml:
        assert client_of_bentoml.retrieve(query="owl")["hits"]


def rag(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "rag", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_the_command_line_sends_a_key_and_can_work_on_the_catalog(service: RunningService) -> None:
    data_dir = str(service.log.parent / "data")
    made = rag("keys", "create", "by hand", "--scopes", "ask,ingest", RAG_DATA_DIR=data_dir)
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    listed = rag("stores", "list", "--url", service.url, RAG_API_KEY=secret)
    assert (listed.returncode, "default" in listed.stdout) == (0, True), listed.stderr
    refused = rag("stores", "list", "--url", service.url)
    assert (refused.returncode, "set RAG_API_KEY" in refused.stderr) == (1, True)
    keys = rag("keys", "list", "--url", service.url, "--json", RAG_API_KEY=ADMIN)
    key = next(row for row in map(json.loads, keys.stdout.splitlines()) if row["name"] == "by hand")
    assert rag("keys", "revoke", key["id"], "--local", RAG_DATA_DIR=data_dir, RAG_API_KEY=ADMIN).returncode == 0
    time.sleep(FRESH_S)
    assert "was revoked" in rag("stores", "list", "--url", service.url, RAG_API_KEY=secret).stderr


def test_the_services_need_their_own_key_among_themselves(service: RunningService) -> None:
    for name in ("Retriever", "Embedder", "LLM"):
        transport = httpx.HTTPTransport(uds=unquote(urlparse(service.inner_url(name)).path))
        with httpx.Client(transport=transport, base_url="http://inner") as http:
            refused = http.post("/encode", json={}, headers={"authorization": f"Bearer {ADMIN}"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key"), name


def test_a_start_that_others_could_use_without_a_key_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bentoml", "serve", "bench.instant_bundle:RAG"]  # on all interfaces
    env = {**os.environ, "RAG_DATA_DIR": str(tmp_path), "BENTOML_DO_NOT_TRACK": "true"}
    done = subprocess.run(
        [*command, "--port", str(free_port())],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    for way_out in ("--host 127.0.0.1", "rag keys create", "RAG_SERVER__ADMIN_KEY", "RAG_SERVER__OPEN=true"):
        assert way_out in done.stderr


# --- tenants -----------------------------------------------------------------------------------

BODIES: dict[str, Any] = {
    "update_vector_store": {"name": "mine"},
    "reindex_vector_store": {"embedder": "all-MiniLM-L6-v2"},
    "search_vector_store": {"query": "zebra"},
    "update_document": {"attributes": {"mine": True}},
    "retry_job": {},
}
"""Bodies of the routes that have one and whose path names something."""
NAMES_NOTHING = {
    *("livez", "healthz", "readyz", "metrics", "list_models", "get_model", "generate", "create_completion"),
    *("create_embeddings", "rerank", "create_file", "load_lora_adapter", "unload_lora_adapter"),
    *("create_key", "list_keys", "get_key", "update_key", "revoke_key", "rotate_key"),
    "list_audit_entries",
}
"""Operations that take no id of a vector store, file or job."""


def foreign_requests(umbra: Tenant) -> dict[str, list[tuple[str, str, Any]]]:
    """By operation: method, path and options of requests that name what `umbra` has."""
    store, file_id, job = umbra.store, umbra.file_id, umbra.job
    ids = {"store": store, "file_id": file_id, "job": job, "batch": job}
    requests: dict[str, list[tuple[str, str, Any]]] = {}
    for route in public_operations():
        operation, path = route.operation.id, route.mounted_at + route.path_format
        names = re.findall(r"{(\w+)}", path)
        if not names or operation in NAMES_NOTHING:
            continue
        method = next(iter(route.methods - {"HEAD"}))
        body = {"json": BODIES[operation]} if operation in BODIES else {}
        paths = [path.format(**ids)]
        if "store" in names and len(names) > 1:  # the tenant's own vector store with an id of the other's
            paths.append(path.format(**{**ids, "store": "default"}))
        requests[operation] = [(method, each, body) for each in paths]
    messages = [{"role": "user", "content": "Where does the zebra sleep?"}]
    file_search = {"tools": [{"type": "file_search", "vector_store_ids": [store]}]}
    requests |= {
        "ask": [("POST", "/ask", {"json": {"question": "zebra", "vector_store": store}})],
        "retrieve": [("POST", "/retrieve", {"json": {"query": "zebra", "vector_store": store}})],
        "ingest": [("POST", "/ingest", {"files": {"files": ("x.md", b"x")}, "data": {"vector_store": store}})],
        "create_chat_completion": [
            (
                "POST",
                "/v1/chat/completions",
                {"json": {"model": "rag", "messages": messages, "rag": {"vector_store": store}}},
            )
        ],
        "create_response": [("POST", "/v1/responses", {"json": {"model": "rag", "input": "zebra", **file_search}})],
        "create_vector_store": [("POST", "/v1/vector_stores", {"json": {"name": "x", "file_ids": [file_id]}})],
        "list_jobs": [("GET", f"/v1/jobs?vector_store_id={store}", {})],
        "attach_file": [
            ("POST", f"/v1/vector_stores/{store}/files", {"json": {"file_id": file_id}}),
            ("POST", "/v1/vector_stores/default/files", {"json": {"file_id": file_id}}),
        ],
        "create_file_batch": [
            ("POST", f"/v1/vector_stores/{store}/file_batches", {"json": {"file_ids": [file_id]}}),
            ("POST", "/v1/vector_stores/default/file_batches", {"json": {"file_ids": [file_id]}}),
        ],
        "list_vector_stores": [("GET", f"/v1/vector_stores?after={store}", {})],
        "list_files": [("GET", f"/v1/files?after={file_id}", {})],
    }
    requests["list_documents"] = requests["list_documents"][:1]
    return requests


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
    unknown = Tenant(umbra.http, "vs_" + "0" * 24, "file-" + "0" * 24, "vsfb_" + "0" * 24)
    for operation, examples in foreign_requests(umbra).items():
        for (method, path, options), (_, other_path, other_options) in zip(
            examples, foreign_requests(unknown)[operation], strict=True
        ):
            known, absent = (
                acme.http.request(method, path, **options),
                acme.http.request(method, other_path, **other_options),
            )
            assert without_ids(known, umbra) == without_ids(absent, unknown), operation


def without_ids(answer: httpx.Response, tenant: Tenant) -> tuple[int, str]:
    text = re.sub('"request_id":"[^"]*"', "", answer.text)
    for value in (tenant.store, tenant.file_id, tenant.job):
        text = text.replace(value, "ID")
    return answer.status_code, text


def state_of(tenant: Tenant) -> list[Any]:
    paths = ("/v1/vector_stores", "/v1/files", "/v1/jobs", f"/v1/vector_stores/{tenant.store}/files")
    pages = [tenant.http.get(path).json()["data"] for path in paths]
    for store in pages[0]:
        store.pop("last_active_at")
    return pages


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
