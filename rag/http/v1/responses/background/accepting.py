"""Queues responses in the background at the edge."""

from __future__ import annotations

from collections.abc import Callable

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rag.errors import InvalidRequest
from rag.http.clients.remote_background import RemoteBackground
from rag.http.clients.service_client import ServiceClient
from rag.http.clients.service_proxy import ServiceProxy
from rag.http.v1.responses.prepared_answer import PreparedAnswer
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.request.input import stored_item


class BackgroundQueue:
    """Accepts responses in the background, and shows them while they are generated.

    Args:
        retriever: Client of the Retriever, which keeps the responses and streams their events.
        wake: Called when a response was queued.
    """

    def __init__(self, retriever: ServiceClient, wake: Callable[[], None]) -> None:
        self._queue = RemoteBackground(retriever)
        self._forward = ServiceProxy(retriever)
        self._wake = wake

    async def accept(self, request: Request, body: ResponsesBody, answer: PreparedAnswer) -> Response:
        """The response as it is queued, or the stream of its events.

        Raises:
            InvalidRequest: the service keeps nothing.
            QuotaExceeded: the caller may keep no more.
            RateLimitExceeded: the caller has as many unfinished responses as it may have.
        """
        if not answer.is_stored:
            message = "background: this service keeps no responses (RAG_RESPONSES__STORE)"
            raise InvalidRequest(message, param="background")
        events = answer.writer.queued()
        response = events[0][1]["response"]
        items = [stored_item(item) for item in answer.turns.given]
        await self._queue.enqueue(response, items, from_json(await request.body()), events if body.stream else None)
        self._wake()
        if body.stream:
            padding = "&include_obfuscation=true" if body.is_padded else ""
            return await self._forward.get(f"/v1/responses/{response['id']}?stream=true{padding}")
        return JSONResponse(response)
