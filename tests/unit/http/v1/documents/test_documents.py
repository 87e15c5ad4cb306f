"""Files in vector stores, batches and jobs, through OpenAI's client and without it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from tests.support.library_harness import eventually
from tests.support.v1.v1_client import V1, error_of

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}


async def upload(app: V1, *contents: bytes) -> list[str]:
    async with app.openai() as client:
        return [
            (await client.files.create(file=(f"{number}.md", content), purpose="assistants")).id
            for number, content in enumerate(contents)
        ]


async def test_openais_client_uploads_a_file_and_polls_until_it_is_indexed(app: V1) -> None:
    async with app.openai() as client:
        done = await client.vector_stores.files.upload_and_poll(
            vector_store_id="default", file=("a.md", b"text"), attributes={"n": 1, "ok": True},
            chunking_strategy=STATIC, poll_interval_ms=10,
        )  # fmt: skip
        assert (done.object, done.status, done.last_error, done.usage_bytes) == (
            "vector_store.file",
            "completed",
            None,
            4,
        )
        assert done.attributes == {"n": 1, "ok": True}
        assert done.chunking_strategy is not None
        assert done.chunking_strategy.model_dump() == STATIC
        extras: Any = done.model_extra
        assert (extras["filename"], extras["searchable"], extras["warning_details"]) == ("a.md", True, [])
        changed = await client.vector_stores.files.update(done.id, vector_store_id="default", attributes={"n": 2})
        assert changed.attributes == {"n": 2}
        assert (
            await client.vector_stores.files.update(done.id, vector_store_id="default", attributes=None)
        ).attributes == {}
        page = await client.vector_stores.files.content(done.id, vector_store_id="default")
        assert [(part.type, part.text) for part in page.data] == [("text", "text")]
        deleted = await client.vector_stores.files.delete(done.id, vector_store_id="default")
        assert (deleted.object, deleted.deleted) == ("vector_store.file.deleted", True)
        assert (await client.files.retrieve(done.id)).filename == "a.md"
        assert (await client.vector_stores.files.list("default")).data == []


async def test_a_document_is_uploaded_searched_and_deleted(app: V1) -> None:
    async with app.openai() as client:
        store = await client.vector_stores.create(
            name="notes", metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 3}
        )
        done = await client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=("guide/a.md", b"apples are red"), attributes={"n": 1, "ok": True},
            poll_interval_ms=10,
        )  # fmt: skip
        assert (done.status, done.last_error, done.attributes) == ("completed", None, {"n": 1, "ok": True})
        (found,) = [hit async for hit in client.vector_stores.search(store.id, query="apples")]
        assert (found.file_id, found.filename, found.content[0].text) == (done.id, "guide/a.md", "apples are red")
        await client.vector_stores.files.update(done.id, vector_store_id=store.id, attributes={"n": 2})
        filters: Any = {"type": "eq", "key": "n", "value": 2}
        assert len((await client.vector_stores.search(store.id, query="apples", filters=filters)).data) == 1
        page = await client.vector_stores.files.content(done.id, vector_store_id=store.id)
        assert page.data[0].text == "apples are red"
        assert (await client.vector_stores.retrieve(store.id)).file_counts.completed == 1
        await client.vector_stores.files.delete(done.id, vector_store_id=store.id)
        assert (await client.vector_stores.search(store.id, query="apples")).data == []
        assert (await client.files.content(done.id)).read() == b"apples are red"
        assert (await client.files.delete(done.id)).deleted
        assert (await client.vector_stores.delete(store.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.vector_stores.retrieve(store.id)
    assert list(app.incoming.iterdir()) == []


async def test_a_polling_client_sees_the_job_end(app: V1) -> None:
    app.hold()
    (file_id,) = await upload(app, b"text")
    async with app.openai() as client:
        raw = await client.vector_stores.files.with_raw_response.create("default", file_id=file_id)
        assert raw.headers["openai-poll-after-ms"] == "500"
        assert raw.parse().status == "in_progress"
        waiting = asyncio.create_task(
            client.vector_stores.files.poll(file_id, vector_store_id="default", poll_interval_ms=5)
        )
        await asyncio.sleep(0.03)
        assert not waiting.done()
        await app.finished()
        assert (await waiting).status == "completed"


async def test_a_failed_file_reports_its_error_in_openais_code_and_in_ours(app: V1) -> None:
    (file_id,) = await upload(app, b"damaged")
    async with app.openai() as client:
        failed = await client.vector_stores.files.create_and_poll(
            file_id, vector_store_id="default", poll_interval_ms=10
        )
    assert failed.status == "failed"
    assert failed.last_error is not None
    assert failed.last_error.model_dump() == {
        "code": "invalid_file", "message": "0.md is damaged", "reason": "broken_file",
    }  # fmt: skip


async def test_documents_are_filtered_by_status_and_paginated(app: V1) -> None:
    ids = await upload(app, b"a", b"damaged", b"c", b"d")
    async with app.openai() as client:
        await client.vector_stores.file_batches.create("default", file_ids=ids)
        await app.finished()
        files = client.vector_stores.files
        assert [f.id async for f in files.list("default", limit=1, order="asc")] == ids
        assert [f.id async for f in files.list("default", filter="failed")] == [ids[1]]
        page = await files.list("default", order="asc", before=ids[2], limit=1)
        assert [f.id for f in page.data] == [ids[1]]


async def test_the_text_of_an_unfinished_document_is_a_conflict(app: V1) -> None:
    app.hold()
    (file_id,) = await upload(app, b"text")
    async with app.http() as http:
        await http.post("/vector_stores/default/files", json={"file_id": file_id})
        assert error_of(await http.get(f"/vector_stores/default/files/{file_id}/content"))[:2] == (409, "conflict")
        assert error_of(await http.get(f"/vector_stores/default/files/{file_id}/passages"))[:2] == (409, "conflict")


# Batches


async def test_a_batch_is_created_from_uploads(app: V1) -> None:
    async with app.openai() as client:
        batch = await client.vector_stores.file_batches.upload_and_poll(
            "default",
            files=[(f"{n}.md", b"broken" if n == 2 else b"x") for n in range(4)],
            poll_interval_ms=10,
        )
        assert (batch.object, batch.status) == ("vector_store.files_batch", "completed")
        assert batch.file_counts.model_dump() == {
            "cancelled": 0,
            "completed": 3,
            "failed": 1,
            "in_progress": 0,
            "total": 4,
        }
        listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id="default", limit=3)
        assert len({f.id async for f in listed}) == 4
        (failed,) = (
            await client.vector_stores.file_batches.list_files(batch.id, vector_store_id="default", filter="failed")
        ).data
        assert failed.last_error is not None
        assert failed.last_error.code == "unsupported_file"


async def test_single_attributes_can_be_added_and_removed(app: V1) -> None:
    (file_id,) = await upload(app, b"text")
    async with app.openai() as client:
        await client.vector_stores.files.create_and_poll(
            file_id, vector_store_id="default", attributes={"a": 1, "b": 2}, poll_interval_ms=10
        )
        path = f"/vector_stores/default/files/{file_id}"
        changed: Any = await client.post(path, body={"attributes": {"b": None, "c": 3}, "merge": True}, cast_to=object)
        assert changed["attributes"] == {"a": 1, "c": 3}


async def test_groups_are_set_and_changed_in_a_field_of_their_own(app: V1) -> None:
    one, two = await upload(app, b"a", b"b")
    async with app.openai() as client, app.http() as http:
        body = {"file_ids": [one], "attributes": {"n": 1}, "read_groups": ["legal", "hr", "hr"]}
        await http.post("/vector_stores/default/file_batches", json=body)
        await http.post("/vector_stores/default/files", json={"file_id": two})
        await app.finished()
        path = f"/vector_stores/default/files/{one}"
        assert (await http.get(path)).json()["read_groups"] == ["hr", "legal"]
        assert (await http.get(f"/vector_stores/default/files/{two}")).json()["read_groups"] == []
        assert (await http.get(f"/files/{one}")).json()["read_groups"] == ["hr", "legal"]
        changed = (await http.post(path, json={"read_groups": ["it"]})).json()
        assert (changed["read_groups"], changed["attributes"]) == (["it"], {"n": 1})
        updated = await client.vector_stores.files.update(one, vector_store_id="default", attributes={"n": 2})
        assert (updated.attributes, updated.to_dict()["read_groups"]) == ({"n": 2}, ["it"])
        changed = (await http.post(path, json={"attributes": None, "read_groups": []})).json()
        assert (changed["read_groups"], changed["attributes"]) == ([], {})


async def test_each_file_of_a_batch_may_have_its_own_attributes(app: V1) -> None:
    one, two = await upload(app, b"a", b"b")
    async with app.openai() as client:
        batch = await client.vector_stores.file_batches.create_and_poll(
            "default", files=[{"file_id": one, "attributes": {"n": 1}}, {"file_id": two, "chunking_strategy": STATIC}],
            poll_interval_ms=10,
        )  # fmt: skip
        rows = await client.vector_stores.file_batches.list_files(batch.id, vector_store_id="default", order="asc")
    assert [row.attributes for row in rows.data] == [{"n": 1}, {}]
    strategies = [row.chunking_strategy for row in rows.data]
    assert [strategy and strategy.type for strategy in strategies] == ["other", "static"]


async def test_a_batch_is_cancelled_and_retried(app: V1) -> None:
    app.hold()
    ids = await upload(app, b"a", b"b")
    async with app.openai() as client, app.http() as http:
        batch = await client.vector_stores.file_batches.create("default", file_ids=ids, attributes={"k": "v"})
        assert batch.status == "in_progress"
        cancelled = await client.vector_stores.file_batches.cancel(batch.id, vector_store_id="default")
        assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 2)
        await app.finished()
        retried = (await http.post(f"/jobs/{batch.id}/retry", json={"file_ids": [ids[0]]})).json()
        assert (retried["object"], retried["file_counts"]["total"]) == ("job", 1)
        await app.finished()
        assert (await http.get(f"/jobs/{retried['id']}")).json()["status"] == "completed"
        assert error_of(await http.post(f"/jobs/{retried['id']}/retry"))[:2] == (409, "conflict")
        jobs = (await http.get("/jobs?vector_store_id=default")).json()["data"]
        assert {job["id"] for job in jobs} == {batch.id, retried["id"]}


async def test_a_batch_is_visible_only_in_its_own_vector_store(app: V1) -> None:
    ids = await upload(app, b"a")
    async with app.http() as http:
        await http.post("/vector_stores", json={"name": "other"})
        batch = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        assert (await http.get(f"/vector_stores/default/file_batches/{batch}")).status_code == 200
        for method, path in (("GET", ""), ("GET", "/files"), ("POST", "/cancel")):
            response = await http.request(method, f"/vector_stores/other/file_batches/{batch}{path}")
            assert error_of(response)[:2] == (404, "not_found")


async def test_a_repeated_idempotency_key_returns_the_same_batch(app: V1) -> None:
    ids = await upload(app, b"a", b"b")
    path, key = "/vector_stores/default/file_batches", {"Idempotency-Key": "once"}
    async with app.http() as http:
        first = await http.post(path, json={"file_ids": ids}, headers=key)
        assert (await http.post(path, json={"file_ids": ids}, headers=key)).json()["id"] == first.json()["id"]
        assert error_of(await http.post(path, json={"file_ids": ids[:1]}, headers=key))[:2] == (409, "conflict")
        for bad in ("", "x" * 256, "a\tb"):
            response = await http.post(path, json={"file_ids": ids}, headers={"Idempotency-Key": bad})
            assert error_of(response) == (400, "invalid_request", "Idempotency-Key")


INVALID: list[tuple[str, str, Any]] = [
    ("file_batches", "file_ids", {}), ("file_batches", "file_ids", {"file_ids": []}),
    ("file_batches", "file_ids", {"file_ids": ["a"], "files": [{"file_id": "a"}]}),
    ("file_batches", "files", {"files": [{}]}), ("file_batches", "files", {"files": [{"file_id": "a", "x": 1}]}),
    ("file_batches", "attributes", {"files": [{"file_id": "a"}], "attributes": {}}),
    ("file_batches", "attributes", {"file_ids": ["a"], "attributes": {"a": None}}),
    ("file_batches", "chunking_strategy", {"file_ids": ["a"], "chunking_strategy": {"type": 3}}),
    ("files", "file_id", {}), ("files", "file_id", {"file_id": 1}), ("files", "file_id", {"file_id": "x" * 257}),
    ("files", "attributes", {"file_id": "a", "attributes": {"": 1}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"k" * 65: 1}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"k": "v" * 513}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"k": 10**400}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"k": [1]}}),
    ("files", "attributes", {"file_id": "a", "attributes": {str(n): n for n in range(17)}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"k": "\ud800"}}),
    ("files", "attributes", {"file_id": "a", "attributes": {"$read_groups": "hr"}}),
    ("files", "read_groups", {"file_id": "a", "read_groups": "hr"}),
    ("files", "read_groups", {"file_id": "a", "read_groups": [""]}),
    ("file_batches", "read_groups", {"files": [{"file_id": "a"}], "read_groups": ["hr"]}),
    ("files/x", "attributes", {"merge": True}), ("files/x", "read_groups", {"read_groups": ["\ud800"]}),
    ("files/x", "attributes", {}), ("files/x", "attribute", {"attributes": {}, "attribute": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "param", "body"), INVALID, ids=lambda value: str(value)[:30])
async def test_a_refusal_of_an_invalid_body_names_the_field(shared_app: V1, path: str, param: str, body: Any) -> None:
    async with shared_app.http() as http:
        response = await http.post(
            f"/vector_stores/default/{path}", content=json.dumps(body)
        )  # httpx refuses some of these
    status, code, field = error_of(response)
    assert (status, code, (field or "").split(".")[0]) == (400, "invalid_request", param)


@pytest.mark.parametrize("query", ["filter=done", "limit=101", "order=", "after=none", "before=none", "x=1"])
async def test_an_invalid_query_is_refused(shared_app: V1, query: str) -> None:
    async with shared_app.http() as http:
        response = await http.get(f"/vector_stores/default/files?{query}")
        assert error_of(response) == (400, "invalid_request", query.split("=")[0])


async def test_what_was_not_read_is_said_to_people_and_to_programs(app: V1) -> None:
    async with app.openai() as client:
        done: Any = await client.vector_stores.files.upload_and_poll(
            vector_store_id="default", file=("a.md", b"partly read"), poll_interval_ms=10
        )
    assert done.warnings == ["1 picture was not read"]
    assert done.warning_details == [{"code": "pictures", "values": {"count": 1}, "part": ""}]


# Jobs


async def test_jobs_report_their_progress(app: V1) -> None:
    app.hold()
    ids = await upload(app, b"a", b"damaged")
    async with app.http() as http:
        job_id = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        await asyncio.to_thread(eventually, lambda: app.library.job(job_id).state == "running")
        job = (await http.get(f"/jobs/{job_id}")).json()
        assert set(job) == {
            "id", "object", "kind", "vector_store_id", "status", "created_at", "started_at", "finished_at",
            "file_counts", "progress", "error", "details",
        }  # fmt: skip
        assert (job["status"], job["file_counts"]["in_progress"], job["finished_at"]) == ("running", 2, None)
        assert set(job["progress"]) == {
            "step", "step_code", "step_values", "waiting_for", "stalled", "pages", "chunks", "chunks_total",
            "chunks_per_s", "seconds_left",
        }  # fmt: skip
        while not (progress := (await http.get(f"/jobs/{job_id}")).json()["progress"])["step_code"]:
            await asyncio.sleep(0.05)
        assert (progress["step"], progress["step_code"], progress["step_values"]) == (
            "reading 0.md", "reading", {"name": "0.md"},
        )  # fmt: skip
        assert [row["id"] for row in (await http.get("/jobs?active=true")).json()["data"]] == [job_id]
        await app.finished()
        while (await http.get("/jobs?active=true")).json()["data"]:
            await asyncio.sleep(0.05)
        assert len((await http.get(f"/jobs?vector_store_id={job['vector_store_id']}")).json()["data"]) == 1
        rows = (await http.get(f"/jobs/{job_id}/files")).json()["data"]
        assert [row["change"] for row in rows] == ["added", "added"]
        failed = (await http.get(f"/jobs/{job_id}/files?filter=failed")).json()["data"]
        assert [(row["filename"], row["last_error"]["reason"]) for row in failed] == [("1.md", "broken_file")]
        assert (await http.post(f"/jobs/{job_id}/retry", json={})).json()["file_counts"]["total"] == 1


async def test_a_job_is_cancelled(app: V1) -> None:
    app.hold()
    ids = await upload(app, b"a")
    async with app.http() as http:
        job_id = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        assert (await http.post(f"/jobs/{job_id}/cancel")).json()["status"] == "cancelled"


async def test_unknown_ids_and_invalid_queries_are_refused(shared_app: V1) -> None:
    async with shared_app.http() as http:
        for method, path in (("GET", ""), ("GET", "/files"), ("POST", "/cancel"), ("POST", "/retry")):
            assert error_of(await http.request(method, f"/jobs/none{path}"))[:2] == (404, "not_found")
        assert error_of(await http.get("/jobs?active=yes")) == (400, "invalid_request", "active")
        assert error_of(await http.post("/jobs/none/retry", json={"file_ids": "a"})) == (
            400,
            "invalid_request",
            "file_ids",
        )
