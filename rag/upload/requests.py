"""Requests to the service: retries, and what its error responses say."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from rag.types import JsonObject

MAX_ATTEMPTS = 7
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})


class ServiceError(Exception):
    """The service rejected a request. The message is the service's own, for example about a missing vector store."""


def with_retries(
    send: Callable[[], httpx.Response],
    sleep: Callable[[float], object] = time.sleep,
    is_final: Callable[[httpx.TransportError], bool] = lambda _: False,
    attempts: int = MAX_ATTEMPTS,
) -> httpx.Response:
    """Send a request, again with growing pauses while the service is busy or cannot be reached.

    Returns the response of the last attempt, or raises its error.

    Args:
        is_final: Tells whether another attempt would be pointless after this error.
    """
    for attempt in range(attempts - 1):
        pause_s = min(FIRST_PAUSE_S * 2**attempt, MAX_PAUSE_S)
        try:
            response = send()
        except httpx.UnsupportedProtocol:
            raise
        except httpx.TransportError as error:
            if is_final(error):
                raise
        else:
            if response.status_code not in RETRYABLE_STATUSES:
                return response
            pause_s = _retry_after_s(response, pause_s)
        sleep(pause_s)
    return send()


def _retry_after_s(response: httpx.Response, default: float) -> float:
    try:
        return max(0.0, min(float(response.headers["retry-after"]), MAX_PAUSE_S))
    except (KeyError, ValueError):
        return default


def json_object_of(response: httpx.Response) -> JsonObject:
    """The JSON object in a successful response. Raises ServiceError if the response holds something else."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise unexpected_response(response)
    return body


def unexpected_response(response: httpx.Response) -> ServiceError:
    return ServiceError(f"unexpected response from {response.url}: is this the address of the service?")


def error_message(response: httpx.Response) -> str:
    """The service's error message, or the HTTP status if the body is not ours (such as a proxy's error page)."""
    try:
        message = str(response.json()["error"]["message"])
        return f"{message}; set RAG_API_KEY to a valid key" if response.status_code == 401 else message
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} {response.reason_phrase}".strip()


def error_param(response: httpx.Response) -> str:
    """The request field or file name that an error response blames; empty if it names none."""
    try:
        return str(response.json()["error"].get("param") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
