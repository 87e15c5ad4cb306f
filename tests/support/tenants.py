"""Tenants of a running service, and requests that name what another tenant has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx

from rag.http.published_document import public_operations
from tests.e2e.running import LIMIT_S, RunningService

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
    response: str
    """Of an answer from its document."""
    conversation: str
    """With this answer."""
    item: str
    """Of this conversation."""
    completion: str
    """A kept chat completion."""
    upload: str
    """Begun, but not completed."""
    requests: str
    """A batch of requests."""

    @property
    def kept(self) -> tuple[str, ...]:
        return self.response, self.conversation, self.item, self.completion, self.upload, self.requests


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
    kept = (*new_response(http, text), new_upload(http), new_batch(http))
    return Tenant(http, store, answer["files"][0]["file_id"], answer["batch_id"], *kept)


def new_response(http: httpx.Client, text: str) -> tuple[str, str, str, str]:
    """The ids of a kept answer to a question, of its conversation, of an item in it, and of a kept chat completion."""
    conversation = http.post("/v1/conversations", json={}).json()["id"]
    body = {"model": "rag", "input": text, "conversation": conversation}
    answer = http.post("/v1/responses", json=body).json()
    assert answer["store"], answer
    chat = {"model": "rag", "messages": [{"role": "user", "content": text}], "store": True}
    completion = http.post("/v1/chat/completions", json=chat).json()["id"]
    return str(answer["id"]), str(conversation), str(answer["output"][-1]["id"]), str(completion)


def new_upload(http: httpx.Client) -> str:
    """The id of an upload in parts."""
    body = {"filename": "a.md", "purpose": "assistants", "bytes": 6, "mime_type": "text/markdown"}
    return str(http.post("/v1/uploads", json=body).json()["id"])


def new_batch(http: httpx.Client) -> str:
    """The id of a batch of requests, which leaves no file: the line of its file is not valid."""
    files = {"file": ("requests.jsonl", b"{")}
    file_id = http.post("/v1/files", files=files, data={"purpose": "batch"}).json()["id"]
    created = {"input_file_id": file_id, "endpoint": "/v1/embeddings", "completion_window": "24h"}
    batch_id = str(http.post("/v1/batches", json=created).json()["id"])
    http.delete(f"/v1/files/{file_id}")
    return batch_id


BODIES: dict[str, Any] = {
    "update_vector_store": {"name": "mine"},
    "reindex_vector_store": {"embedder": "all-MiniLM-L6-v2"},
    "search_vector_store": {"query": "zebra"},
    "update_document": {"attributes": {"mine": True}},
    "retry_job": {},
    "update_conversation": {"metadata": {"mine": "yes"}},
    "update_chat_completion": {"metadata": {"mine": "yes"}},
    "create_conversation_items": {"items": [{"role": "user", "content": "zebra"}]},
    "complete_upload": {"part_ids": ["part_0"]},
}
"""Bodies of the routes that have one and whose path names something."""
NAMES_NOTHING = {
    *("livez", "healthz", "readyz", "metrics", "list_models", "get_model", "generate", "create_completion"),
    *("create_embeddings", "rerank", "create_file", "load_lora_adapter", "unload_lora_adapter"),
    *("create_key", "list_keys", "get_key", "update_key", "revoke_key", "rotate_key"),
    *("list_audit_entries", "create_conversation", "create_upload"),
}
"""Operations that take no id of a vector store, file, job, response or conversation."""


def foreign_requests(umbra: Tenant) -> dict[str, list[tuple[str, str, Any]]]:
    """By operation: method, path and options of requests that name what `umbra` has."""
    store, file_id, job = umbra.store, umbra.file_id, umbra.job
    ids = {"store": store, "file_id": file_id, "job": job, "batch": job, "response_id": umbra.response}
    ids |= {"conversation_id": umbra.conversation, "item_id": umbra.item, "completion_id": umbra.completion}
    ids |= {"upload_id": umbra.upload, "batch_id": umbra.requests}
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
    question = {"model": "rag", "input": "zebra"}
    earlier: list[Any] = [
        {**question, "previous_response_id": umbra.response},
        {**question, "conversation": umbra.conversation},
        {**question, "input": [{"type": "item_reference", "id": umbra.item}]},
    ]
    asked = [{**question, **file_search}, *earlier]
    part = {"type": "file", "file": {"file_id": file_id}}
    attached = {"model": "instant", "messages": [{"role": "user", "content": [part]}]}
    input_part = {"type": "input_file", "file_id": file_id}
    asked.append({"model": "instant", "input": [{"role": "user", "content": [input_part]}]})
    requests |= {
        "ask": [("POST", "/ask", {"json": {"question": "zebra", "vector_store": store}})],
        "retrieve": [("POST", "/retrieve", {"json": {"query": "zebra", "vector_store": store}})],
        "ingest": [("POST", "/ingest", {"files": {"files": ("x.md", b"x")}, "data": {"vector_store": store}})],
        "create_chat_completion": [
            (
                "POST",
                "/v1/chat/completions",
                {"json": {"model": "rag", "messages": messages, "rag": {"vector_store": store}}},
            ),
            ("POST", "/v1/chat/completions", {"json": attached}),
        ],
        "create_response": [("POST", "/v1/responses", {"json": each}) for each in asked],
        "compact_response": [
            ("POST", "/v1/responses/compact", {"json": each}) for each in earlier if "conversation" not in each
        ],
        "count_response_input_tokens": [("POST", "/v1/responses/input_tokens", {"json": each}) for each in asked],
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
        "list_chat_completions": [("GET", f"/v1/chat/completions?after={umbra.completion}", {})],
        "list_vector_stores": [("GET", f"/v1/vector_stores?after={store}", {})],
        "list_files": [("GET", f"/v1/files?after={file_id}", {})],
        "list_batches": [("GET", f"/v1/batches?after={umbra.requests}", {})],
        "create_batch": [
            (
                "POST",
                "/v1/batches",
                {"json": {"input_file_id": file_id, "endpoint": "/v1/embeddings", "completion_window": "24h"}},
            )
        ],
    }
    requests["list_documents"] = requests["list_documents"][:1]
    return requests


def without_ids(answer: httpx.Response, tenant: Tenant) -> tuple[int, str]:
    text = re.sub('"request_id":"[^"]*"', "", answer.text)
    for value in (tenant.store, tenant.file_id, tenant.job, *tenant.kept):
        text = text.replace(value, "ID")
    return answer.status_code, text


def state_of(tenant: Tenant) -> list[Any]:
    paths = ("/v1/vector_stores", "/v1/files", "/v1/jobs", f"/v1/vector_stores/{tenant.store}/files")
    pages = [tenant.http.get(path).json()["data"] for path in paths]
    for store in pages[0]:
        store.pop("last_active_at")
    return pages
