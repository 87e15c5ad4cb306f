"""`/v1/batches`: many requests in one file, which are answered when there is nothing more urgent."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.http.openapi.route import Operation
from rag.http.v1.batches.models import Batch, BatchList, BatchQuery, CreateRequestBatch
from rag.http.v1.documents.body import read_body
from rag.http.v1.documents.cursor import read_query
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

_TAG = "Batches"
_SCOPES: tuple[Scope, ...] = ("ask", "generate")
_WHOSE = "Only the key or token that created a batch, and administrators of its tenant, can use it."

CREATE = Operation(
    id="create_batch",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Create a batch of requests",
    description="The requests run with the permissions of the key or token that creates the batch.",
    body=CreateRequestBatch,
    response=Batch,
    response_description="The batch, `validating`.",
    errors=[400, 404, 413],
    links={name: {"batch_id": "$response.body#/id"} for name in ("get_batch", "cancel_batch")},
)
LIST = Operation(
    id="list_batches",
    scopes=_SCOPES,
    tag=_TAG,
    summary="List batches of requests, newest first",
    description=_WHOSE,
    query=BatchQuery,
    response=BatchList,
    response_description="A page of batches.",
    errors=[400],
)
GET = Operation(
    id="get_batch",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Get a batch of requests",
    description=_WHOSE,
    response=Batch,
    response_description="The batch.",
    errors=[404],
)
CANCEL = Operation(
    id="cancel_batch",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Cancel a batch of requests",
    description=f"{_WHOSE} Requests that were answered are in the output file, the others in the error file.",
    response=Batch,
    response_description="The batch, `cancelling`.",
    errors=[404, 409],
)


class BatchRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/batches/{batch_id:id}"
        return [
            V1Route("POST", "/batches", self.create, CREATE),
            V1Route("GET", "/batches", self.list, LIST),
            V1Route("GET", one, self.get, GET),
            V1Route("POST", f"{one}/cancel", self.cancel, CANCEL),
        ]

    async def create(self, request: Request) -> Response:
        new = (await read_body(CreateRequestBatch, request)).parsed()
        return model_response(Batch.of(await asyncio.to_thread(self._parts.batches().create, new)))

    async def list(self, request: Request) -> Response:
        cursor = read_query(BatchQuery, request).cursor
        return model_response(BatchList.of(await asyncio.to_thread(self._parts.batches().page, cursor)))

    async def get(self, request: Request) -> Response:
        return model_response(Batch.of(await asyncio.to_thread(self._parts.batches().get, _id(request))))

    async def cancel(self, request: Request) -> Response:
        return model_response(Batch.of(await asyncio.to_thread(self._parts.batches().cancel, _id(request))))


def _id(request: Request) -> str:
    batch_id: str = request.path_params["batch_id"]
    return batch_id
