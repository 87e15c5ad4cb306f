"""The middleware that publishes the document where BentoML publishes its own."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.http.openapi.document import published

PATH = "/docs.json"


class PublishedApi:
    """Answers `/docs.json`, which Swagger UI at `/` shows.

    BentoML's document knows its own APIs only, and other errors than ours. Its clients do not read it: they learn the
    APIs from `/schema.json`, which stays as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] in ("GET", "HEAD"):
            app = Response(await asyncio.to_thread(published), media_type="application/json")
        await app(scope, receive, send)
