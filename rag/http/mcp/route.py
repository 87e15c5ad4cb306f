"""Where MCP is served. This module does not load its library."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/mcp"


class McpRoute:
    """Middleware that passes requests to `/mcp` to `endpoint`. A mounted application would only get `/mcp/`."""

    def __init__(self, app: ASGIApp, endpoint: ASGIApp) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].removesuffix("/") == PATH
        await (self._endpoint if is_ours else self._app)(scope, receive, send)
