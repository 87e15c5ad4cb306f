"""`/v1/vector_stores/{store}/files` and `/file_batches`."""

from __future__ import annotations

from openai.types.vector_stores import VectorStoreFileBatch, VectorStoreFileDeleted

from rag.http.openapi.objects import FileContent, ListOf, VectorStoreFile
from rag.http.openapi.operation import Gives, Operation, Takes
from rag.http.openapi.parameters import IDEMPOTENCY_KEY, LIST, STATUS
from rag.http.v1.documents.body import AttachFile, CreateBatch, SetAttributes

_TAG = "Documents of a vector store"
_FILES = "/v1/vector_stores/{store}/files"
_FILE = f"{_FILES}/{{file_id}}"
_BATCHES = "/v1/vector_stores/{store}/file_batches"
_BATCH = f"{_BATCHES}/{{batch}}"
_POLL = {"openai-poll-after-ms": "When to ask again; there while it is in progress."}

_STORE = {"store": "$response.body#/vector_store_id"}
_DOCUMENT = {**_STORE, "file_id": "$response.body#/id"}
_MADE = {**_STORE, "batch": "$response.body#/id"}

OPERATIONS = (
    Operation(
        name="attach_file",
        method="post",
        path=_FILES,
        tag=_TAG,
        summary="Take a file into the vector store",
        takes=Takes(AttachFile),
        parameters=[IDEMPOTENCY_KEY],
        gives=[Gives("The document; it is worked on.", VectorStoreFile, headers=_POLL)],
        fails=[400, 404, 409, 413],
        links=dict.fromkeys(("get_document", "get_document_content", "update_document", "remove_document"), _DOCUMENT),
    ),
    Operation(
        name="list_documents",
        method="get",
        path=_FILES,
        tag=_TAG,
        summary="List the vector store's documents",
        parameters=[*LIST, STATUS],
        gives=[Gives("Documents.", ListOf[VectorStoreFile])],
        fails=[400, 404],
    ),
    Operation(
        name="get_document",
        method="get",
        path=_FILE,
        tag=_TAG,
        summary="A document",
        gives=[Gives("The document.", VectorStoreFile, headers=_POLL)],
        fails=[400, 404],
    ),
    Operation(
        name="update_document",
        method="post",
        path=_FILE,
        tag=_TAG,
        summary="Change a document's attributes",
        takes=Takes(SetAttributes),
        gives=[Gives("The document.", VectorStoreFile, headers=_POLL)],
        fails=[400, 404, 409, 413],
    ),
    Operation(
        name="remove_document",
        method="delete",
        path=_FILE,
        tag=_TAG,
        summary="Take a document out of the vector store; the file stays",
        gives=[Gives("It is gone.", VectorStoreFileDeleted)],
        fails=[400, 404],
    ),
    Operation(
        name="get_document_content",
        method="get",
        path=f"{_FILE}/content",
        tag=_TAG,
        summary="The text that was read from a file",
        gives=[Gives("The text.", FileContent)],
        fails=[400, 404, 409],
    ),
    Operation(
        name="create_file_batch",
        method="post",
        path=_BATCHES,
        tag=_TAG,
        summary="Take many files into the vector store",
        takes=Takes(CreateBatch),
        parameters=[IDEMPOTENCY_KEY],
        gives=[Gives("The batch; it is worked on.", VectorStoreFileBatch, headers=_POLL)],
        fails=[400, 404, 409, 413],
        links=dict.fromkeys(("get_file_batch", "cancel_file_batch", "list_batch_files"), _MADE),
    ),
    Operation(
        name="get_file_batch",
        method="get",
        path=_BATCH,
        tag=_TAG,
        summary="How far a batch is",
        gives=[Gives("The batch.", VectorStoreFileBatch, headers=_POLL)],
        fails=[400, 404],
    ),
    Operation(
        name="cancel_file_batch",
        method="post",
        path=f"{_BATCH}/cancel",
        tag=_TAG,
        summary="Stop a batch; what is done stays",
        gives=[Gives("The batch.", VectorStoreFileBatch, headers=_POLL)],
        fails=[400, 404],
    ),
    Operation(
        name="list_batch_files",
        method="get",
        path=f"{_BATCH}/files",
        tag=_TAG,
        summary="List a batch's files",
        parameters=[*LIST, STATUS],
        gives=[Gives("Documents.", ListOf[VectorStoreFile])],
        fails=[400, 404],
    ),
)
