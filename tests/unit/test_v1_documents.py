"""Files in vector stores, batches and jobs, through OpenAI's client and without it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.v1_client import V1, error_of, v1

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}


async def uploaded(app: V1, *contents: bytes) -> list[str]:
    async with app.openai() as client:
        return [
            (await client.files.create(file=(f"{number}.md", content), purpose="assistants")).id
            for number, content in enumerate(contents)
        ]


async def test_a_file_is_uploaded_attached_and_waited_for(tmp_path: Path) -> None:
    async with v1(tmp_path).openai() as client:
        done = await client.vector_stores.files.upload_and_poll(
            vector_store_id="default", file=("a.md", b"text"), attributes={"n": 1, "ok": True}, chunking_strategy=STATIC
        )
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
        assert (extras["filename"], extras["searchable"], extras["change"]) == ("a.md", True, "added")
        changed = await client.vector_stores.files.update(done.id, vector_store_id="default", attributes={"n": 2})
        assert changed.attributes == {"n": 2}
        assert (
            await client.vector_stores.files.update(done.id, vector_store_id="default", attributes=None)
        ).attributes == {}
        page = await client.vector_stores.files.content(done.id, vector_store_id="default")
        assert [(part.type, part.text) for part in page.data] == [("text", "text")]
        gone = await client.vector_stores.files.delete(done.id, vector_store_id="default")
        assert (gone.object, gone.deleted) == ("vector_store.file.deleted", True)
        assert (await client.files.retrieve(done.id)).filename == "a.md"
        assert (await client.vector_stores.files.list("default")).data == []


async def test_a_client_that_polls_sees_the_work_end(tmp_path: Path) -> None:
    app = v1(tmp_path, manual=True)
    (file_id,) = await uploaded(app, b"text")
    async with app.openai() as client:
        raw = await client.vector_stores.files.with_raw_response.create("default", file_id=file_id)
        assert raw.headers["openai-poll-after-ms"] == "500"
        assert raw.parse().status == "in_progress"
        waiting = asyncio.create_task(
            client.vector_stores.files.poll(file_id, vector_store_id="default", poll_interval_ms=5)
        )
        await asyncio.sleep(0.03)
        assert not waiting.done()
        app.library.finish((await app.http().get("/jobs")).json()["data"][0]["id"])
        assert (await waiting).status == "completed"


async def test_a_file_that_fails_says_why_in_openais_words_and_ours(tmp_path: Path) -> None:
    app = v1(tmp_path)
    (file_id,) = await uploaded(app, b"BROKEN")
    async with app.openai() as client:
        failed = await client.vector_stores.files.create_and_poll(file_id, vector_store_id="default")
    assert failed.status == "failed"
    assert failed.last_error is not None
    assert failed.last_error.model_dump() == {
        "code": "invalid_file", "message": "0.md is damaged", "reason": "broken_file",
    }  # fmt: skip


async def test_documents_are_listed_by_status_page_by_page(tmp_path: Path) -> None:
    app = v1(tmp_path)
    ids = await uploaded(app, b"a", b"BROKEN", b"c", b"d")
    async with app.openai() as client:
        await client.vector_stores.file_batches.create("default", file_ids=ids)
        files = client.vector_stores.files
        assert [f.id async for f in files.list("default", limit=1, order="asc")] == ids
        assert [f.id async for f in files.list("default", filter="failed")] == [ids[1]]
        page = await files.list("default", order="asc", before=ids[2], limit=1)
        assert [f.id for f in page.data] == [ids[1]]


async def test_a_text_that_is_not_there_yet_is_a_conflict(tmp_path: Path) -> None:
    app = v1(tmp_path, manual=True)
    (file_id,) = await uploaded(app, b"text")
    async with app.http() as http:
        await http.post("/vector_stores/default/files", json={"file_id": file_id})
        assert error_of(await http.get(f"/vector_stores/default/files/{file_id}/content"))[:2] == (409, "conflict")


# Batches


async def test_a_batch_is_made_of_uploads(tmp_path: Path) -> None:
    async with v1(tmp_path).openai() as client:
        batch = await client.vector_stores.file_batches.upload_and_poll(
            "default", files=[(f"{n}.md", b"BROKEN" if n == 2 else b"x") for n in range(4)]
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
        failed = await client.vector_stores.file_batches.list_files(
            batch.id, vector_store_id="default", filter="failed"
        )
        assert len(failed.data) == 1


async def test_some_attributes_can_be_added_and_removed(tmp_path: Path) -> None:
    app = v1(tmp_path)
    (known,) = await uploaded(app, b"text")
    async with app.openai() as client:
        await client.vector_stores.files.create_and_poll(known, vector_store_id="default", attributes={"a": 1, "b": 2})
        path = f"/vector_stores/default/files/{known}"
        changed: Any = await client.post(path, body={"attributes": {"b": None, "c": 3}, "merge": True}, cast_to=object)
        assert changed["attributes"] == {"a": 1, "c": 3}


async def test_each_file_of_a_batch_may_have_its_own_attributes(tmp_path: Path) -> None:
    app = v1(tmp_path)
    one, two = await uploaded(app, b"a", b"b")
    async with app.openai() as client:
        batch = await client.vector_stores.file_batches.create_and_poll(
            "default", files=[{"file_id": one, "attributes": {"n": 1}}, {"file_id": two, "chunking_strategy": STATIC}]
        )
        rows = await client.vector_stores.file_batches.list_files(batch.id, vector_store_id="default", order="asc")
    assert [row.attributes for row in rows.data] == [{"n": 1}, {}]
    assert [row.chunking_strategy is None for row in rows.data] == [True, False]


async def test_a_batch_is_cancelled_and_done_again(tmp_path: Path) -> None:
    app = v1(tmp_path, manual=True)
    ids = await uploaded(app, b"a", b"b")
    async with app.openai() as client, app.http() as http:
        batch = await client.vector_stores.file_batches.create("default", file_ids=ids, attributes={"k": "v"})
        assert batch.status == "in_progress"
        cancelled = await client.vector_stores.file_batches.cancel(batch.id, vector_store_id="default")
        assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 2)
        again = (await http.post(f"/jobs/{batch.id}/retry", json={"file_ids": [ids[0]]})).json()
        assert (again["object"], again["file_counts"]["total"]) == ("job", 1)
        app.library.finish(again["id"])
        assert (await http.get(f"/jobs/{again['id']}")).json()["status"] == "completed"
        assert error_of(await http.post(f"/jobs/{again['id']}/retry"))[:2] == (409, "conflict")


async def test_a_batch_is_known_in_its_own_vector_store_only(tmp_path: Path) -> None:
    app = v1(tmp_path)
    ids = await uploaded(app, b"a")
    async with app.http() as http:
        await http.post("/vector_stores", json={"name": "other"})
        batch = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        assert (await http.get(f"/vector_stores/default/file_batches/{batch}")).status_code == 200
        for method, path in (("GET", ""), ("GET", "/files"), ("POST", "/cancel")):
            got = await http.request(method, f"/vector_stores/other/file_batches/{batch}{path}")
            assert error_of(got)[:2] == (404, "not_found")


async def test_the_same_key_makes_the_same_batch(tmp_path: Path) -> None:
    app = v1(tmp_path)
    ids = await uploaded(app, b"a", b"b")
    path, key = "/vector_stores/default/file_batches", {"Idempotency-Key": "once"}
    async with app.http() as http:
        first = await http.post(path, json={"file_ids": ids}, headers=key)
        assert (await http.post(path, json={"file_ids": ids}, headers=key)).json()["id"] == first.json()["id"]
        assert error_of(await http.post(path, json={"file_ids": ids[:1]}, headers=key))[:2] == (409, "conflict")
        for bad in ("", "x" * 256, "a\tb"):
            got = await http.post(path, json={"file_ids": ids}, headers={"Idempotency-Key": bad})
            assert error_of(got) == (400, "invalid_request", "Idempotency-Key")


BAD: list[tuple[str, str, Any]] = [
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
    ("files/x", "attributes", {}), ("files/x", "attribute", {"attributes": {}, "attribute": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "param", "body"), BAD, ids=lambda value: str(value)[:30])
async def test_a_bad_body_is_refused_with_the_fields_name(tmp_path: Path, path: str, param: str, body: Any) -> None:
    async with v1(tmp_path).http() as http:
        got = await http.post(f"/vector_stores/default/{path}", content=json.dumps(body))  # httpx refuses some of these
    status, code, named = error_of(got)
    assert (status, code, (named or "").split(".")[0]) == (400, "invalid_request", param)


@pytest.mark.parametrize("query", ["filter=done", "limit=101", "order=", "after=none", "before=none", "x=1"])
async def test_a_bad_query_is_refused(tmp_path: Path, query: str) -> None:
    async with v1(tmp_path).http() as http:
        got = await http.get(f"/vector_stores/default/files?{query}")
        assert error_of(got) == (400, "invalid_request", query.split("=")[0])


# Jobs


async def test_jobs_tell_how_far_they_are(tmp_path: Path) -> None:
    app = v1(tmp_path, manual=True)
    ids = await uploaded(app, b"a", b"BROKEN")
    async with app.http() as http:
        one = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        job = (await http.get(f"/jobs/{one}")).json()
        assert set(job) == {
            "id", "object", "kind", "vector_store_id", "status", "created_at", "started_at", "finished_at",
            "file_counts", "progress", "error", "details",
        }  # fmt: skip
        assert (job["status"], job["file_counts"]["in_progress"], job["finished_at"]) == ("running", 2, None)
        assert set(job["progress"]) == {
            "step", "waiting_for", "stalled", "pages", "chunks", "chunks_total", "chunks_per_s", "seconds_left",
        }  # fmt: skip
        assert [row["id"] for row in (await http.get("/jobs?active=true")).json()["data"]] == [one]
        app.library.finish(one)
        assert (await http.get("/jobs?active=true")).json()["data"] == []
        assert len((await http.get(f"/jobs?vector_store_id={job['vector_store_id']}")).json()["data"]) == 1
        failed = (await http.get(f"/jobs/{one}/files?filter=failed")).json()["data"]
        assert [(row["filename"], row["last_error"]["reason"]) for row in failed] == [("1.md", "broken_file")]
        assert (await http.post(f"/jobs/{one}/retry", json={})).json()["file_counts"]["total"] == 1


async def test_a_job_is_cancelled(tmp_path: Path) -> None:
    app = v1(tmp_path, manual=True)
    ids = await uploaded(app, b"a")
    async with app.http() as http:
        one = (await http.post("/vector_stores/default/file_batches", json={"file_ids": ids})).json()["id"]
        assert (await http.post(f"/jobs/{one}/cancel")).json()["status"] == "cancelled"


async def test_strangers_and_bad_questions_are_refused(tmp_path: Path) -> None:
    async with v1(tmp_path).http() as http:
        for method, path in (("GET", ""), ("GET", "/files"), ("POST", "/cancel"), ("POST", "/retry")):
            assert error_of(await http.request(method, f"/jobs/none{path}"))[:2] == (404, "not_found")
        assert error_of(await http.get("/jobs?active=yes")) == (400, "invalid_request", "active")
        assert error_of(await http.post("/jobs/none/retry", json={"file_ids": "a"})) == (
            400,
            "invalid_request",
            "file_ids",
        )
