"""A `/v1` application: routes, and errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, ExceptionHandler

from rag.errors import RagError
from rag.http.error_table import error_for_status, error_response
from rag.http.failures import failure_response
from rag.http.middleware.request_id import current_request_id


def v1_app(routes: Sequence[BaseRoute], fallback: ASGIApp | None = None) -> Starlette:
    """An application to be mounted at `/v1`. Exceptions other than RagError are raised.

    Args:
        fallback: Answers requests that no route matches; None: they get a 404.
    """
    handlers: dict[Any, ExceptionHandler] = {RagError: _on_error, HTTPException: _on_http_exception}
    app = Starlette(routes=list(routes), exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would name an address that the client may not reach
    if fallback is not None:
        app.router.default = fallback
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    return failure_response(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's own errors: no route, or a method that the path does not support."""
    assert isinstance(error, HTTPException)
    allow = ", ".join(sorted(_allowed_methods(request))) if error.status_code == 405 else ""
    answered = error_for_status(error.status_code, request.url.path, allow)
    response = error_response(answered, current_request_id.get())
    response.headers.update(error.headers or {})
    if allow:
        response.headers["allow"] = allow
    return response


def _allowed_methods(request: Request) -> set[str]:
    """Methods of all routes of the path; Starlette names only those of the first route."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in matching for method in route.methods or ()}
