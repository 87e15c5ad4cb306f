"""Parameters that several routes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from rag.http.openapi.operation import Parameter
from rag.records import WorkStatus
from rag.types import JsonObject

IN_PATH: Mapping[str, JsonObject] = {
    "store": {
        "description": "Id of a vector store, or its name where only one has it; `default` is always there.",
        "example": "default",
    },
    "file_id": {"description": "Id of a file."},
    "batch": {"description": "Id of a batch, which is its job's."},
    "job": {"description": "Id of a job."},
    "model": {
        "description": "Name of a model; it may have slashes.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
        "example": "rag",
    },
}
"""What the names in braces mean."""
ID: JsonObject = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^[^/\x00]+$"}

IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[ -~]{1,255}$"},
    "The same request sent again gets the job that it got before.",
    place="header",
)
RANGE = Parameter("Range", {"type": "string"}, "Bytes to be sent, such as `bytes=0-99`.", place="header")
ORDER = Parameter("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "By time of creation.")
AFTER = Parameter("after", {"type": "string"}, "Id of the row before the first wanted one.")
BEFORE = Parameter("before", {"type": "string"}, "Id of the row behind the last wanted one.")
STATUS = Parameter("filter", {"type": "string", "enum": list(get_args(WorkStatus))}, "Only those of this status.")


def limit(most: int = 100, default: int = 20) -> Parameter:
    schema: JsonObject = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter("limit", schema, "Rows at most.")


LIST = (limit(), ORDER, AFTER, BEFORE)
