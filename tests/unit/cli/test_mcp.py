"""`mcp`: the server on standard input and output is a client of the service's `/mcp`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from rag.cli.mcp_bridge import McpBridge
from tests.unit.http.mcp.test_endpoint import Edge


@pytest.fixture
async def served() -> AsyncIterator[Edge]:
    started = Edge()
    await started.endpoint.start()
    yield started
    await started.endpoint.close()


def bridge(served: Edge, key: str, mode: str = "legacy") -> Client:
    headers = {"authorization": f"Bearer {key}"}
    return Client(McpBridge("http://localhost/", headers, httpx2.ASGITransport(served.app)).server(), mode=mode)


async def test_tools_and_resources_are_those_of_the_service(served: Edge) -> None:
    seen: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message)

    async with bridge(served, served.catalog.add("ask")) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search", "fetch", "ask", "list_documents"]
        answer = await client.call_tool("ask", {"question": "Where?"}, progress_callback=note)
        assert answer.structured_content["answer"] == "In barns [1]."
        assert seen[-1] == "13 characters written"
        failed = await client.call_tool("fetch", {"id": "other/file-1"})
        assert (failed.is_error, "no such vector store" in str(failed.content)) == (True, True)
        (resource,) = (await client.list_resources()).resources
        assert len((await client.list_resource_templates()).resource_templates) == 1
        assert len((await client.read_resource(resource.uri)).contents) == 1
        with pytest.raises(MCPError, match="there is no tool 'x'"):
            await client.call_tool("x", {})


async def test_a_refused_key_is_explained(served: Edge) -> None:
    served.catalog.add("ask")
    async with bridge(served, "rag-wrong") as client:
        with pytest.raises(MCPError, match=r"the API key is not known.*; set RAG_API_KEY to a valid key"):
            await client.list_tools()


async def test_a_service_that_is_not_running_is_named() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    async with Client(McpBridge("http://rag.example", {}, httpx2.MockTransport(refuse)).server()) as client:
        with pytest.raises(MCPError, match=r"cannot connect to http://rag\.example"):
            await client.call_tool("search", {"query": "x"})


async def test_another_program_at_the_address_is_noticed() -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(502, text="<html>")

    async with Client(McpBridge("http://rag.example", {}, httpx2.MockTransport(respond)).server()) as client:
        with pytest.raises(MCPError, match="status 502: is this the address of the service"):
            await client.list_tools()
