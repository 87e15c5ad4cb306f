"""`POST /ingest` of the Retriever."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from rag.errors import RagError, Starting
from rag.http.background_loader import BackgroundLoader
from rag.http.error_table import error_response
from rag.http.model_aliases import ModelAliases
from rag.http.native.catalog_api import OpenCatalog
from rag.http.native.ingest_form import IngestRequest
from rag.http.native.internal.batch_advance import BatchAdvance
from rag.http.native.internal.batch_wire import BatchWorkRequest, report_to_wire
from rag.http.native.internal.remote_batch_work import assignment_from_wire
from rag.http.native.retriever_api import RetrieverApi, RetrieverComponents
from rag.http.v1.batches.models import BatchEndpoint
from rag.http.v1.documents.parts import EmbeddingOptions, StoreSearch
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.compaction_seal import CompactionSeal
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.library.audit import AuditLog
from rag.library.batches.exchange import Assignment, FinishedLine, ReleasedLine, Report
from rag.library.batches.registry import BatchRegistry
from rag.library.batches.work import BatchWork
from rag.library.documents.uploads import UploadRegistry
from rag.library.keys import KeyRegistry
from rag.records import NewBatch
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.result import RetrievalResult
from rag.types import Facts
from tests.support.files.batch_files import a_line, jsonl
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually, make_harness
from tests.support.v1.v1_client import error_of


async def _ready() -> Facts:
    """What an Embedder reports that is always ready."""
    return {"status": "ready", "model": "fake"}


class Ingest:
    """The Retriever's `/ingest` and `/v1` as an ASGI application."""

    def __init__(self, harness: LibraryHarness) -> None:
        self.harness = harness
        self.library = harness.library
        self.incoming = harness.blobs.incoming
        self.questions: list[RetrievalRequest] = []

        async def load() -> RetrieverComponents:
            parts: dict[str, Any] = dict.fromkeys(part.name for part in fields(RetrieverComponents))
            return RetrieverComponents(**{**parts, "library": self.library, "pipeline": self})

        self._parts = BackgroundLoader("the retriever", load)

        async def open_catalog() -> OpenCatalog:
            return OpenCatalog(
                KeyRegistry(harness.database),
                AuditLog(harness.database),
                ResponseRegistry(harness.database, 30),
                ConversationRegistry(harness.database, 30),
                CompletionRegistry(harness.database, 30),
                BackgroundRegistry(harness.database, 30),
                UploadRegistry(harness.database, harness.blobs, 1000),
                BatchRegistry(harness.database),
                BatchWork(harness.database, harness.blobs),
                CompactionSeal(harness.blobs.incoming),
            )

        catalog = BackgroundLoader("the catalog", open_catalog)
        self.api = RetrieverApi(
            self._parts,
            catalog=catalog,
            incoming=self.incoming,
            max_file_bytes=1000,
            embedder_ready=_ready,
            embedding=EmbeddingOptions(),
            aliases=ModelAliases({}),
        )

    async def __aenter__(self) -> Ingest:
        self.api.start()
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

    async def retrieve(self, question: RetrievalRequest) -> RetrievalResult:
        self.questions.append(question)
        return await asyncio.to_thread(self.harness.find, question)

    async def post(self, *files: tuple[str, bytes], key: str | None = None, **fields: str) -> httpx.Response:
        headers = {} if key is None else {"idempotency-key": key}
        return await self.http.post("/", files=[("files", file) for file in files], data=fields, headers=headers)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[LibraryHarness]:
    with make_harness(tmp_path) as harness:
        yield harness


async def test_files_are_returned_in_the_order_of_the_upload(harness: LibraryHarness) -> None:
    async with Ingest(harness) as service:
        names = [f"{n:03d}.md" for n in reversed(range(101))]
        response = await service.post(*((name, b"x") for name in names), attributes='{"k": 1}', wait_s="30")
        body = response.json()
        assert (response.status_code, body["status"]) == (200, "completed")
        assert [file["filename"] for file in body["files"]] == names
        assert body["files"][0] == {
            "file_id": harness.file_id("100.md"), "filename": "100.md", "status": "completed", "change": "added",
            "chunks": 1, "warnings": [], "error": None,
        }  # fmt: skip
        assert harness.library.job(body["batch_id"]).file_counts.completed == 101
        assert harness.library.document(STORE, harness.file_id("100.md")).attributes == {"k": 1}
    assert list(service.incoming.iterdir()) == []


async def test_the_charset_of_a_part_is_obeyed(harness: LibraryHarness) -> None:
    async with Ingest(harness) as service:
        file = ("a.txt", "Ціна".encode("koi8_u"), "text/plain; charset=koi8-u")
        response = await service.http.post("/", files=[("files", file)], data={"wait_s": "30"})
        assert response.json()["status"] == "completed"
    assert harness.rows() == ["Ціна"]


async def test_unfinished_ingestion_is_a_202(harness: LibraryHarness) -> None:
    harness.parser.gate.clear()
    async with Ingest(harness) as service:
        started = time.monotonic()
        response = await service.post(("a.md", b"x"), wait_s="0.1")
        assert (response.status_code, response.json()["status"], response.json()["files"][0]["status"]) == (
            202,
            "in_progress",
            "in_progress",
        )
        assert time.monotonic() - started >= 0.1


async def test_waiting_ends_when_the_job_ends(harness: LibraryHarness) -> None:
    harness.parser.gate.clear()
    async with Ingest(harness) as service:
        waiting = asyncio.create_task(service.post(("a.md", b"x"), ("b.md", b"damaged"), wait_s="30"))
        await asyncio.to_thread(eventually, lambda: harness.runtime.running.active)
        assert not waiting.done()
        harness.parser.gate.set()
        response = await asyncio.wait_for(waiting, 10)
    assert response.status_code == 200
    assert [file["error"] for file in response.json()["files"]] == [
        None,
        {"code": "broken_file", "message": "b.md is damaged"},
    ]


async def test_a_repeated_idempotency_key_ingests_once(harness: LibraryHarness) -> None:
    async with Ingest(harness) as service:
        first, second = [await service.post(("a.md", b"x"), key="k", wait_s="10") for _ in range(2)]
        assert first.json() == second.json()
        assert error_of(await service.post(("a.md", b"other"), key="k"))[:2] == (409, "conflict")
    assert harness.parser.parsed == ["a.md"]
    assert list(service.incoming.iterdir()) == []


async def test_a_refused_upload_stores_nothing(harness: LibraryHarness) -> None:
    async with Ingest(harness) as service:
        assert error_of(await service.post(("a.md", b"x"), ("b.md", b"\x7fELF"))) == (415, "unsupported_file", "b.md")
        assert error_of(await service.post(("a.md", b"x"), ("a.md", b"y")))[:2] == (400, "invalid_request")
        assert error_of(await service.post(("a.md", b"x" * 1001)))[:2] == (413, "file_too_large")
        assert error_of(await service.post(("a.md", b"x"), vector_store="none"))[:2] == (404, "vector_store_not_found")
        assert harness.library.files(ALL).rows == []
    assert list(service.incoming.iterdir()) == []


async def test_an_upload_is_not_deleted_while_the_library_takes_it_over(harness: LibraryHarness) -> None:
    """The client disconnects meanwhile; the thread that moves the files cannot be interrupted."""
    async with Ingest(harness) as service:
        with harness.database.write():  # the library waits for this transaction
            task = asyncio.create_task(service.post(("a.md", b"x")))
            await asyncio.to_thread(eventually, lambda: any(service.incoming.iterdir()))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.sleep(0.1)
        with pytest.raises(asyncio.CancelledError):
            await task
    (file,) = harness.library.files(ALL).rows
    assert harness.library.content(file.file_id).read_bytes() == b"x"


async def test_the_service_is_starting_until_the_library_is_ready(harness: LibraryHarness) -> None:
    service = Ingest(harness)
    with pytest.raises(Starting):
        await service.api.ingest(IngestRequest.model_construct())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.api.v1), base_url="http://x") as http:
        assert error_of(await http.get("/files"))[:2] == (503, "starting")


async def test_a_search_of_openais_api_becomes_a_retrieval_query(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"), attributes={"a": 1})
    filters = {"type": "eq", "key": "a", "value": 1}
    overrides = {"top_k": 3, "mode": "hybrid"}
    async with Ingest(harness) as service:
        result = await service.api.search_store(StoreSearch("x", STORE, overrides, filters))
    assert service.questions == [RetrievalRequest("x", STORE, overrides, filters)]
    assert [hit.chunk.text for hit in result.hits] == ["apples"]


async def test_a_draining_retriever_takes_results_of_batches_but_gives_out_no_lines(harness: LibraryHarness) -> None:
    async with Ingest(harness) as service:
        content = jsonl([a_line(str(number), {"model": "m", "input": "a"}, "/v1/embeddings") for number in range(3)])
        file = harness.library.add_file(harness.upload("in.jsonl", content.decode()), "batch")
        batch = BatchRegistry(harness.database).create(NewBatch("/v1/embeddings", file.file_id, {}, 3600))
        BatchWork(harness.database, harness.blobs).advance(lambda *_: True)

        async def exchange(report: Report) -> Assignment:
            wire = report_to_wire(report, {"m": "embedding"})
            response = await service.api.catalog.batch_work(BatchWorkRequest.parse(json.loads(json.dumps(wire))))
            return assignment_from_wire(json.loads(bytes(response.body)))

        [line] = (await exchange(Report("edge", wanted=1))).lines
        assert (line.key, line.endpoint, json.loads(line.body)) == (
            *((batch.id, 1), "/v1/embeddings"),
            {"model": "m", "input": "a"},
        )
        await service.api.drain()
        done = FinishedLine(line.key, 200, {"status_code": 200, "request_id": "r", "body": {}})
        released = [ReleasedLine((batch.id, 2), 5.0)]
        given = await exchange(Report("edge", [line.key, (batch.id, 9)], [done], released, wanted=5))
        assert given == Assignment([], [line.key, (batch.id, 9)])
        assert BatchRegistry(harness.database).get(batch.id).completed == 1


def test_a_batch_can_name_the_models_of_its_route() -> None:
    aliases = ModelAliases({"gpt-*": "rag", "text-*": "encoder"})
    is_model = BatchAdvance(aliases).is_model({"rag": "rag", "tiny": "language", "encoder": "embedding"})
    names = ("rag", "tiny", "gpt-4o", "encoder", "text-3", "unknown")
    known = {endpoint: [name for name in names if is_model(endpoint, name)] for endpoint in get_args(BatchEndpoint)}
    text = ["rag", "tiny", "gpt-4o"]
    assert known == {
        **dict.fromkeys(("/v1/chat/completions", "/v1/completions", "/v1/responses"), text),
        "/v1/embeddings": ["encoder", "text-3"],
        "/v1/rerank": list(names),
    }
