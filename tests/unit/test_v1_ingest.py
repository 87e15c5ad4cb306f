"""`POST /ingest` as the Retriever answers it, before a library in dictionaries."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from rag.errors import RagError, Starting
from rag.http.error_table import error_response
from rag.http.ingest_form import IngestRequest
from rag.http.resource import Resource
from rag.http.retriever_api import RetrieverApi, RetrieverParts
from rag.http.v1.parts import Lookup
from rag.retrieve.search import Found, Query
from tests.fakes_library import FakeLibrary
from tests.v1_client import error_of


async def _ready() -> None:
    """The encoder answers."""


class Ingest:
    """The Retriever's answer to `/ingest`, and its `/v1`."""

    def __init__(self, folder: Path, *, manual: bool = False) -> None:
        self.library = FakeLibrary(folder / "files", manual=manual)
        self.incoming = folder / "incoming"
        self.queries: list[Query] = []

        async def load() -> RetrieverParts:
            parts: dict[str, Any] = dict.fromkeys(part.name for part in fields(RetrieverParts))
            return RetrieverParts(**{**parts, "library": self.library, "searcher": self})

        self._parts = Resource("the retriever", load)
        self.api = RetrieverApi(
            self._parts,
            top_k=1,
            mode="hybrid",
            min_cosine=0,
            incoming=self.incoming,
            max_file_bytes=1000,
            embedder_ready=_ready,
        )

    async def __aenter__(self) -> Ingest:
        self._parts.start()
        await asyncio.sleep(0.01)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self), base_url="http://x")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self.api.ingest(await IngestRequest.from_http_request(Request(scope, receive), None))
        except RagError as error:
            response = error_response(error)
        await response(scope, receive, send)

    async def search(self, query: Query) -> Found:
        self.queries.append(query)
        return Found((), {})

    async def post(self, *files: tuple[str, bytes], key: str | None = None, **fields: str) -> httpx.Response:
        headers = {} if key is None else {"idempotency-key": key}
        return await self.http.post("/", files=[("files", file) for file in files], data=fields, headers=headers)


async def test_files_come_back_in_their_order(tmp_path: Path) -> None:
    async with Ingest(tmp_path) as service:
        got = await service.post(*((f"{n:03d}.md", b"x") for n in reversed(range(150))), attributes='{"k": 1}')
        body = got.json()
        assert (got.status_code, body["status"]) == (200, "completed")
        assert [file["filename"] for file in body["files"]] == [f"{n:03d}.md" for n in reversed(range(150))]
        assert body["files"][0] == {
            "file_id": body["files"][0]["file_id"], "filename": "149.md", "status": "completed", "change": "added",
            "chunks": 1, "error": None,
        }  # fmt: skip
        assert service.library.job(body["batch_id"]).file_counts.completed == 150
    assert list(service.incoming.iterdir()) == []


async def test_work_that_goes_on_is_a_202(tmp_path: Path) -> None:
    async with Ingest(tmp_path, manual=True) as service:
        started = time.monotonic()
        got = await service.post(("a.md", b"x"), wait_s="0.1")
        assert (got.status_code, got.json()["status"], got.json()["files"][0]["status"]) == (
            202,
            "in_progress",
            "in_progress",
        )
        assert 0.1 <= time.monotonic() - started < 2


async def test_a_wait_ends_with_the_work(tmp_path: Path) -> None:
    async with Ingest(tmp_path, manual=True) as service:
        waiting = asyncio.create_task(service.post(("a.md", b"x"), ("b.md", b"BROKEN"), wait_s="10"))
        while not (jobs := list(service.library._jobs)):
            await asyncio.sleep(0.01)
        service.library.finish(jobs[0])
        got = await asyncio.wait_for(waiting, 5)
    assert got.status_code == 200
    assert [file["error"] for file in got.json()["files"]] == [
        None,
        {"code": "broken_file", "message": "b.md is damaged"},
    ]


async def test_the_same_key_does_the_work_once(tmp_path: Path) -> None:
    async with Ingest(tmp_path) as service:
        first, again = [await service.post(("a.md", b"x"), key="k") for _ in range(2)]
        assert first.json() == again.json()
        assert error_of(await service.post(("a.md", b"other"), key="k"))[:2] == (409, "conflict")
    assert list(service.incoming.iterdir()) == []


async def test_a_refusal_keeps_nothing(tmp_path: Path) -> None:
    async with Ingest(tmp_path) as service:
        assert error_of(await service.post(("a.md", b"x"), ("b.md", b"\x7fELF"))) == (415, "unsupported_file", "b.md")
        assert error_of(await service.post(("a.md", b"x"), ("a.md", b"y")))[:2] == (400, "invalid_request")
        assert error_of(await service.post(("a.md", b"x" * 1001)))[:2] == (413, "file_too_large")
        assert error_of(await service.post(("a.md", b"x"), vector_store="none"))[:2] == (404, "vector_store_not_found")
        assert service.library._files == {}
    assert list(service.incoming.iterdir()) == []


async def test_an_upload_is_not_cleared_away_under_the_library(tmp_path: Path) -> None:
    """A client that leaves while its files are taken over: the thread that does so cannot be stopped."""
    async with Ingest(tmp_path) as service:
        taken, add_file = [], service.library.add_file

        def slow(*args: Any) -> Any:
            time.sleep(0.1)
            taken.append(add_file(*args))
            return taken[-1]

        service.library.add_file = slow  # type: ignore[assignment,method-assign]
        task = asyncio.create_task(service.post(("a.md", b"x")))
        await asyncio.sleep(0.06)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(taken) == 1


async def test_before_the_library_is_there_it_is_starting(tmp_path: Path) -> None:
    service = Ingest(tmp_path)
    with pytest.raises(Starting):
        await service.api.ingest(IngestRequest.model_construct())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.api.v1), base_url="http://x") as http:
        assert error_of(await http.get("/files"))[:2] == (503, "starting")


async def test_a_search_in_openais_terms_is_a_query(tmp_path: Path) -> None:
    async with Ingest(tmp_path) as service:
        for lookup in (Lookup("x", "vs", 3, {"a": 1}), Lookup("x", "vs", 3, None, "hybrid", 0.3)):
            assert await service.api.look_up(lookup) == ()
    first, second = service.queries
    assert (first.text, first.top_k, first.mode, first.filters, first.dense_weight) == (
        "x",
        3,
        "hybrid",
        {"a": 1},
        None,
    )
    assert second.dense_weight == 0.3
