"""API keys of a running service: scopes, limits, the audit log, clients, the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import bentoml
import httpx
import openai
import pytest

from rag.http.auth.verified_keys import FRESH_S
from tests.e2e.running import IDLE_S, ROOT, RunningService, wait_until
from tests.integration.service.conftest import ADMIN
from tests.support.free_port import free_port
from tests.support.tenants import (
    SECRET_NAME,
    SECRET_TEXT,
    Tenant,
    client,
    new_key,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


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
                ("/v1/responses/compact", {"input": "Who sleeps?"}),
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


@pytest.mark.long  # tests/unit/cli has the short forms
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


@pytest.mark.long  # tests/unit/test_access.py has the short form
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
