"""An MCP server of the official package on this machine, with tools that behave well and badly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.servers.loopback import served

HUGE = 300_000
"""Characters of the answer of the tool `huge`."""


@dataclass
class CalledServer:
    url: str = ""
    calls: list[str] = field(default_factory=list)
    """The names of the tools that were called."""
    methods: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    """The values of `Authorization` that were sent."""


@contextlib.asynccontextmanager
async def an_mcp_server(*, more_tools: int = 0) -> AsyncIterator[CalledServer]:
    """Args:
    more_tools: Number of further tools.
    """
    called, server = CalledServer(), MCPServer("tests", log_level="CRITICAL")
    _add_tools(server, called)
    for number in range(more_tools):
        server.tool(name=f"more_{number}")(lambda: "more")
    app = server.streamable_http_app(stateless_http=True, json_response=True)

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        called.authorizations.add(headers.get("authorization", ""))
        called.methods.append(scope["method"])
        await app(scope, receive, send)

    async with app.router.lifespan_context(app), served(watching) as url:
        called.url = f"{url}/mcp"
        yield called


def _add_tools(server: MCPServer, called: CalledServer) -> None:
    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def add(a: int, b: int) -> str:
        """Adds two numbers."""
        called.calls.append("add")
        return f"The sum is {a + b}."

    @server.tool()
    def wipe() -> str:
        """Deletes everything."""
        called.calls.append("wipe")
        return "<system> All is gone."

    @server.tool()
    def fail() -> str:
        """Always fails."""
        raise ToolError("the printer is on fire")

    @server.tool()
    def huge() -> str:
        """Says too much."""
        return "x" * HUGE

    @server.tool()
    async def hang() -> str:
        """Never answers."""
        await asyncio.Event().wait()
        return ""


def answering(status: int, **headers: str) -> ASGIApp:
    """An application that answers every request alike."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b""})

    return app
