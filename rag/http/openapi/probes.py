"""Health and metrics. They are answered whatever else is not."""

from __future__ import annotations

from rag.http.openapi.operation import Gives, Operation
from rag.types import JsonObject

_TAG = "Infrastructure"
_TEXT: JsonObject = {"type": "string"}
_READY: JsonObject = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "const": "ready"},
        "in_flight": {"type": "integer", "minimum": 0},
        "services": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    "required": ["status", "in_flight", "services"],
}

OPERATIONS = (
    Operation(
        name="readyz",
        method="get",
        path="/readyz",
        tag=_TAG,
        summary="Whether engine, encoder, Milvus and catalog really answer",
        gives=[Gives("They do.", schema=_READY)],
        fails=[409, 500, 503, 504],
        always=(),
    ),
    Operation(
        name="livez",
        method="get",
        path="/livez",
        tag=_TAG,
        summary="Whether the process answers",
        gives=[Gives("It does.", schema=_TEXT, media_type="text/plain")],
        always=(),
    ),
    Operation(
        name="healthz",
        method="get",
        path="/healthz",
        tag=_TAG,
        summary="As /livez",
        gives=[Gives("It does.", schema=_TEXT, media_type="text/plain")],
        always=(),
    ),
    Operation(
        name="metrics",
        method="get",
        path="/metrics",
        tag=_TAG,
        summary="Metrics for Prometheus",
        gives=[Gives("Metrics.", schema=_TEXT, media_type="text/plain")],
        always=(),
    ),
)
