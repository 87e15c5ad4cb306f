"""The OpenAPI document of all public routes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import rag
from rag.http.native import public_routes
from rag.http.openapi import probes
from rag.http.openapi.error_responses import error_components
from rag.http.openapi.route import API_KEY, OpenApiRoute
from rag.http.openapi.unset_fields import without_unset_nulls
from rag.http.v1.applications.documents_app import document_routes
from rag.http.v1.applications.edge_app import edge_routes
from rag.types import JsonObject

_DESCRIPTION = """Answers questions from your documents, with sources.

The routes below `/v1` are those of OpenAI's API. Every response has `X-Request-ID`: the ID that the client sent, or a
new one. A method that a path does not support gets a 405, and `Allow` names the methods that it does support."""


_SECURITY: JsonObject = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, if the service has any: `python -m rag keys` makes them. Or a signed token of the "
    "identity provider that the service accepts. The scope `admin` includes all others.",
}


@cache
def published() -> bytes:
    """The document as JSON. Generated once: it takes about a second, and makes pydantic's fields larger each time."""
    return json.dumps(_generated(), separators=(",", ":")).encode()


def document() -> JsonObject:
    """One document of the native routes, the `/v1` routes of both applications, and the probes. A copy."""
    copy: JsonObject = json.loads(published())
    return copy


def _generated() -> JsonObject:
    from fastapi.openapi.utils import get_openapi  # here, because no other request needs FastAPI

    from rag.http.openapi.documented_route import DocumentedRoute

    routes = public_operations()
    described: JsonObject = get_openapi(
        title="RAG",
        version=rag.__version__,
        description=_DESCRIPTION,
        servers=[{"url": "."}],
        tags=[{"name": tag} for tag in dict.fromkeys(route.operation.tag for route in routes)],
        routes=[DocumentedRoute(route) for route in routes],
    )
    _remove_validation_errors(described)
    without_unset_nulls(described)
    described["components"]["responses"] = error_components()
    described["components"]["securitySchemes"] = {API_KEY: _SECURITY}
    return described


def public_operations() -> Sequence[OpenApiRoute]:
    """All documented routes. They are built without dependencies, because they are never called."""
    no_parts: Any = None
    v1 = [*edge_routes(no_parts), *document_routes(no_parts)]
    return [
        *public_routes.ROUTES,
        *(route for route in v1 if isinstance(route, OpenApiRoute)),
        *probes.ROUTES,
    ]


def _remove_validation_errors(described: JsonObject) -> None:
    """FastAPI adds its own response to invalid requests, a 422. Here they get a 400."""
    for operations in described["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(name, None)
