"""`/v1/vector_stores/{id}/files` and `/file_batches`: files taken into a vector store, and how far that is."""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import NotFound
from rag.http import chunking_wire
from rag.http.attributes_wire import checked_attributes
from rag.http.idempotency import idempotency_key
from rag.http.v1.documents.body import AttachFile, CreateBatch, SetAttributes, read_body
from rag.http.v1.documents.cursor import list_of, read_cursor, read_status
from rag.http.v1.documents.objects import POLL_AFTER, batch_object, batch_status, deleted_object, document_object
from rag.http.v1.documents.parts import V1Parts
from rag.library.service import Library
from rag.records import Attachment, Cursor, DocumentRecord, JobRecord

_LIST = ("before", "filter")


class DocumentRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        files, batch = "/vector_stores/{store:id}/files", "/vector_stores/{store:id}/file_batches/{batch:id}"
        return [
            Route(files, self.attach, methods=["POST"]),
            Route(files, self.list, methods=["GET"]),
            Route(f"{files}/{{file_id:id}}", self.get, methods=["GET"]),
            Route(f"{files}/{{file_id:id}}", self.update, methods=["POST"]),
            Route(f"{files}/{{file_id:id}}", self.delete, methods=["DELETE"]),
            Route(f"{files}/{{file_id:id}}/content", self.content, methods=["GET"]),
            Route("/vector_stores/{store:id}/file_batches", self.create_batch, methods=["POST"]),
            Route(batch, self.get_batch, methods=["GET"]),
            Route(f"{batch}/cancel", self.cancel_batch, methods=["POST"]),
            Route(f"{batch}/files", self.batch_files, methods=["GET"]),
        ]

    async def attach(self, request: Request) -> Response:
        file, key = _attachment(await read_body(AttachFile, request)), idempotency_key(request)
        document = await asyncio.to_thread(_attached, self._parts.library(), request.path_params["store"], file, key)
        return _document_response(document)

    async def list(self, request: Request) -> Response:
        cursor, status = read_cursor(request, others=_LIST), read_status(request)
        page = await asyncio.to_thread(self._parts.library().documents, request.path_params["store"], cursor, status)
        return JSONResponse(list_of(page, document_object))

    async def get(self, request: Request) -> Response:
        return _document_response(await self._document(request))

    async def update(self, request: Request) -> Response:
        body = await read_body(SetAttributes, request)
        attributes, removed = body.checked()
        call = partial(self._parts.library().set_attributes, merge=body.merge, removed=removed)
        document = await asyncio.to_thread(call, *_named(request), attributes)
        return _document_response(document)

    async def delete(self, request: Request) -> Response:
        await asyncio.to_thread(self._parts.library().delete_document, *_named(request))
        return JSONResponse(deleted_object(request.path_params["file_id"], "vector_store.file.deleted"))

    async def content(self, request: Request) -> Response:
        document = await self._document(request)
        text = await asyncio.to_thread(self._parts.library().document_text, *_named(request))
        body = {
            "object": "vector_store.file_content.page",
            "data": [{"type": "text", "text": text}],
            "has_more": False,
            "next_page": None,
            "file_id": document.file_id,
            "filename": document.filename,
            "attributes": dict(document.attributes),
        }
        return await asyncio.to_thread(JSONResponse, body)  # a book is a second's work

    async def create_batch(self, request: Request) -> Response:
        files = [_attachment(file) for file in (await read_body(CreateBatch, request)).wanted()]
        store, key = request.path_params["store"], idempotency_key(request)
        job = await asyncio.to_thread(self._parts.library().attach, store, files, idempotency_key=key)
        return _batch_response(job)

    async def get_batch(self, request: Request) -> Response:
        return _batch_response(await self._batch(request))

    async def cancel_batch(self, request: Request) -> Response:
        batch = await self._batch(request)
        return _batch_response(await asyncio.to_thread(self._parts.library().cancel_job, batch.job_id))

    async def batch_files(self, request: Request) -> Response:
        cursor, status = read_cursor(request, others=_LIST), read_status(request)
        batch = await self._batch(request)
        page = await asyncio.to_thread(self._parts.library().job_files, batch.job_id, cursor, status)
        return JSONResponse(list_of(page, document_object))

    async def _document(self, request: Request) -> DocumentRecord:
        return await asyncio.to_thread(self._parts.library().document, *_named(request))

    async def _batch(self, request: Request) -> JobRecord:
        library, batch = self._parts.library(), request.path_params["batch"]
        return await asyncio.to_thread(_batch_of, library, request.path_params["store"], batch)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["store"], request.path_params["file_id"]


def _attachment(file: AttachFile) -> Attachment:
    strategy = chunking_wire.from_wire(file.chunking_strategy)
    return Attachment(file.file_id, checked_attributes(file.attributes), strategy)


def _attached(library: Library, store: str, file: Attachment, key: str | None) -> DocumentRecord:
    job = library.attach(store, [file], idempotency_key=key)
    rows = library.job_files(job.job_id, Cursor(limit=1)).rows
    return rows[0] if rows else library.document(store, file.file_id)


def _batch_of(library: Library, store: str, batch: str) -> JobRecord:
    """Raises NotFound for a job that is another vector store's, or not one that takes files in."""
    store_id, job = library.store(store).store_id, library.job(batch)
    if job.store_id != store_id or job.kind != "ingest":
        raise NotFound(f"there is no batch {batch[:80]} in vector store {store[:80]}", param="batch_id")
    return job


def _document_response(document: DocumentRecord) -> Response:
    return JSONResponse(document_object(document), headers=POLL_AFTER if document.status == "in_progress" else None)


def _batch_response(job: JobRecord) -> Response:
    return JSONResponse(batch_object(job), headers=POLL_AFTER if batch_status(job) == "in_progress" else None)
