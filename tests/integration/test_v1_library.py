"""`/v1` before the real library, through OpenAI's client: what the small one might have got wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from rag.http.v1.parts import Lookup
from rag.types import Hit
from tests.house import House, a_house
from tests.v1_client import V1, error_of


@dataclass
class RealV1(V1):
    house: Any = None

    async def search(self, lookup: Lookup) -> Sequence[Hit]:
        options = {"store": lookup.store_id, "top_k": lookup.top_k, "filters": lookup.filters}
        return (await asyncio.to_thread(self.house.search, lookup.text, **options)).hits  # type: ignore[no-any-return]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


@pytest.fixture
def app(house: House) -> RealV1:
    return RealV1(house.library, house.blobs.incoming, house=house)


async def test_a_document_from_upload_to_search_and_away(app: RealV1) -> None:
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
        wanted: Any = {"type": "eq", "key": "n", "value": 2}
        assert len((await client.vector_stores.search(store.id, query="apples", filters=wanted)).data) == 1
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


async def test_a_batch_and_its_lists(app: RealV1) -> None:
    async with app.openai() as client:
        batch = await client.vector_stores.file_batches.upload_and_poll(
            "default",
            files=[(f"{n}.md", b"broken" if n == 3 else b"text %d" % n) for n in range(7)],
            poll_interval_ms=10,
        )
        assert (batch.status, batch.file_counts.completed, batch.file_counts.failed) == ("completed", 6, 1)
        batches = client.vector_stores.file_batches
        rows = [row async for row in batches.list_files(batch.id, vector_store_id="default", limit=2, order="asc")]
        assert len({row.id for row in rows}) == 7
        (failed,) = (await batches.list_files(batch.id, vector_store_id="default", filter="failed")).data
        assert failed.last_error is not None
        assert failed.last_error.code == "unsupported_file"
        files = client.vector_stores.files
        listed = [row.id async for row in files.list("default", limit=3, order="asc")]
        assert len(set(listed)) == 7
        page = await files.list("default", limit=2, order="asc", before=listed[4])
        assert [row.id for row in page.data] == listed[2:4]
        assert len([file async for file in client.files.list(limit=3)]) == 7


async def test_a_job_is_cancelled_and_done_again(app: RealV1) -> None:
    app.house.parser.gate.clear()
    async with app.openai() as client, app.http() as http:
        file = await client.files.create(file=("a.md", b"apples"), purpose="assistants")
        key = {"Idempotency-Key": "once"}
        batches = client.vector_stores.file_batches
        batch = await batches.create("default", file_ids=[file.id], extra_headers=key)
        assert (await batches.create("default", file_ids=[file.id], extra_headers=key)).id == batch.id
        assert batch.status == "in_progress"
        assert (await batches.cancel(batch.id, vector_store_id="default")).status in ("cancelled", "in_progress")
        app.house.parser.gate.set()
        async with asyncio.timeout(10):
            while (await batches.retrieve(batch.id, vector_store_id="default")).status == "in_progress":
                await asyncio.sleep(0.01)
        again = (await http.post(f"/jobs/{batch.id}/retry")).json()
        done = await asyncio.to_thread(app.library.wait, again["id"], 10)
        assert (done.state, done.file_counts.completed) == ("completed", 1)
        assert {job["id"] for job in (await http.get("/jobs?vector_store_id=default")).json()["data"]} == {
            batch.id,
            again["id"],
        }


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
async def test_a_cursor_that_is_not_in_the_list_is_refused(app: RealV1, path: str, param: str) -> None:
    async with app.http() as http:
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
async def test_strangers_are_not_found(app: RealV1, method: str, path: str, code: str) -> None:
    async with app.http() as http:
        assert error_of(await http.request(method, path))[:2] == (404, code)


async def test_hostile_values_are_kept_as_they_are(app: RealV1) -> None:
    async with app.http() as http:
        for name in ("'; DROP TABLE stores; --", "日本 \u202e", "x" * 256, " ", "a/b?c#d"):
            made = (await http.post("/vector_stores", json={"name": name, "metadata": {name[:60]: name}})).json()
            got = (await http.get(f"/vector_stores/{made['id']}")).json()
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
async def test_what_postgresql_cannot_keep_is_refused(app: RealV1, path: str, body: dict[str, Any]) -> None:
    async with app.http() as http:
        assert error_of(await http.post(path, json=body))[:2] == (400, "invalid_request")
