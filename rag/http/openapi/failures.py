"""How errors look in the published document: one shape, and for each status its codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from rag.errors import InternalError, RagError, SetupError, Unavailable, all_errors
from rag.http.error_table import RETRY_AFTER_S, STATUS
from rag.http.openapi.operation import JSON
from rag.types import JsonObject

REQUEST_ID: JsonObject = {"description": "The client's own, or a new one.", "schema": {"type": "string"}}
_TITLES: Mapping[int, str] = {
    400: "The request must be changed",
    403: "The settings do not allow it",
    404: "It is not there",
    405: "The path does not take this method",
    409: "It does not go with what is there",
    413: "It is too large",
    415: "No text can be had from a file",
    429: "Too much is in work; try again after `Retry-After`",
    500: "A defect; the log has it under the request id",
    503: "Something is not ready; try again after `Retry-After`",
    504: "It took too long",
}


class ErrorDetail(BaseModel):
    message: str = Field(description="What failed, on what, and what to try.")
    type: str = Field(description="OpenAI's word for errors of this status.")
    param: str | None = Field(description="The field, or the file, at fault.")
    code: str
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="As in `X-Request-ID`; every line of the log has it.")


class Error(BaseModel):
    """Every error, on every route: OpenAI's shape and two more fields."""

    error: ErrorDetail


def component(status: int) -> str:
    """Name of a status's response among the document's components."""
    return f"Error{status}"


def components(statuses: Iterable[int], error: JsonObject) -> JsonObject:
    """Responses by the names that `component` gives them; `error` is the schema of all their bodies."""
    codes = _codes()
    return {component(status): _response(status, codes[status], error) for status in sorted(statuses)}


def _response(status: int, codes: list[str], error: JsonObject) -> JsonObject:
    headers = {"X-Request-ID": REQUEST_ID}
    if status in {STATUS[kind] for kind in RETRY_AFTER_S}:
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
    named = ", ".join(f"`{code}`" for code in codes)
    return {
        "description": f"{_TITLES[status]}: {named}.",
        "headers": headers,
        "content": {JSON: {"schema": error}},
    }


def _codes() -> Mapping[int, list[str]]:
    """Codes by status, each once, in the order of the tree."""
    found: dict[int, list[str]] = defaultdict(list)
    for kind in all_errors(RagError):
        if kind is SetupError or kind is Unavailable:
            continue  # met at a start, and never raised itself
        if kind.code not in found[STATUS[kind]]:
            found[STATUS[kind]].append(kind.code)
    assert InternalError.code in found[500]
    return found
