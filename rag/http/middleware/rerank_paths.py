"""`/rerank` and `/v2/rerank`, where clients of Cohere, Jina and infinity expect `/v1/rerank`."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_PATHS = ("/rerank", "/v2/rerank")
_PATH = "/v1/rerank"


class RerankPaths:
    """Middleware that serves these paths as `/v1/rerank`. It must come before whatever looks at the path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in _PATHS:
            scope = {**scope, "path": _PATH, "raw_path": _PATH.encode()}
        await self._app(scope, receive, send)
