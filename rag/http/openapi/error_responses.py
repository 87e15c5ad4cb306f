"""Error responses in the OpenAPI document: one body for all errors, and the error codes of each status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from rag.errors import InternalError, RagError, SetupError, Unavailable, all_errors
from rag.http.error_table import RETRY_AFTER_S, STATUS
from rag.types import JsonObject

REQUEST_ID: JsonObject = {
    "description": "The request ID that the client sent, or a new one.",
    "schema": {"type": "string"},
}
ALWAYS = (429, 500, 503)
"""Statuses of errors that any request may get: too many requests, an internal error, a service that is not ready."""
_OF_CONNECTIONS = (405, 408)
"""Statuses that no operation refers to: they are about the method, or a client that stops sending."""
_TITLES: Mapping[int, str] = {
    400: "The request is invalid",
    401: "The API key is missing or not valid",
    403: "The service's settings, or the API key's scopes, do not allow the request",
    404: "Something that the request names does not exist",
    405: "The path does not support this method",
    409: "The request conflicts with the current state",
    413: "The request is too large",
    415: "No text can be read from a file",
    429: "Too many requests are in progress; retry after `Retry-After` seconds",
    424: "An MCP server of the request did not list its tools",
    500: "An internal error; the server's log has the details under the request ID",
    503: "The service, or one it depends on, is not ready; retry after `Retry-After` seconds",
    504: "The request was not answered in time",
}


class ErrorDetail(BaseModel):
    message: str = Field(description="What failed, on what, and what to do about it.")
    type: str = Field(description="OpenAI's error type for this status.")
    param: str | None = Field(description="The request field, or the file, that caused the error.")
    code: str = Field(description="Stable, machine-readable error code.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="The request ID, as in `X-Request-ID`. Every log line of the request has it.")


class Error(BaseModel):
    """The body of every error response: OpenAI's error object with `retryable` and `request_id`."""

    error: ErrorDetail


def error_references(statuses: Iterable[int]) -> JsonObject:
    """An operation's error responses, as references to those of `error_components`."""
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(set(statuses))}


def error_components() -> JsonObject:
    """The error responses of all statuses that operations refer to, by component name."""
    codes = _codes()
    return {
        f"Error{status}": _response(status, codes[status]) for status in sorted(codes) if status not in _OF_CONNECTIONS
    }


def _response(status: int, codes: list[str]) -> JsonObject:
    headers = {"X-Request-ID": REQUEST_ID}
    if status in {STATUS[kind] for kind in RETRY_AFTER_S}:
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
    named = ", ".join(f"`{code}`" for code in codes)
    return {
        "description": f"{_TITLES[status]}: {named}.",
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{Error.__name__}"}}},
    }


def _codes() -> Mapping[int, list[str]]:
    """Codes by status, each once, in the order of the tree in `rag.errors`."""
    codes: dict[int, list[str]] = defaultdict(list)
    for kind in all_errors(RagError):
        if kind is SetupError or kind is Unavailable:
            continue  # SetupError only occurs at startup; Unavailable is only a base class
        if kind.code not in codes[STATUS[kind]]:
            codes[STATUS[kind]].append(kind.code)
    assert InternalError.code in codes[500]
    return codes
