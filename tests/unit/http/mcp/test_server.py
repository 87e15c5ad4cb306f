"""The MCP server's tools and resources, called by the official client in memory."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, TextResourceContents
from mcp_types.version import LATEST_MODERN_VERSION

from rag.auth.caller import WITHOUT_KEY, Caller
from rag.auth.scopes import Scope
from rag.http.mcp.caller_service import CallerService
from rag.http.mcp.server import mcp_server
from tests.fakes.services.document_service import ANSWER, FILE, HIT, DocumentService

MODES = pytest.mark.parametrize("mode", ["legacy", LATEST_MODERN_VERSION])
READING = {"search", "fetch", "ask", "list_documents"}


def connected(service: DocumentService, caller: Caller = WITHOUT_KEY, mode: str = LATEST_MODERN_VERSION) -> Client:
    return Client(mcp_server(lambda _: CallerService(service.http, caller, "http://docs.example")), mode=mode)


async def call(service: DocumentService, tool: str, **arguments: Any) -> CallToolResult:
    async with connected(service) as client:
        return await client.call_tool(tool, arguments)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def value_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text_of(result)
    value: dict[str, Any] = result.structured_content
    assert json.loads(text_of(result)) == value
    return value


def with_scopes(*scopes: Scope) -> Caller:
    return Caller("key_1", "acme", frozenset(scopes))


@MODES
@pytest.mark.parametrize(
    ("scopes", "listed"),
    [
        (["ask"], READING),
        (["ask", "ingest"], READING | {"ingest"}),
        (["ingest"], {"fetch", "list_documents", "ingest"}),
        (["admin"], READING | {"ingest"}),
        (["metrics"], set()),
    ],
)
async def test_only_tools_that_the_key_may_use_are_listed(mode: str, scopes: list[Scope], listed: set[str]) -> None:
    async with connected(DocumentService(), with_scopes(*scopes), mode) as client:
        tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == listed
    for tool in tools:
        assert tool.input_schema["type"] == "object"
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == (tool.name != "ingest")


@MODES
async def test_search_has_one_result_for_each_document(mode: str) -> None:
    service = DocumentService()
    other = {**HIT, "file_id": "file-2", "filename": "cats.md", "attributes": {"url": "https://cats.example"}}
    service.hits = [HIT, other, {**HIT, "text": "They hunt at night."}]
    async with connected(service, mode=mode) as client:
        results = value_of(await client.call_tool("search", {"query": "owls", "top_k": 3}))["results"]
    assert service.body == {"query": "owls", "vector_store": "default", "top_k": 3}
    assert [(row["id"], row["title"], row["url"]) for row in results] == [
        ("default/file-1", "owls.md", "http://docs.example/v1/files/file-1/content"),
        ("default/file-2", "cats.md", "https://cats.example"),
    ]
    assert [passage["text"] for passage in results[0]["passages"]] == ["Owls sleep in barns.", "They hunt at night."]


async def test_fetch_returns_the_text_of_a_search_result() -> None:
    service = DocumentService()
    document = value_of(await call(service, "fetch", id="default/file-1", start=0))
    assert document == {
        "id": "default/file-1",
        "title": "owls.md",
        "text": "# Owls\n\nOwls sleep in barns.",
        "url": "http://docs.example/v1/files/file-1/content",
        "metadata": {"topic": "birds", "start": 0, "end": 28, "total_chars": 28},
    }
    assert service.requests[-1].url.query == b"start=0"


@pytest.mark.parametrize(
    "id_", ["", "/", "/file-1", "default/..", "\ud800/file-1", "default/", "a b", "file-1?x=1", "default/file-1/x y"]
)
async def test_an_id_that_cannot_be_one_is_refused_without_a_request(id_: str) -> None:
    service = DocumentService()
    result = await call(service, "fetch", id=id_)
    assert result.is_error
    assert re.search("there is no document|not valid Unicode", text_of(result))
    assert not service.requests


async def test_names_of_vector_stores_cannot_lead_to_other_routes() -> None:
    service = DocumentService()
    for store in ("..", "a/../..", "a?b#c", "%2e%2e"):
        assert (await call(service, "fetch", id=f"{store}/file-1")).is_error
        path = service.requests[-1].url.raw_path.decode()
        assert path.startswith("/v1/vector_stores/")
        assert path.count("/") == 6
        assert "?" not in path


async def test_list_documents() -> None:
    service = DocumentService()
    listed = value_of(await call(service, "list_documents", name="owl", after="default/file-0"))
    assert dict(service.requests[-1].url.params) == {"name": "owl", "limit": "20", "after": "file-0"}
    (document,) = listed["documents"]
    assert listed["has_more"] is True
    assert (document["id"], document["title"], document["status"]) == ("default/file-1", "owls.md", "completed")
    assert document["url"] == "https://birds.example/owls"


@MODES
async def test_ask_answers_with_citations_and_reports_progress(mode: str) -> None:
    service = DocumentService()
    seen: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with connected(service, mode=mode) as client:
        result = await client.call_tool("ask", {"question": "Where do owls sleep?"}, progress_callback=note)
    assert service.body == {"question": "Where do owls sleep?", "vector_store": "default"}
    answer = value_of(result)
    assert answer["answer"] == "In barns [1]."
    (citation,) = answer["citations"]
    assert (citation["index"], citation["id"], citation["quotes"]) == (1, "default/file-1", ["Owls sleep in barns."])
    assert seen == [(1, "1 passages found"), (2, "9 characters written"), (3, "13 characters written")]


async def test_a_quoted_answer_has_its_quotes() -> None:
    service = DocumentService()
    quoted = {"index": 1, "quote": {"start": 0, "end": 8}}
    service.events = [*ANSWER[:-1], ("done", {"citations": [quoted, {"index": 7}], "note": "no planning"})]
    answer = value_of(await call(service, "ask", question="Where?"))
    assert [citation["quotes"] for citation in answer["citations"]] == [["In barns"]]
    assert answer["note"] == "no planning"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([*ANSWER[:2], ("error", {"code": "deadline_exceeded", "message": "took too long"})], "took too long"),
        (ANSWER[:2], "ended too early"),
    ],
)
async def test_an_answer_that_fails_is_a_tool_error(events: list[tuple[str, dict[str, Any]]], message: str) -> None:
    service = DocumentService()
    service.events = events
    result = await call(service, "ask", question="Where?")
    assert result.is_error
    assert message in text_of(result)


@MODES
async def test_a_cancelled_ask_leaves_the_answer(mode: str) -> None:
    """The service stops the generation when its client disconnects."""
    service = DocumentService()
    service.hangs = True
    begun = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async with connected(service, mode=mode) as client:
        asking = asyncio.create_task(client.call_tool("ask", {"question": "Where?"}, progress_callback=note))
        await begun.wait()
        assert not service.closed.is_set()
        asking.cancel()
        await service.closed.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    ("content", "uploaded"),
    [
        ({"text": "Größe"}, "Größe".encode()),
        ({"content_base64": base64.b64encode(b"%PDF-\x00\xff").decode()}, b"%PDF-\x00\xff"),
    ],
)
async def test_ingest_uploads_text_and_bytes(content: dict[str, str], uploaded: bytes) -> None:
    service = DocumentService()
    fields = {"filename": "new.md", "attributes": {"topic": "x"}, "wait_s": 2}
    added = value_of(await call(service, "ingest", **fields, **content))
    assert (added["id"], added["status"], added["job"]) == ("default/file-2", "completed", "job-1")
    body = service.requests[-1].content
    assert uploaded in body
    assert b'filename="new.md"' in body
    assert b'{"topic": "x"}' in body


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filename": "x.md"}, "either text or content_base64"),
        ({"filename": "x.md", "text": "x", "content_base64": "eA=="}, "either text or content_base64"),
        ({"filename": "x.md", "content_base64": "!"}, "content_base64: is not valid Base64"),
        ({"text": "x"}, "filename: is required"),
        ({"filename": "x.md", "text": "x", "mode": 1}, "mode: is not a field"),
        ({"filename": "x.md", "text": "\ud800"}, "text:"),
    ],
)
async def test_invalid_arguments_are_tool_errors_that_name_the_field(arguments: dict[str, Any], message: str) -> None:
    service = DocumentService()
    result = await call(service, "ingest", **arguments)
    assert result.is_error
    assert message in text_of(result)
    assert not service.requests


async def test_a_file_that_cannot_be_read_is_a_tool_error() -> None:
    service = DocumentService()
    error = {"code": "no_text_found", "message": "x.pdf: no text was found"}
    service.file = {**FILE, "status": "failed", "error": error}
    result = await call(service, "ingest", filename="x.pdf", text="x")
    assert (result.is_error, text_of(result)) == (True, "x.pdf: no text was found")


async def test_a_refused_request_is_a_tool_error_with_the_services_message() -> None:
    result = await call(DocumentService(), "list_documents", vector_store="other")
    assert (result.is_error, text_of(result)) == (True, "there is no such vector store")


async def test_an_unexpected_error_says_nothing_about_itself(caplog: pytest.LogCaptureFixture) -> None:
    service = DocumentService()
    service.hits = [{"secret": "x"}]
    result = await call(service, "search", query="x")
    assert result.is_error
    assert "file_id" not in text_of(result)
    assert "the tool search failed" in caplog.text


async def test_an_unknown_tool_is_an_error_of_the_protocol() -> None:
    async with connected(DocumentService()) as client:
        with pytest.raises(MCPError, match="there is no tool 'delete'"):
            await client.call_tool("delete", {})


@MODES
async def test_documents_are_resources(mode: str) -> None:
    async with connected(DocumentService(), mode=mode) as client:
        listed = await client.list_resources()
        (resource,) = listed.resources
        assert (resource.uri, resource.name, resource.title) == ("rag://default/file-1", "owls.md", "Owls")
        assert listed.next_cursor == "file-1"
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "rag://{vector_store}/{file_id}"
        (content,) = (await client.read_resource(resource.uri)).contents
        assert isinstance(content, TextResourceContents)
        assert (content.mime_type, content.text) == ("text/markdown", "# Owls\n\nOwls sleep in barns.")
        for uri in ("rag://other/file-1", "file:///etc/passwd", "rag://default/", "rag://%ED%A0%80/file-1"):
            with pytest.raises(MCPError, match="there is no"):
                await client.read_resource(uri)
