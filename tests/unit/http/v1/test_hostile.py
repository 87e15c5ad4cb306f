"""`/v1` with unknown ids and with values that a database may not be able to store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.v1.v1_client import V1, error_of


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/files?after=file-none", "after"), ("/vector_stores?after=vs-none", "after"),
        ("/jobs?after=job-none", "after"), ("/files?after=%00", "after"),
        ("/jobs?vector_store_id=%00", "vector_store_id"),
        ("/vector_stores/default/files?after=file-none", "after"), ("/vector_stores?before=vs-none", "before"),
        ("/vector_stores/default/files?before=file-none", "before"),
    ],
)  # fmt: skip
async def test_a_cursor_that_is_not_in_the_list_is_refused(shared_app: V1, path: str, param: str) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.get(path)) == (400, "invalid_request", param)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/files/none", "file_not_found"), ("DELETE", "/files/none", "file_not_found"),
        ("GET", "/files/none/content", "file_not_found"), ("GET", "/vector_stores/none", "vector_store_not_found"),
        ("GET", "/vector_stores/none/files", "vector_store_not_found"), ("GET", "/jobs/none", "not_found"),
        ("GET", "/vector_stores/default/files/none", "file_not_found"), ("POST", "/jobs/none/cancel", "not_found"),
        ("GET", "/vector_stores/default/files/none/content", "file_not_found"),
        ("GET", "/jobs/none/files", "not_found"), ("GET", "/files/%00", "not_found"),
        ("GET", "/jobs/a%00", "not_found"),
        ("DELETE", "/vector_stores/default/files/none", "file_not_found"),
        ("GET", "/vector_stores/default/file_batches/none", "not_found"), ("POST", "/jobs/none/retry", "not_found"),
        ("DELETE", "/vector_stores/none", "vector_store_not_found"),
        ("POST", "/vector_stores/none/reindex/rollback", "vector_store_not_found"),
    ],
)  # fmt: skip
async def test_unknown_ids_are_not_found(shared_app: V1, method: str, path: str, code: str) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.request(method, path))[:2] == (404, code)


async def test_hostile_values_are_stored_unchanged(app: V1) -> None:
    async with app.http() as http:
        for name in ("'; DROP TABLE stores; --", "日本 \u202e", "x" * 256, " ", "a/b?c#d"):
            created = (await http.post("/vector_stores", json={"name": name, "metadata": {name[:60]: name}})).json()
            got = (await http.get(f"/vector_stores/{created['id']}")).json()
            assert (got["name"], got["metadata"]) == (name, {name[:60]: name})
        for number in (2**63 - 1, -(2**63) + 1, 0.1, -0.0, 5e-324):
            file = (await http.post("/files", files={"file": ("a.md", b"x")})).json()
            body = {"file_id": file["id"], "attributes": {"n": number, "'": '"'}}
            got = await http.post("/vector_stores/default/files", json=body)
            assert got.json()["attributes"] == body["attributes"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/vector_stores", {"name": "a\0b"}), ("/vector_stores", {"metadata": {"a": "\0"}}),
        ("/vector_stores", {"metadata": {"\0": "a"}}), ("/vector_stores", {"description": "\0"}),
        ("/vector_stores", {"file_ids": ["\0"]}), ("/vector_stores/default/reindex", {"embedder": "\0"}),
        ("/vector_stores/default/files", {"file_id": "a", "attributes": {"a": "\0"}}),
        ("/vector_stores/default/files", {"file_id": "a", "attributes": {"\0": "a"}}),
    ],
)  # fmt: skip
async def test_values_that_postgresql_cannot_store_are_refused(shared_app: V1, path: str, body: dict[str, Any]) -> None:
    async with shared_app.http() as http:
        assert error_of(await http.post(path, json=body))[:2] == (400, "invalid_request")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/vector_stores", {"name": "a\ud800"}), ("/vector_stores", {"metadata": {"a": "\ud800"}}),
        ("/vector_stores", {"metadata": {"\ud800": "a"}}), ("/vector_stores", {"description": "\udfff"}),
        ("/vector_stores", {"file_ids": ["\ud800"]}), ("/vector_stores/default/search", {"query": "\ud800"}),
        ("/vector_stores/default/files", {"file_id": "a", "attributes": {"a": "\ud800"}}),
    ],
)  # fmt: skip
async def test_half_a_surrogate_pair_is_refused_and_nothing_is_stored(
    shared_app: V1, path: str, body: dict[str, Any]
) -> None:
    async with shared_app.http() as http:
        before = (await http.get("/vector_stores")).json()
        headers = {"content-type": "application/json"}
        response = await http.post(path, content=json.dumps(body), headers=headers)  # httpx refuses to encode it
        assert error_of(response)[:2] == (400, "invalid_request")
        assert (await http.get("/vector_stores")).json() == before
