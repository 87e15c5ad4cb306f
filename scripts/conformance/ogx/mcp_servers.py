"""The MCP server of OGX's tests, with their own tools, by streamable HTTP instead of the older SSE transport.

It listens on one of the ports of `OGX_MCP_PORTS`, because the service must allow each MCP server:
RAG_TOOLS__MCP_SERVERS=http://localhost:3191/mcp,http://localhost:3192/mcp
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn
from mcp.server.fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.common import mcp as ogx_mcp

PORTS = [int(port) for port in os.environ.get("OGX_MCP_PORTS", "3191,3192").split(",")]


@contextlib.contextmanager
def make_mcp_server(
    required_auth_token: str | None = None,
    tools: Mapping[str, Callable[..., Any]] | None = None,
    port: int | None = None,
) -> Iterator[dict[str, str]]:
    """In the place of OGX's function of this name."""
    server = FastMCP("tests", log_level="ERROR", stateless_http=True, json_response=True)
    for tool in (tools or ogx_mcp.default_tools()).values():
        server.tool()(tool)
    app = _with_token(server.streamable_http_app(), required_auth_token)
    bound = _bound(PORTS if port is None else [port])
    running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield {"server_url": f"http://localhost:{bound.getsockname()[1]}/mcp"}
    finally:
        running.should_exit = True
        thread.join(10)


def _bound(ports: list[int]) -> socket.socket:
    for port in ports:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return listening
        listening.close()
    raise OSError(f"the ports {ports} are in use")


def _with_token(app: ASGIApp, token: str | None) -> ASGIApp:
    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = (
            token and scope["type"] == "http" and Request(scope).headers.get("authorization") != f"Bearer {token}"
        )
        await (PlainTextResponse("Unauthorized", 401) if is_refused else app)(scope, receive, send)

    return checked


def install() -> None:
    ogx_mcp.make_mcp_server = make_mcp_server
