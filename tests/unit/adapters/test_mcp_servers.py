"""Calls of MCP servers: real sessions with a server of the official package, limits, and addresses."""

from __future__ import annotations

import gzip

import pytest
from starlette.types import Receive, Scope, Send

from rag.adapters.mcp_servers import McpServers
from rag.errors import Forbidden, ToolServerFailed
from rag.types import ToolAnswer, ToolServer
from tests.support.servers.loopback import hanging, served
from tests.support.servers.mcp_server import HUGE, CalledServer, an_mcp_server, answering

SECRET = "Bearer swordfish"


def servers(url: str, *, timeout_s: float = 60, max_bytes: int = 2**20) -> McpServers:
    return McpServers([url], timeout_s=timeout_s, max_bytes=max_bytes)


def at(server: CalledServer | str) -> ToolServer:
    url = server if isinstance(server, str) else server.url
    return ToolServer("tests", url, {"Authorization": SECRET})


async def failure_of(url: str, **limits: float) -> ToolServerFailed:
    with pytest.raises(ToolServerFailed) as caught:
        await McpServers([url], **{"timeout_s": 60, "max_bytes": 2**20, **limits}).tools(at(url))  # type: ignore[arg-type]
    return caught.value


async def test_tools_are_listed_and_called() -> None:
    async with an_mcp_server() as server:
        calls = servers(server.url)
        tools = {tool.name: tool for tool in await calls.tools(at(server))}
        assert set(tools) == {"add", "wipe", "fail", "huge", "hang"}
        assert (tools["add"].description, tools["add"].is_read_only) == ("Adds two numbers.", True)
        assert set(tools["add"].input_schema["properties"]) == {"a", "b"}
        assert not tools["wipe"].is_read_only
        assert await calls.call(at(server), "add", {"a": 1, "b": 2}) == ToolAnswer("The sum is 3.")
        failed = await calls.call(at(server), "fail", {})
        assert (failed.is_error, "on fire" in failed.text) == (True, True)
        assert server.authorizations == {SECRET}


async def test_a_tool_that_does_not_exist_is_an_error() -> None:
    async with an_mcp_server() as server:
        answer = await servers(server.url).call(at(server), "absent", {})
    assert (answer.is_error, "absent" in answer.text) == (True, True)


async def test_a_tool_that_hangs_is_given_up() -> None:
    async with an_mcp_server() as server:
        with pytest.raises(ToolServerFailed, match=r"did not answer within 0\.5 s") as caught:
            await servers(server.url, timeout_s=0.5).call(at(server), "hang", {})
    assert caught.value.number == 504


async def test_an_answer_that_is_too_large_is_refused() -> None:
    async with an_mcp_server() as server:
        answer = await servers(server.url).call(at(server), "huge", {})
        assert len(answer.text) == HUGE
        with pytest.raises(ToolServerFailed, match="RAG_TOOLS__MCP_MAX_KIB"):
            await servers(server.url, max_bytes=HUGE // 2).call(at(server), "huge", {})


async def test_redirects_are_not_followed() -> None:
    async with an_mcp_server() as server:
        for status in (301, 307):
            async with served(answering(status, location=server.url)) as url:
                failure = await failure_of(url)
            assert (failure.number, "redirects" in failure.message) == (status, True)
        assert (server.methods, server.authorizations) == ([], set())


async def test_other_failures_are_named() -> None:
    async with served(answering(401)) as url:
        failure = await failure_of(url)
        assert (failure.number, failure.message) == (401, "it answered with status 401")
    async with served(answering(200, content_type="text/html")) as url:
        assert "error" in (await failure_of(url)).message
    async with served(hanging) as url:
        assert (await failure_of(url, timeout_s=0.3)).number == 504
    assert "does not answer" in (await failure_of(url)).message  # nothing listens there any more


async def test_compressed_answers_are_refused() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-encoding", b"gzip"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": gzip.compress(b" " * 10_000_000)})

    async with served(app) as url:
        assert "compresses" in (await failure_of(url)).message


PATTERNS = ["https://example.com/mcp", "https://*.wiki.org/*", "http://127.0.0.1:9000"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/mcp",
        "https://example.com/mcp/",
        "https://example.com:443/mcp",
        "https://EXAMPLE.com/mcp",
        "https://en.wiki.org/mcp",
        "https://a.b.wiki.org/x/y",
        "http://127.0.0.1:9000/",
    ],
)
def test_servers_that_the_settings_list_are_allowed(url: str) -> None:
    McpServers(PATTERNS, timeout_s=1, max_bytes=1).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/mcp",
        "https://example.com/mcp/admin",
        "https://example.com:8443/mcp",
        "https://example.com.evil.org/mcp",
        "https://evil.org/https://example.com/mcp",
        "https://example.com@evil.org/mcp",
        "https://user:pw@example.com/mcp",
        "https://example.com/mcp?next=1",
        "https://example.com/mcp#x",
        "https://example.com\\@evil.org/mcp",
        "https://example.com/mcp/../admin",
        "https://example.com/%6dcp",
        "https://evilwiki.org/mcp",
        "https://wiki.org/mcp",
        "https://en.wiki.org.evil.org/mcp",
        "http://127.0.0.1:9001/",
        "http://127.0.0.1:9000/x",
        "http://[::1]:9000/",
        "file:///etc/passwd",
        "gopher://example.com/mcp",
        "https://example.com:port/mcp",
        "//example.com/mcp",
        "",
    ],
)
def test_all_others_are_refused(url: str) -> None:
    with pytest.raises(Forbidden, match="RAG_TOOLS__MCP_SERVERS") as caught:
        McpServers(PATTERNS, timeout_s=1, max_bytes=1).check(url)
    assert "pw" not in caught.value.message


async def test_a_server_that_is_not_allowed_is_never_called() -> None:
    async with an_mcp_server() as server:
        with pytest.raises(Forbidden):
            await servers("https://example.com/mcp").call(at(server), "add", {})
        assert server.methods == []
