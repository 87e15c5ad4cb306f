"""Health probes and metrics in the OpenAPI document. The edge middleware and BentoML serve them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from rag.auth.scopes import Scope
from rag.http.openapi.route import OpenApiRoute, Operation

_TAG = "Infrastructure"


class Readiness(BaseModel):
    status: Literal["ready"]
    in_flight: int = Field(ge=0, description="Requests in progress.")
    services: dict[str, dict[str, JsonValue]] = Field(description="Facts about each service that the edge depends on.")


async def _served_elsewhere(request: Request) -> Response:
    raise NotImplementedError(f"the edge or BentoML serves {request.url.path}")


def _text_route(path: str, summary: str, response_description: str, scopes: Sequence[Scope] = ()) -> OpenApiRoute:
    operation = Operation(
        id=path.removeprefix("/"),
        scopes=scopes,
        tag=_TAG,
        summary=summary,
        response_description=response_description,
        errors_of_all=(),
    )
    return OpenApiRoute("GET", path, _served_elsewhere, operation)


_READYZ = Operation(
    id="readyz",
    scopes=(),
    tag=_TAG,
    summary="Whether the engine, the encoder, Milvus and the catalog answer",
    response=Readiness,
    response_description="They do.",
    errors=[409, 500, 503, 504],
    errors_of_all=(),
)
ROUTES = (
    OpenApiRoute("GET", "/readyz", _served_elsewhere, _READYZ),
    _text_route("/livez", "Whether the process answers", "It does."),
    _text_route("/healthz", "The same as /livez", "It does."),
    _text_route("/metrics", "Metrics for Prometheus", "The metrics.", ("metrics",)),
)
