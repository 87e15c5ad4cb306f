"""`/mcp` of a running service, and `python -m rag mcp`, with the official client."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents
from mcp_types.version import LATEST_MODERN_VERSION

from tests.e2e.running import ROOT, RunningService
from tests.support.tenants import SECRET_NAME, SECRET_TEXT, Tenant, new_key

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


def key_of(http: httpx.Client) -> str:
    return http.headers["authorization"].removeprefix("Bearer ")


@asynccontextmanager
async def connected(service: RunningService, key: str, mode: str = LATEST_MODERN_VERSION) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=100) as http,
        Client(streamable_http_client(f"{service.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def value_of(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    value: dict[str, Any] = result.structured_content
    return value


@MODES
async def test_search_fetch_ask_and_list(service: RunningService, umbra: Tenant, mode: str) -> None:
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with connected(service, key_of(umbra.http), mode) as client:
        assert "ingest" in {tool.name for tool in (await client.list_tools()).tools}
        (result,) = (await value_of(client, "search", query="Where does the zebra sleep?"))["results"]
        assert (result["id"], result["title"]) == (f"default/{umbra.file_id}", SECRET_NAME)
        assert result["url"] == f"{service.url}/v1/files/{umbra.file_id}/content"
        assert umbra.http.get(result["url"]).text == SECRET_TEXT
        assert (await value_of(client, "fetch", id=result["id"]))["text"] == SECRET_TEXT
        (listed,) = (await value_of(client, "list_documents"))["documents"]
        assert (listed["id"], listed["status"]) == (result["id"], "completed")
        question = {"question": "Where does the zebra of Umbra sleep?"}
        answer = await client.call_tool("ask", question, progress_callback=note)
        assert not answer.is_error, answer.content
        assert answer.structured_content["answer"]
        assert seen == sorted(seen)
        assert seen


async def test_documents_are_resources(service: RunningService, umbra: Tenant) -> None:
    async with connected(service, key_of(umbra.http)) as client:
        (resource,) = (await client.list_resources()).resources
        (content,) = (await client.read_resource(resource.uri)).contents
        assert isinstance(content, TextResourceContents)
        assert content.text == SECRET_TEXT


async def test_what_another_tenant_has_is_not_found(service: RunningService, acme: Tenant, umbra: Tenant) -> None:
    async with connected(service, key_of(acme.http)) as client:
        for store in ("default", umbra.store):
            document = f"{store}/{umbra.file_id}"
            for tool, arguments in (
                ("fetch", {"id": document}),
                ("list_documents", {"vector_store": umbra.store}),
                ("search", {"query": "zebra", "vector_store": umbra.store}),
                ("ask", {"question": "zebra", "vector_store": umbra.store}),
                ("ingest", {"filename": "x.md", "text": "x", "vector_store": umbra.store}),
            ):
                result = await client.call_tool(tool, arguments)
                assert result.is_error
                assert re.search(r"there is no|has no file", str(result.content)), tool
                assert SECRET_NAME not in str(result.content)
            with pytest.raises(MCPError, match=r"there is no|has no file"):
                await client.read_resource(f"rag://{document}")
        assert SECRET_TEXT not in str(await value_of(client, "search", query="zebra of Umbra"))


async def test_a_key_without_the_scope_neither_sees_nor_calls_ingest(
    service: RunningService, admin: httpx.Client, acme: Tenant
) -> None:
    key = new_key(admin, tenant="acme", scopes=["ask"])["secret"]
    async with connected(service, key) as client:
        assert "ingest" not in {tool.name for tool in (await client.list_tools()).tools}
        refused = await client.call_tool("ingest", {"filename": "x.md", "text": "x"})
        assert refused.is_error
        assert "lacks the scope ingest" in str(refused.content)
        assert await value_of(client, "search", query="owl")


async def test_ingest_adds_a_document(service: RunningService, acme: Tenant) -> None:
    async with connected(service, key_of(acme.http)) as client:
        added = await value_of(client, "ingest", filename="fox.md", text="The fox of Acme sleeps in a den.", wait_s=100)
        assert (added["status"], added["change"]) == ("completed", "added")
        assert (await value_of(client, "fetch", id=added["id"]))["text"] == "The fox of Acme sleeps in a den."
        refused = await client.call_tool("ingest", {"filename": "x.bin", "content_base64": "AAEC/w=="})
        assert refused.is_error
        assert "x.bin" in str(refused.content)
    acme.http.delete(f"/v1/files/{added['id'].partition('/')[2]}")


@pytest.mark.parametrize("key", [None, "rag-wrong"])
def test_without_a_valid_key_it_is_a_401(service: RunningService, key: str | None) -> None:
    headers = {"accept": "application/json, text/event-stream"}
    headers |= {} if key is None else {"authorization": f"Bearer {key}"}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = httpx.post(f"{service.url}/mcp", json=request, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_foreign_hosts_and_origins_are_refused(service: RunningService, admin: httpx.Client) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        assert admin.post("/mcp", json=request, headers=headers).status_code == 403


@MODES
async def test_the_command_serves_the_same_tools(service: RunningService, umbra: Tenant, mode: str) -> None:
    environment = {**os.environ, "RAG_URL": service.url, "RAG_API_KEY": key_of(umbra.http)}
    command = StdioServerParameters(command=sys.executable, args=["-m", "rag", "mcp"], env=environment, cwd=str(ROOT))
    async with Client(command, mode=mode) as client:
        assert "search" in {tool.name for tool in (await client.list_tools()).tools}
        assert (await value_of(client, "fetch", id=umbra.file_id))["text"] == SECRET_TEXT
