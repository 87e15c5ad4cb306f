"""`/v1/vector_stores/{id}/files` and `/file_batches`: files that are added to a vector store, and their progress."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from openai.types.vector_stores import VectorStoreFileDeleted
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.errors import NotFound
from rag.http.fields import chunking_wire
from rag.http.headers.idempotency import idempotency_key
from rag.http.openapi.parameters import IDEMPOTENCY_KEY
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import AttachFile, CreateBatch, SetAttributes, read_body
from rag.http.v1.documents.cursor import (
    ContentQuery,
    DocumentQuery,
    PassageQuery,
    StoreDocumentQuery,
    VersionQuery,
    read_query,
)
from rag.http.v1.documents.objects.document import (
    POLL_AFTER,
    FileContent,
    FilePassage,
    VectorStoreFile,
    content_object,
    document_object,
    passage_object,
)
from rag.http.v1.documents.objects.job import FileBatch, batch_object, batch_status
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route
from rag.records import Attachment, Cursor, DocumentRecord, JobRecord

if TYPE_CHECKING:
    from rag.library.service import Library

_TAG = "Documents of a vector store"
_POLL = {"openai-poll-after-ms": "When to ask again, in milliseconds. Present while the work is in progress."}
_STORE = {"store": "$response.body#/vector_store_id"}
_DOCUMENT = {**_STORE, "file_id": "$response.body#/id"}
_BATCH = {**_STORE, "batch": "$response.body#/id"}
ATTACH = Operation(
    id="attach_file",
    scopes=("ingest",),
    tag=_TAG,
    summary="Add a file to a vector store",
    body=AttachFile,
    headers=[IDEMPOTENCY_KEY],
    response=VectorStoreFile,
    response_description="The document, which is being processed.",
    response_headers=_POLL,
    errors=[400, 404, 409, 413],
    links=dict.fromkeys(("get_document", "get_document_content", "update_document", "remove_document"), _DOCUMENT),
)
LIST = Operation(
    id="list_documents",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List the documents of a vector store",
    query=StoreDocumentQuery,
    response=ListOf[VectorStoreFile],
    response_description="A page of documents.",
    errors=[400, 404],
)
GET = Operation(
    id="get_document",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get a document",
    response=VectorStoreFile,
    response_description="The document.",
    response_headers=_POLL,
    errors=[400, 404],
)
UPDATE = Operation(
    id="update_document",
    scopes=("ingest",),
    tag=_TAG,
    summary="Change a document's attributes, or who may read it",
    body=SetAttributes,
    response=VectorStoreFile,
    response_description="The document.",
    response_headers=_POLL,
    errors=[400, 404, 409, 413],
)
REMOVE = Operation(
    id="remove_document",
    scopes=("delete",),
    tag=_TAG,
    summary="Remove a document from the vector store; the file remains",
    response=VectorStoreFileDeleted,
    response_description="The document was removed.",
    errors=[400, 404],
)
GET_CONTENT = Operation(
    id="get_document_content",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get the text that was read from a document's file, or a part of it",
    query=ContentQuery,
    response=FileContent,
    response_description="The text.",
    errors=[400, 404, 409],
)
LIST_PASSAGES = Operation(
    id="list_document_passages",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List the passages that a document was cut into",
    query=PassageQuery,
    response=ListOf[FilePassage],
    response_description="A page of passages, in the order of the text.",
    errors=[400, 404, 409],
)
LIST_VERSIONS = Operation(
    id="list_document_versions",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List the versions of a document",
    query=VersionQuery,
    response=ListOf[VectorStoreFile],
    response_description="A page of versions, newest first. `created_at` is when a version was accepted, and "
    "`searchable` whether searches find this version.",
    errors=[400, 404],
)
CREATE_BATCH = Operation(
    id="create_file_batch",
    scopes=("ingest",),
    tag=_TAG,
    summary="Add many files to a vector store",
    body=CreateBatch,
    headers=[IDEMPOTENCY_KEY],
    response=FileBatch,
    response_description="The batch, which is being processed.",
    response_headers=_POLL,
    errors=[400, 404, 409, 413],
    links=dict.fromkeys(("get_file_batch", "cancel_file_batch", "list_batch_files"), _BATCH),
)
GET_BATCH = Operation(
    id="get_file_batch",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="Get a batch and its progress",
    response=FileBatch,
    response_description="The batch.",
    response_headers=_POLL,
    errors=[400, 404],
)
CANCEL_BATCH = Operation(
    id="cancel_file_batch",
    scopes=("ingest",),
    tag=_TAG,
    summary="Cancel a batch; files that are complete remain",
    response=FileBatch,
    response_description="The batch.",
    response_headers=_POLL,
    errors=[400, 404],
)
LIST_BATCH_FILES = Operation(
    id="list_batch_files",
    scopes=("ask", "ingest"),
    tag=_TAG,
    summary="List a batch's files",
    query=DocumentQuery,
    response=ListOf[VectorStoreFile],
    response_description="A page of documents.",
    errors=[400, 404],
)


class DocumentRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        files, batches = "/vector_stores/{store:id}/files", "/vector_stores/{store:id}/file_batches"
        document, batch = f"{files}/{{file_id:id}}", f"{batches}/{{batch:id}}"
        return [
            V1Route("POST", files, self.attach, ATTACH),
            V1Route("GET", files, self.list, LIST),
            V1Route("GET", document, self.get, GET),
            V1Route("POST", document, self.update, UPDATE),
            V1Route("DELETE", document, self.delete, REMOVE),
            V1Route("GET", f"{document}/content", self.content, GET_CONTENT),
            V1Route("GET", f"{document}/passages", self.passages, LIST_PASSAGES),
            V1Route("GET", f"{document}/versions", self.versions, LIST_VERSIONS),
            V1Route("POST", batches, self.create_batch, CREATE_BATCH),
            V1Route("GET", batch, self.get_batch, GET_BATCH),
            V1Route("POST", f"{batch}/cancel", self.cancel_batch, CANCEL_BATCH),
            V1Route("GET", f"{batch}/files", self.batch_files, LIST_BATCH_FILES),
        ]

    async def attach(self, request: Request) -> Response:
        file, key = _attachment(await read_body(AttachFile, request)), idempotency_key(request)
        document = await asyncio.to_thread(_attached, self._parts.library(), request.path_params["store"], file, key)
        return _document_response(document)

    async def list(self, request: Request) -> Response:
        query, store = read_query(StoreDocumentQuery, request), request.path_params["store"]
        call = partial(self._parts.library().documents, name=query.name or "", sort=query.sort)
        page = await asyncio.to_thread(call, store, query.cursor, query.filter)
        return model_response(list_of(page, document_object))

    async def get(self, request: Request) -> Response:
        return _document_response(await self._document(request))

    async def update(self, request: Request) -> Response:
        body = await read_body(SetAttributes, request)
        attributes, removed = body.checked()
        call = partial(self._parts.library().set_attributes, merge=body.keeps_others, removed=removed)
        document = await asyncio.to_thread(call, *_path_ids(request), attributes, read_groups=body.read_groups)
        return _document_response(document)

    async def delete(self, request: Request) -> Response:
        await asyncio.to_thread(self._parts.library().delete_document, *_path_ids(request))
        file_id = request.path_params["file_id"]
        return model_response(VectorStoreFileDeleted(id=file_id, object="vector_store.file.deleted", deleted=True))

    async def content(self, request: Request) -> Response:
        query, document = read_query(ContentQuery, request), await self._document(request)
        extract = await asyncio.to_thread(self._parts.library().extract, *_path_ids(request))
        # In a thread: serialising the text of a book takes a second.
        return await asyncio.to_thread(
            lambda: model_response(content_object(document, extract, query.start, query.end))
        )

    async def passages(self, request: Request) -> Response:
        query = read_query(PassageQuery, request)
        call = partial(self._parts.library().passages, limit=query.limit, after=query.after)
        return model_response(list_of(await asyncio.to_thread(call, *_path_ids(request)), passage_object))

    async def versions(self, request: Request) -> Response:
        query = read_query(VersionQuery, request)
        call = partial(self._parts.library().versions, limit=query.limit, before=query.before_version)
        return model_response(list_of(await asyncio.to_thread(call, *_path_ids(request)), document_object))

    async def create_batch(self, request: Request) -> Response:
        files = [_attachment(file) for file in (await read_body(CreateBatch, request)).attached_files()]
        store, key = request.path_params["store"], idempotency_key(request)
        job = await asyncio.to_thread(self._parts.library().attach, store, files, idempotency_key=key)
        return _batch_response(job)

    async def get_batch(self, request: Request) -> Response:
        return _batch_response(await self._batch(request))

    async def cancel_batch(self, request: Request) -> Response:
        batch = await self._batch(request)
        return _batch_response(await asyncio.to_thread(self._parts.library().cancel_job, batch.job_id))

    async def batch_files(self, request: Request) -> Response:
        query = read_query(DocumentQuery, request)
        batch = await self._batch(request)
        page = await asyncio.to_thread(self._parts.library().job_files, batch.job_id, query.cursor, query.filter)
        return model_response(list_of(page, document_object))

    async def _document(self, request: Request) -> DocumentRecord:
        return await asyncio.to_thread(self._parts.library().document, *_path_ids(request))

    async def _batch(self, request: Request) -> JobRecord:
        library, batch = self._parts.library(), request.path_params["batch"]
        return await asyncio.to_thread(_batch_of, library, request.path_params["store"], batch)


def _path_ids(request: Request) -> tuple[str, str]:
    return request.path_params["store"], request.path_params["file_id"]


def _attachment(file: AttachFile) -> Attachment:
    strategy = chunking_wire.from_wire(file.chunking_strategy)
    return Attachment(file.file_id, file.attributes or {}, strategy, file.read_groups)


def _attached(library: Library, store: str, file: Attachment, key: str | None) -> DocumentRecord:
    job = library.attach(store, [file], idempotency_key=key)
    rows = library.job_files(job.job_id, Cursor(limit=1)).rows
    return rows[0] if rows else library.document(store, file.file_id)


def _batch_of(library: Library, store: str, batch: str) -> JobRecord:
    """Raises NotFound for a job of another vector store, and for a job of another kind."""
    store_id, job = library.store(store).store_id, library.job(batch)
    if job.store_id != store_id or job.kind != "ingest":
        raise NotFound(f"there is no batch {batch[:80]} in vector store {store[:80]}", param="batch_id")
    return job


def _document_response(document: DocumentRecord) -> Response:
    return model_response(document_object(document), POLL_AFTER if document.status == "in_progress" else None)


def _batch_response(job: JobRecord) -> Response:
    return model_response(batch_object(job), POLL_AFTER if batch_status(job) == "in_progress" else None)
