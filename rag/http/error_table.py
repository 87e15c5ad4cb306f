"""The HTTP status of each error, and the body of error responses: OpenAI's format with two more fields."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

from rag import errors
from rag.errors import RagError
from rag.types import JsonObject

STATUS: Mapping[type[RagError], int] = {
    errors.InvalidRequest: 400,
    errors.EmptyQuestion: 400,
    errors.InvalidFilter: 400,
    errors.UnsupportedIndex: 400,
    errors.ContextLengthExceeded: 400,
    errors.NotFound: 404,
    errors.FileNotFound: 404,
    errors.VectorStoreNotFound: 404,
    errors.ModelNotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.InsufficientPermissions: 403,
    errors.QuotaExceeded: 403,
    errors.Conflict: 409,
    errors.EmbeddingMismatch: 409,
    errors.FileTooLarge: 413,
    errors.UnsupportedFile: 415,
    errors.NoTextFound: 415,
    errors.EncryptedFile: 415,
    errors.BrokenFile: 415,
    errors.ParsingLimit: 415,
    errors.Overloaded: 429,
    errors.RateLimitExceeded: 429,
    errors.Unavailable: 503,
    errors.Starting: 503,
    errors.Draining: 503,
    errors.DependencyUnavailable: 503,
    errors.ToolServerFailed: 424,
    errors.RequestTimeout: 408,
    errors.DeadlineExceeded: 504,
    errors.InternalError: 500,
    errors.SetupError: 500,
}

RETRY_AFTER_S: Mapping[type[RagError], int] = {
    errors.Overloaded: 1,
    errors.RateLimitExceeded: 1,
    errors.Starting: 5,
    errors.Draining: 5,
    errors.DependencyUnavailable: 5,
}

OURS = "x-rag-error"
"""Header with the error code on every error response of this project. A response without it came from elsewhere."""

_OPENAI_TYPES = {429: "rate_limit_error", 401: "authentication_error", 403: "permission_error"}


def openai_type(status: int) -> str:
    """The `type` that OpenAI's API gives to errors of this status."""
    return _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def error_event(error: RagError) -> JsonObject:
    """Data of a stream's `error` event."""
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def error_body(error: RagError, request_id: str) -> JsonObject:
    return {
        "error": {
            "message": error.message,
            "type": openai_type(STATUS[type(error)]),
            "param": error.param,
            "code": error.code,
            "retryable": error.retryable,
            "request_id": request_id,
        }
    }


def error_response(error: RagError, request_id: str = "") -> Response:
    headers = {OURS: error.code}
    if (retry_after := RETRY_AFTER_S.get(type(error))) is not None:
        headers["retry-after"] = str(getattr(error, "retry_after_s", retry_after))
    if isinstance(error, errors.Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="rag"'
    body = json.dumps(error_body(error, request_id), separators=(",", ":"))
    return Response(body, status_code=STATUS[type(error)], headers=headers, media_type="application/json")


def error_from_body(body: object) -> RagError | None:
    """The error in a body that another service of this bundle wrote with `error_body`."""
    detail = body.get("error") if isinstance(body, dict) else None
    if not isinstance(detail, dict) or "code" not in detail:
        return None
    return errors.error_class(str(detail["code"]))(str(detail.get("message", "")), param=detail.get("param"))


def error_from_event(data: Mapping[str, object]) -> RagError:
    """The error of a stream's `error` event."""
    return errors.error_class(str(data.get("code")))(str(data.get("message", "")))


def error_for_status(status: int, path: str, allow: str = "") -> RagError:
    """The error for a status that the router or the framework answered with.

    Args:
        allow: With 405: the methods that the path supports, if they are known.
    """
    if status == 404:
        return errors.NotFound(f"there is no route {path}; the routes are listed at /")
    if status == 405:
        fault = f"supports only {allow}" if allow else "does not support this method"
        return errors.MethodNotAllowed(f"{path} {fault}")
    if status == 429:
        return errors.Overloaded("too many requests are in progress; try again soon")
    if status in (502, 503):
        return errors.DependencyUnavailable("the service is not available; try again soon")
    if status == 504:
        return errors.DeadlineExceeded("the request was not answered in time")
    if status < 500:
        return errors.InvalidRequest("the request cannot be read")
    return errors.InternalError("an unexpected error occurred; the server's log has the details under this request id")
