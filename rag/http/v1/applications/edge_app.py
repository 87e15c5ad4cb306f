"""The edge's `/v1` application: models, and the routes that generate text. The Retriever answers all other routes."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from rag.http.v1.administration.adapters import AdapterRoutes
from rag.http.v1.applications.application import v1_app
from rag.http.v1.chat.routes import ChatRoutes
from rag.http.v1.completions.routes import CompletionRoutes
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.models import ModelRoutes
from rag.http.v1.responses.compaction.routes import CompactionRoutes
from rag.http.v1.responses.routes import ResponseRoutes
from rag.http.v1.responses.websocket.connection import response_socket

_GROUPS = (ModelRoutes, ChatRoutes, CompletionRoutes, ResponseRoutes, CompactionRoutes, AdapterRoutes)


def edge_app(parts: EdgeParts, fallback: ASGIApp) -> Starlette:
    """The routes of `/v1` that the edge answers itself.

    Args:
        fallback: Answers the requests that no route of the edge matches.
    """
    # Without this route, the list would be refused: the edge itself only answers POST at this path.
    kept_completions = Route("/chat/completions", fallback, methods=["GET"])
    socket = WebSocketRoute("/responses", response_socket)
    return v1_app([*edge_routes(parts), kept_completions, socket], fallback)


def edge_routes(parts: EdgeParts) -> list[Route]:
    return [route for group in _GROUPS for route in group(parts).routes()]
