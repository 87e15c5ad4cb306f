"""Other paths of `/v1/rerank`, where clients of Cohere, Jina and infinity expect it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_QUERY_STRINGS = {"/rerank": b"", "/v2/rerank": b"", "/infinity/rerank": b"documents=strings"}
"""By path; empty: that of the request. litellm's provider `infinity/` expects strings without asking for them."""
_PATH = "/v1/rerank"


class RerankPaths:
    """Middleware that serves these paths as `/v1/rerank`. It must come before whatever looks at the path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (query := _QUERY_STRINGS.get(scope["path"])) is not None:
            query = query or scope["query_string"]
            scope = {**scope, "path": _PATH, "raw_path": _PATH.encode(), "query_string": query}
        await self._app(scope, receive, send)
