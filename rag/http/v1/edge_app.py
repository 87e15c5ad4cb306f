"""The `/v1` routes of the edge: the language model's own; all others are the Retriever's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from rag.errors import RagError
from rag.http.v1.documents_app import not_routed, refused


def edge_app(routes: Iterable[Route], others: ASGIApp) -> Starlette:
    """Args:
    others: Answers what none of the routes does.
    """
    handlers: Any = {RagError: refused, HTTPException: not_routed}
    app = Starlette(routes=list(routes), exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.router.default = others
    return app
