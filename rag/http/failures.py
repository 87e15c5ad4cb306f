"""Converts exceptions of requests to errors. Unexpected ones are logged with a stack trace, under the request id."""

from __future__ import annotations

import logging

from starlette.responses import Response

from rag.errors import InternalError, RagError
from rag.http.error_table import STATUS, error_response
from rag.http.middleware.request_id import current_request_id

logger = logging.getLogger("rag.http")


def failure_response(failure: Exception) -> Response:
    """The error response to a request whose handler raised `failure`."""
    return error_response(logged_error(failure, "the request failed"), current_request_id.get())


def logged_error(failure: Exception, what_failed: str) -> RagError:
    """The error that the client gets."""
    if isinstance(failure, RagError) and STATUS[type(failure)] != 500:
        return failure
    logger.error("%s", what_failed, exc_info=failure)
    if isinstance(failure, RagError):
        return failure
    return InternalError("an unexpected error occurred; the server's log has the details under this request id")
