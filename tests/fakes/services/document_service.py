"""The routes that MCP's tools use, with one document, in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from rag.errors import RagError, VectorStoreNotFound
from rag.http.error_table import OURS, STATUS, error_body
from rag.http.streaming.sse import format_event

HIT: dict[str, Any] = {
    "file_id": "file-1",
    "filename": "owls.md",
    "text": "Owls sleep in barns.",
    "score": 0.9,
    "attributes": {},
    "page": None,
    "heading": "Owls",
}
DONE: dict[str, Any] = {"citations": [{"index": 1, "file_id": "file-1", "start": 5, "end": 8}], "note": None}
ANSWER: list[tuple[str, dict[str, Any]]] = [
    ("sources", {"sources": [{**HIT, "index": 1}]}),
    ("token", {"text": "In barns "}),
    ("token", {"text": "[1]."}),
    ("done", DONE),
]
CONTENT: dict[str, Any] = {
    "data": [{"type": "text", "text": "# Owls\n\nOwls sleep in barns."}],
    "filename": "owls.md",
    "attributes": {"topic": "birds"},
    "start": 0,
    "end": 28,
    "total_chars": 28,
    "is_markdown": True,
}
ROW: dict[str, Any] = {
    "id": "file-1",
    "filename": "owls.md",
    "title": "Owls",
    "status": "completed",
    "bytes": 28,
    "pages": 0,
    "chunks": 1,
    "created_at": 1,
    "attributes": {"url": "https://birds.example/owls"},
}
FILE: dict[str, Any] = {
    "file_id": "file-2",
    "filename": "new.md",
    "status": "completed",
    "change": "added",
    "chunks": 1,
    "warnings": [],
    "error": None,
}


class DocumentService:
    """An httpx transport handler. Tests change its attributes and read `requests`."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.hits = [HIT]
        self.events: list[tuple[str, dict[str, Any]]] = ANSWER
        self.file = FILE
        self.hangs = False
        """Whether an answer stays unfinished."""
        self.closed = asyncio.Event()
        """Set when the client has left an answer."""

    @property
    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.respond), base_url="http://service")

    @property
    def body(self) -> dict[str, Any]:
        """Of the last request."""
        body: dict[str, Any] = json.loads(self.requests[-1].content)
        return body

    async def respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.method, request.url.path:
            case "POST", "/retrieve":
                return httpx.Response(200, json={"hits": self.hits})
            case "POST", "/ask":
                return httpx.Response(200, stream=_Events(self))
            case "POST", "/ingest":
                return httpx.Response(200, json={"files": [self.file], "batch_id": "job-1", "status": "completed"})
            case "GET", "/v1/vector_stores/default/files":
                return httpx.Response(200, json={"data": [ROW], "has_more": True})
            case "GET", "/v1/vector_stores/default/files/file-1/content":
                return httpx.Response(200, json=CONTENT)
        return refused(VectorStoreNotFound("there is no such vector store"))


def refused(error: RagError) -> httpx.Response:
    return httpx.Response(STATUS[type(error)], json=error_body(error, "request"), headers={OURS: error.code})


class _Events(httpx.AsyncByteStream):
    def __init__(self, service: DocumentService) -> None:
        self._service = service

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for name, data in self._service.events:
            if name == "done" and self._service.hangs:
                await asyncio.Event().wait()
            yield format_event(name, data)

    async def aclose(self) -> None:
        self._service.closed.set()
