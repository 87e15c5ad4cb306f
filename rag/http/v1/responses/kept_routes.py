"""`/v1/responses/{id}`: responses that were kept."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.http.headers.inner_headers import OBJECT_ID
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.v1.documents.cursor import read_query
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.responses.background.kept_stream import kept_stream
from rag.http.v1.responses.kept_models import ItemList, ItemPage, ItemQuery, ResponseDeleted, RetrieveQuery
from rag.http.v1.responses.response_models import ResponseEvent, ResponseOut
from rag.http.v1.route import V1Route

_TAG = "Language model"
_SCOPES: tuple[Scope, ...] = ("ask", "generate")
_WHOSE = "Only the key or token that created a response can use it."

GET = Operation(
    id="get_response",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Get a kept response",
    description=f"{_WHOSE} Responses are kept for `RAG_RESPONSES__RETENTION_DAYS`, unless `store` was false. One in "
    "the background has the `status` `queued` or `in_progress` until it has ended; then it has its output.",
    query=RetrieveQuery,
    response=ResponseOut,
    response_description="The response. With `stream=true`, its events.",
    events=[EventModel(ResponseEvent)],
    errors=[400, 404],
)
DELETE = Operation(
    id="delete_response",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Erase a kept response and its items",
    description=f"{_WHOSE} One in the background that has not ended is cancelled.",
    response=ResponseDeleted,
    response_description="The response was erased.",
    errors=[404],
)
CANCEL = Operation(
    id="cancel_response",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Cancel a response that is generated in the background",
    description=f"{_WHOSE} A response that has ended is returned as it is, and one that is not in the background is a "
    "400. Without `background`, closing the connection cancels a response.",
    response=ResponseOut,
    response_description="The response.",
    errors=[400, 404],
)
LIST_INPUT = Operation(
    id="list_response_input_items",
    scopes=_SCOPES,
    tag=_TAG,
    summary="List the input items of a kept response",
    description=f"{_WHOSE} Those of the previous responses are not listed.",
    query=ItemQuery,
    response=ItemPage,
    response_description="A page of items.",
    errors=[400, 404],
)


class KeptResponseRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/responses/{response_id:id}"
        return [
            V1Route("GET", one, self.get, GET),
            V1Route("DELETE", one, self.delete, DELETE),
            V1Route("POST", f"{one}/cancel", self.cancel, CANCEL),
            V1Route("GET", f"{one}/input_items", self.list_input, LIST_INPUT),
        ]

    async def get(self, request: Request) -> Response:
        query, response_id = read_query(RetrieveQuery, request), request.path_params["response_id"]
        if query.stream == "true":
            is_padded = query.include_obfuscation == "true"
            return await kept_stream(self._parts.background(), response_id, query.starting_after, is_padded=is_padded)
        response = await asyncio.to_thread(self._parts.responses().get, response_id)
        return JSONResponse(response, headers={OBJECT_ID: response["id"]})

    async def delete(self, request: Request) -> Response:
        response_id = request.path_params["response_id"]
        await asyncio.to_thread(self._parts.responses().delete, response_id)
        return model_response(ResponseDeleted(id=response_id, object="response", deleted=True))

    async def cancel(self, request: Request) -> Response:
        response = await asyncio.to_thread(self._parts.background().cancel, request.path_params["response_id"])
        return JSONResponse(response, headers={OBJECT_ID: response["id"]})

    async def list_input(self, request: Request) -> Response:
        cursor, response_id = read_query(ItemQuery, request).cursor, request.path_params["response_id"]
        page = await asyncio.to_thread(self._parts.responses().input_page, response_id, cursor)
        return model_response(ItemList.of(page))
