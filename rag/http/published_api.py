"""Serves the OpenAPI document of all public routes, and Swagger UI at `/`, which shows it."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.http.pages.swagger_page import swagger_page

PATH = "/docs.json"


class PublishedApi:
    """Middleware that answers `/docs.json` with the document, and `/` with the page that shows it.

    BentoML's own document at this path covers only BentoML's APIs, with BentoML's errors. BentoML's clients do not need
    it: they read `/schema.json`, which stays as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            if scope["path"] == PATH:
                app = Response(await asyncio.to_thread(_published), media_type="application/json")
            elif scope["path"] == "/":
                app = swagger_page()
        await app(scope, receive, send)


def _published() -> bytes:
    from rag.http.published_document import published  # here, because it imports all routes

    return published()
