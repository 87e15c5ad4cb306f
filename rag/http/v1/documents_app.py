"""The `/v1` routes as one application, mounted by the Retriever."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.convertors import register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from rag.errors import RagError
from rag.http.error_table import error_for_status, error_response
from rag.http.middleware.request_id import current_request_id
from rag.http.v1.documents.documents import DocumentRoutes
from rag.http.v1.documents.files import FileRoutes
from rag.http.v1.documents.jobs import JobRoutes
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.documents.path_id import PathId
from rag.http.v1.documents.search import SearchRoutes
from rag.http.v1.documents.stores import StoreRoutes
from rag.http.v1.embeddings import EmbeddingRoutes
from rag.http.v1.rerank import RerankRoutes

register_url_convertor("id", PathId())
_GROUPS = (FileRoutes, StoreRoutes, SearchRoutes, DocumentRoutes, JobRoutes, EmbeddingRoutes, RerankRoutes)


def documents_app(parts: V1Parts) -> Starlette:
    """Files, vector stores, batches, search, jobs, embeddings, rerank.

    Every error has our shape; what is no error of ours is raised.
    """
    routes = [route for group in _GROUPS for route in group(parts).routes()]
    handlers: Any = {RagError: refused, HTTPException: not_routed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would name an address that the client cannot reach
    return app


async def refused(request: Request, error: RagError) -> Response:
    return error_response(error, current_request_id.get())


async def not_routed(request: Request, error: HTTPException) -> Response:
    response = error_response(error_for_status(error.status_code, request.url.path), current_request_id.get())
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(sorted(_methods(request)))
    return response


def _methods(request: Request) -> set[str]:
    """What the path takes, by all of its routes; Starlette names those of the first only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in fitting for method in route.methods or ()}
