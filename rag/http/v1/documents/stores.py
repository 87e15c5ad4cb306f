"""`/v1/vector_stores`: collections of documents, and their embedding model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from openai.types import VectorStoreDeleted
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import RagError
from rag.http.fields import chunking_wire
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import CreateStore, Reindex, UpdateStore, read_body
from rag.http.v1.documents.cursor import ListQuery, read_query
from rag.http.v1.documents.objects.job import Job, job_object
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.objects.store import ForgottenIndex, VectorStoreObject, store_object
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route
from rag.records import Attachment, NewStore, StoreRecord

if TYPE_CHECKING:
    from rag.library.service import Library

_TAG = "Vector stores"
_STORE_OPERATIONS = (
    *("get_vector_store", "update_vector_store", "delete_vector_store", "search_vector_store"),
    *("attach_file", "list_documents", "create_file_batch"),
)
CREATE = Operation(
    id="create_vector_store",
    scopes=("ingest",),
    tag=_TAG,
    summary="Create a vector store, and add files to it",
    body=CreateStore,
    response=VectorStoreObject,
    response_description="The vector store.",
    errors=[400, 404, 413],
    links={name: {"store": "$response.body#/id"} for name in _STORE_OPERATIONS},
)
LIST = Operation(
    id="list_vector_stores",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List vector stores",
    query=ListQuery,
    response=ListOf[VectorStoreObject],
    response_description="A page of vector stores.",
    errors=[400],
)
GET = Operation(
    id="get_vector_store",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get a vector store",
    response=VectorStoreObject,
    response_description="The vector store.",
    errors=[400, 404],
)
UPDATE = Operation(
    id="update_vector_store",
    scopes=("ingest",),
    tag=_TAG,
    summary="Change a vector store",
    description="Fields that are left out keep their values. Null clears `metadata`, `expires_after` and `retrieval`.",
    body=UpdateStore,
    response=VectorStoreObject,
    response_description="The vector store.",
    errors=[400, 404, 413],
)
DELETE = Operation(
    id="delete_vector_store",
    scopes=("delete",),
    tag=_TAG,
    summary="Delete a vector store and its documents; the files remain",
    response=VectorStoreDeleted,
    response_description="The vector store was deleted.",
    errors=[400, 404, 409],
)
REINDEX = Operation(
    id="reindex_vector_store",
    scopes=("admin",),
    tag=_TAG,
    summary="Move a vector store to another embedding model",
    description="A job builds the new index. Searches use the old one until the new one is complete.",
    body=Reindex,
    response=Job,
    response_description="The job.",
    errors=[400, 404, 409, 413, 504],
)
ROLL_BACK = Operation(
    id="roll_back_vector_store",
    scopes=("admin",),
    tag=_TAG,
    summary="Go back to the previous embedding model",
    response=Job,
    response_description="The job.",
    errors=[400, 404, 409],
)
FORGET = Operation(
    id="forget_previous_index",
    scopes=("admin",),
    tag=_TAG,
    summary="Drop the index of the previous embedding model",
    response=ForgottenIndex,
    response_description="The index that was dropped.",
    errors=[400, 404, 409],
)


class StoreRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/vector_stores/{store:id}"
        return [
            V1Route("POST", "/vector_stores", self.create, CREATE),
            V1Route("GET", "/vector_stores", self.list, LIST),
            V1Route("GET", one, self.get, GET),
            V1Route("POST", one, self.update, UPDATE),
            V1Route("DELETE", one, self.delete, DELETE),
            V1Route("POST", f"{one}/reindex", self.reindex, REINDEX),
            V1Route("POST", f"{one}/reindex/rollback", self.roll_back, ROLL_BACK),
            V1Route("POST", f"{one}/reindex/forget", self.forget, FORGET),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(CreateStore, request)
        new, file_ids = _new_store(body), body.file_ids or ()
        store = await asyncio.to_thread(_created, self._parts.library(), new, file_ids)
        return model_response(store_object(store))

    async def list(self, request: Request) -> Response:
        page = await asyncio.to_thread(self._parts.library().stores, read_query(ListQuery, request).cursor)
        return model_response(list_of(page, store_object))

    async def get(self, request: Request) -> Response:
        store = await asyncio.to_thread(self._parts.library().store, request.path_params["store"])
        return model_response(store_object(store))

    async def update(self, request: Request) -> Response:
        changes = _new_store(await read_body(UpdateStore, request))
        store = await asyncio.to_thread(self._parts.library().update_store, request.path_params["store"], changes)
        return model_response(store_object(store))

    async def delete(self, request: Request) -> Response:
        store_id = await asyncio.to_thread(self._parts.library().delete_store, request.path_params["store"])
        return model_response(VectorStoreDeleted(id=store_id, object="vector_store.deleted", deleted=True))

    async def reindex(self, request: Request) -> Response:
        body = await read_body(Reindex, request)
        job = await asyncio.to_thread(self._parts.library().reindex, request.path_params["store"], body.embedder)
        return model_response(job_object(job))

    async def roll_back(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().roll_back, request.path_params["store"])
        return model_response(job_object(job))

    async def forget(self, request: Request) -> Response:
        store = request.path_params["store"]
        dropped = await asyncio.to_thread(self._parts.library().forget_previous, store)
        kind = "vector_store.index_forgotten"
        return model_response(ForgottenIndex(object=kind, vector_store=store, dropped=dict(dropped)))


def _created(library: Library, new: NewStore, file_ids: Sequence[str]) -> StoreRecord:
    for file_id in file_ids:
        library.file(file_id)  # before anything is created: an unknown ID must not leave an incomplete vector store
    store = library.create_store(new)
    if not file_ids:
        return store
    try:
        library.attach(store.store_id, [Attachment(file_id) for file_id in file_ids])
    except RagError:
        library.delete_store(store.store_id)
        raise
    return library.store(store.store_id)


def _new_store(body: UpdateStore) -> NewStore:
    """A null clears metadata, expiry and retrieval settings; a null name or description changes nothing."""
    given = body.model_fields_set
    metadata = {} if "metadata" in given and body.metadata is None else body.metadata
    return NewStore(
        name=body.name,
        description=body.description,
        metadata=metadata,
        chunking=chunking_wire.from_wire(body.chunking_strategy),
        expires_after_days=body.expires_after.days if body.expires_after else None,
        forget_expiry="expires_after" in given and body.expires_after is None,
        retrieval=(body.retrieval.overrides() if body.retrieval else {}) if "retrieval" in given else None,
    )
