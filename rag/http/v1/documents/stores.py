"""`/v1/vector_stores`: collections of documents, and their embedding model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.http import chunking_wire
from rag.http.v1.documents.body import CreateStore, Reindex, UpdateStore, read_body
from rag.http.v1.documents.cursor import list_of, read_cursor
from rag.http.v1.documents.objects import deleted_object, job_object, store_object
from rag.http.v1.documents.parts import V1Parts
from rag.library.service import Library
from rag.records import Attachment, NewStore, StoreRecord


class StoreRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/vector_stores/{store:id}"
        return [
            Route("/vector_stores", self.create, methods=["POST"]),
            Route("/vector_stores", self.list, methods=["GET"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.update, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/reindex", self.reindex, methods=["POST"]),
            Route(f"{one}/reindex/rollback", self.roll_back, methods=["POST"]),
            Route(f"{one}/reindex/forget", self.forget, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(CreateStore, request)
        new, file_ids = _new_store(body), body.file_ids or ()
        store = await asyncio.to_thread(_created, self._parts.library(), new, file_ids)
        return JSONResponse(store_object(store))

    async def list(self, request: Request) -> Response:
        page = await asyncio.to_thread(self._parts.library().stores, read_cursor(request, others=("before",)))
        return JSONResponse(list_of(page, store_object))

    async def get(self, request: Request) -> Response:
        store = await asyncio.to_thread(self._parts.library().store, request.path_params["store"])
        return JSONResponse(store_object(store))

    async def update(self, request: Request) -> Response:
        changes = _new_store(await read_body(UpdateStore, request))
        store = await asyncio.to_thread(self._parts.library().update_store, request.path_params["store"], changes)
        return JSONResponse(store_object(store))

    async def delete(self, request: Request) -> Response:
        store_id = await asyncio.to_thread(self._parts.library().delete_store, request.path_params["store"])
        return JSONResponse(deleted_object(store_id, "vector_store.deleted"))

    async def reindex(self, request: Request) -> Response:
        body = await read_body(Reindex, request)
        job = await asyncio.to_thread(self._parts.library().reindex, request.path_params["store"], body.embedder)
        return JSONResponse(job_object(job))

    async def roll_back(self, request: Request) -> Response:
        job = await asyncio.to_thread(self._parts.library().roll_back, request.path_params["store"])
        return JSONResponse(job_object(job))

    async def forget(self, request: Request) -> Response:
        store = request.path_params["store"]
        dropped = await asyncio.to_thread(self._parts.library().forget_previous, store)
        return JSONResponse({"object": "vector_store.index_forgotten", "vector_store": store, "dropped": dict(dropped)})


def _created(library: Library, new: NewStore, file_ids: Sequence[str]) -> StoreRecord:
    for file_id in file_ids:
        library.file(file_id)  # before anything is made: an id that is wrong must not leave half a vector store
    store = library.create_store(new)
    if not file_ids:
        return store
    library.attach(store.store_id, [Attachment(file_id) for file_id in file_ids])
    return library.store(store.store_id)


def _new_store(body: UpdateStore) -> NewStore:
    """An explicit null takes metadata, expiry and retrieval settings away; of a name or description it says nothing."""
    given = body.model_fields_set
    metadata = {} if "metadata" in given and body.metadata is None else body.metadata
    return NewStore(
        name=body.name,
        description=body.description,
        metadata=metadata,
        chunking=chunking_wire.from_wire(body.chunking_strategy),
        expires_after_days=body.expires_after.days if body.expires_after else None,
        forget_expiry="expires_after" in given and body.expires_after is None,
        retrieval=(body.retrieval.changes() if body.retrieval else {}) if "retrieval" in given else None,
    )
