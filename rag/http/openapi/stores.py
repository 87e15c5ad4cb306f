"""`/v1/vector_stores`: the stores themselves, and searching them."""

from __future__ import annotations

from openai.types import VectorStoreDeleted

from rag.http.openapi.objects import Forgotten, Job, ListOf, SearchResults, VectorStore
from rag.http.openapi.operation import Gives, Operation, Takes
from rag.http.openapi.parameters import LIST
from rag.http.v1.documents.body import CreateStore, Reindex, SearchStore, UpdateStore

_TAG = "Vector stores"
_ONE = "/v1/vector_stores/{store}"
_LINKED = (
    *("get_vector_store", "update_vector_store", "delete_vector_store", "search_vector_store"),
    *("attach_file", "list_documents", "create_file_batch"),
)

OPERATIONS = (
    Operation(
        name="create_vector_store",
        method="post",
        path="/v1/vector_stores",
        tag=_TAG,
        summary="Make a vector store, and take files into it",
        takes=Takes(CreateStore),
        gives=[Gives("The vector store.", VectorStore)],
        fails=[400, 404, 413],
        links={name: {"store": "$response.body#/id"} for name in _LINKED},
    ),
    Operation(
        name="list_vector_stores",
        method="get",
        path="/v1/vector_stores",
        tag=_TAG,
        summary="List vector stores",
        parameters=LIST,
        gives=[Gives("Vector stores.", ListOf[VectorStore])],
        fails=[400],
    ),
    Operation(
        name="get_vector_store",
        method="get",
        path=_ONE,
        tag=_TAG,
        summary="A vector store",
        gives=[Gives("The vector store.", VectorStore)],
        fails=[400, 404],
    ),
    Operation(
        name="update_vector_store",
        method="post",
        path=_ONE,
        tag=_TAG,
        summary="Change a vector store",
        description="What is left out stays. Null clears `metadata`, `expires_after` and `retrieval`.",
        takes=Takes(UpdateStore),
        gives=[Gives("The vector store.", VectorStore)],
        fails=[400, 404, 413],
    ),
    Operation(
        name="delete_vector_store",
        method="delete",
        path=_ONE,
        tag=_TAG,
        summary="Delete a vector store with its documents; the files stay",
        gives=[Gives("It is gone.", VectorStoreDeleted)],
        fails=[400, 404, 409],
    ),
    Operation(
        name="search_vector_store",
        method="post",
        path=f"{_ONE}/search",
        tag=_TAG,
        summary="Find passages for one query or several",
        takes=Takes(SearchStore),
        gives=[Gives("Passages, best first.", SearchResults)],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="reindex_vector_store",
        method="post",
        path=f"{_ONE}/reindex",
        tag=_TAG,
        summary="Move it to another embedding model",
        takes=Takes(Reindex),
        gives=[Gives("The job.", Job)],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="roll_back_vector_store",
        method="post",
        path=f"{_ONE}/reindex/rollback",
        tag=_TAG,
        summary="Go back to the embedding model from before",
        gives=[Gives("The job.", Job)],
        fails=[400, 404, 409],
    ),
    Operation(
        name="forget_previous_index",
        method="post",
        path=f"{_ONE}/reindex/forget",
        tag=_TAG,
        summary="Drop the index from before",
        gives=[Gives("What was dropped.", Forgotten)],
        fails=[400, 404, 409],
    ),
)
