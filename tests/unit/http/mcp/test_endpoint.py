"""`/mcp` within the edge's middleware: keys, limits, errors, disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from starlette.types import Message, Receive, Scope, Send

from rag.auth.limits import Limits
from rag.http.mcp.endpoint import McpEndpoint
from rag.http.mcp.route import McpRoute
from rag.http.middleware.browser_guard import BrowserGuard
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from tests.fakes.services.document_service import DocumentService
from tests.unit.http.auth.test_edge_admission import Catalog, edge

MODES = pytest.mark.parametrize("mode", ["legacy", LATEST_MODERN_VERSION])
JSON_AND_SSE = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class Edge:
    """The edge's middleware around `/mcp` and the fake service's routes."""

    def __init__(self) -> None:
        self.service, self.catalog = DocumentService(), Catalog()
        self.endpoint = McpEndpoint()
        self.app = ServiceMiddleware(
            McpRoute(self._routes, self.endpoint),
            Lifecycle("RAG", is_edge=True),
            max_in_flight=8,
            max_body_bytes={"*": 10_000},
            guard=BrowserGuard(),
            admission=edge(self.catalog),
        )

    async def _routes(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        url = httpx.URL(scheme="http", host="x", raw_path=scope["raw_path"] + b"?" + scope["query_string"])
        request = httpx.Request(scope["method"], url, headers=scope["headers"], content=body)
        response = await self.service.respond(request)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
        try:
            async for chunk in response.aiter_bytes():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await response.aclose()
        await send({"type": "http.response.body", "body": b""})

    def http(self, key: str = "") -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app), base_url="http://localhost:3000", headers=headers
        )

    def client(self, key: str, mode: str) -> Client:
        transport = streamable_http_client("http://localhost:3000/mcp", http_client=self.http(key))
        return Client(transport, mode=mode)


@pytest.fixture
async def served() -> AsyncIterator[Edge]:
    started = Edge()
    await started.endpoint.start()
    yield started
    await started.endpoint.close()


def request_of(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@MODES
async def test_the_tools_act_with_the_key_of_the_client(served: Edge, mode: str) -> None:
    key = served.catalog.add("ask")
    async with served.client(key, mode) as client:
        assert "ingest" not in {tool.name for tool in (await client.list_tools()).tools}
        found = await client.call_tool("search", {"query": "owls"})
        assert found.structured_content["results"][0]["url"] == "http://localhost:3000/v1/files/file-1/content"
        (request,) = served.service.requests
        assert request.headers["authorization"] == f"Bearer {key}"
        refused = await client.call_tool("ingest", {"filename": "x.md", "text": "x"})
    assert refused.is_error
    assert "lacks the scope ingest" in str(refused.content)
    assert len(served.service.requests) == 1


@pytest.mark.parametrize("key", ["", "rag-unknown"])
async def test_without_a_valid_key_it_is_a_401(served: Edge, key: str) -> None:
    served.catalog.add("ask")
    async with served.http(key) as http:
        answer = await http.post("/mcp", json=request_of("tools/list"), headers=JSON_AND_SSE)
    assert answer.status_code == 401
    assert "API key" in answer.json()["error"]["message"]


async def test_a_tool_call_counts_as_one_request(served: Edge) -> None:
    key = served.catalog.add("ask", limits=Limits(requests_per_minute=2))
    async with served.http(key) as http:
        call = request_of("tools/call", name="search", arguments={"query": "owls"})
        statuses = [(await http.post("/mcp", json=call, headers=JSON_AND_SSE)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert len(served.service.requests) == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 200),
    ],
)
async def test_foreign_hosts_and_origins_are_refused(served: Edge, headers: dict[str, str], status: int) -> None:
    async with served.http() as http:
        answer = await http.post("/mcp", json=request_of("tools/list"), headers={**JSON_AND_SSE, **headers})
    assert answer.status_code == status


async def test_a_body_that_is_too_large_is_refused(served: Edge) -> None:
    async with served.http() as http:
        answer = await http.post("/mcp", content=b" " * 10_001, headers=JSON_AND_SSE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "file_too_large")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_are_no_sessions(served: Edge, method: str) -> None:
    async with served.http() as http:
        answer = await http.request(method, "/mcp", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_errors_of_the_protocol_reach_the_client(served: Edge) -> None:
    """The middleware replaces errors that are not this project's, but clients negotiate by these."""
    async with served.http() as http:
        versions = {"mcp-protocol-version": "2099-01-01"}
        answer = await http.post("/mcp", json=request_of("tools/list"), headers={**JSON_AND_SSE, **versions})
        unread = await http.post("/mcp", content=b"{", headers=JSON_AND_SSE)
    assert answer.status_code == 400
    assert answer.json()["jsonrpc"] == "2.0"
    assert unread.status_code == 400
    assert unread.json()["error"]["code"] == -32700


@pytest.mark.parametrize("version", [LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION])
async def test_a_client_that_leaves_stops_the_answer(served: Edge, version: str) -> None:
    served.service.hangs = True
    meta = {
        "progressToken": 1,
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = request_of("tools/call", name="ask", arguments={"question": "Where?"}, _meta=meta)
    body = httpx.Request("POST", "http://localhost/mcp", json=call).content
    headers = {**JSON_AND_SSE, "host": "localhost", "mcp-protocol-version": version}
    headers |= {"mcp-method": "tools/call", "mcp-name": "ask"}
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/mcp", "scheme": "http", "query_string": b""}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    written, left = asyncio.Event(), asyncio.Event()
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if b"characters written" in message.get("body", b""):
            written.set()

    serving = asyncio.create_task(served.app(scope, receive, send))
    await written.wait()
    assert not served.service.closed.is_set()
    left.set()
    await served.service.closed.wait()
    await serving
