"""`@endpoint`: a BentoML API that returns this project's error bodies and stream responses."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import bentoml
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from rag.http.failures import failure_response

EndpointMethod = Callable[[Any, Any], Awaitable[Any]]


def endpoint(route: str, *, stream: bool = False) -> Callable[[EndpointMethod], Any]:
    """Make a coroutine method a BentoML API.

    The method takes one `WireModel` and returns a starlette `Response`, which BentoML passes on unchanged
    (docs/bentoml_issues.md#b7). `stream` tells BentoML's clients that the response is streamed.
    """

    def decorate(method: EndpointMethod) -> Any:
        @functools.wraps(method)
        async def answer(self: Any, request: Any, /) -> Response:
            try:
                if request.refused is not None:
                    raise request.refused
                response: Response = await method(self, request)
                return response
            except ClientDisconnect:
                raise
            except Exception as error:  # BentoML would log it without the request id
                return failure_response(error)

        api = bentoml.api(answer, route=route)
        if stream:
            api.is_stream = True
            api.output_spec.media_type = "text/event-stream"
        return api

    return decorate
