"""The `/v1` application, called with OpenAI's own client without a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import httpx2
import openai
from starlette.types import ASGIApp

from rag.http.model_aliases import ModelAliases
from rag.http.v1.applications.documents_app import documents_app
from rag.http.v1.documents.parts import EmbeddingOptions, StoreSearch, V1Parts
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.chat_completions import CompletionRegistry
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.library.audit import AuditLog
from rag.library.batches.registry import BatchRegistry
from rag.library.documents.uploads import UploadRegistry
from rag.library.keys import KeyRegistry
from rag.library.service import Library
from rag.records import JobRecord
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.planning.plan import Plan
from rag.retrieve.result import RetrievalResult
from rag.types import Hit
from tests.fakes import FakeEmbedder, FakeReranker
from tests.support.library_harness import ALL, LibraryHarness, make_harness

MAX_FILE_BYTES = 2**20


@dataclass
class V1:
    """An application, its document side, and two clients."""

    harness: LibraryHarness
    hits: Sequence[Hit] | None = None
    """The hits of every search; None: the stored chunks."""
    lookups: list[StoreSearch] = field(default_factory=list)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    reranker: FakeReranker = field(default_factory=FakeReranker)
    aliases: Mapping[str, str] = field(default_factory=dict)
    embedding: EmbeddingOptions = field(default_factory=EmbeddingOptions)

    @property
    def library(self) -> Library:
        return self.harness.library

    @property
    def incoming(self) -> Path:
        return self.harness.blobs.incoming

    async def search(self, lookup: StoreSearch) -> RetrievalResult:
        self.lookups.append(lookup)
        if self.hits is not None:
            snapshot = self.harness.runtime.snapshots.snapshot(lookup.store_id)
            return RetrievalResult(tuple(self.hits), RetrieveOptions(), Plan((lookup.text,)), snapshot, {})
        question = RetrievalRequest(lookup.text, lookup.store_id, lookup.overrides, lookup.filters)
        return await asyncio.to_thread(self.harness.find, question)

    @property
    def app(self) -> ASGIApp:
        embedder, reranker = (lambda: self.embedder), (lambda: self.reranker)
        parts = V1Parts(
            library=lambda: self.library,
            search=self.search,
            embedder=embedder,
            reranker=reranker,
            incoming=self.incoming,
            max_file_bytes=MAX_FILE_BYTES,
            keys=lambda: KeyRegistry(self.harness.database),
            audit=lambda: AuditLog(self.harness.database),
            embedding=self.embedding,
            aliases=ModelAliases(self.aliases),
            responses=lambda: ResponseRegistry(self.harness.database, 30),
            conversations=lambda: ConversationRegistry(self.harness.database, 30),
            completions=lambda: CompletionRegistry(self.harness.database, 30),
            background=lambda: BackgroundRegistry(self.harness.database, 30),
            uploads=lambda: UploadRegistry(self.harness.database, self.harness.blobs, MAX_FILE_BYTES),
            batches=lambda: BatchRegistry(self.harness.database),
        )
        return documents_app(parts)

    @contextlib.asynccontextmanager
    async def openai(self) -> AsyncIterator[openai.AsyncOpenAI]:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app))
        async with openai.AsyncOpenAI(
            base_url="http://rag.test", api_key="x", http_client=http, max_retries=0
        ) as client:
            yield client

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://rag.test")

    def hold(self) -> None:
        """Block the parser, so that jobs keep running until `finished` is called."""
        self.harness.parser.gate.clear()

    async def finished(self) -> list[JobRecord]:
        """Let jobs continue. Returns all jobs, in the order in which they were accepted, once they have ended."""
        self.harness.parser.gate.set()
        jobs = self.library.jobs(ALL).rows
        return [await asyncio.to_thread(self.library.wait, job.job_id, 10) for job in jobs]


@contextlib.contextmanager
def v1(folder: Path) -> Iterator[V1]:
    with make_harness(folder) as harness:
        yield V1(harness)


def error_of(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param of an error response."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "retryable", "request_id"}
    assert response.headers["x-rag-error"] == error["code"]
    if error["param"] is not None and response.status_code == 400:
        assert error["message"]
    return response.status_code, error["code"], error["param"]
