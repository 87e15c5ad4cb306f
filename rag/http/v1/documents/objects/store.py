"""OpenAI's `vector_store` object."""

from __future__ import annotations

from typing import Literal

from openai.types import VectorStore as OpenAIVectorStore
from openai.types.vector_store import ExpiresAfter
from pydantic import BaseModel, Field

from rag.http.fields import chunking_wire
from rag.http.fields.chunking_wire import StoredChunkingStrategy
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.v1.documents.objects.file_counts import FileCountsOut, counts_object
from rag.http.v1.documents.objects.seconds import seconds
from rag.records import StoreRecord


class VectorStoreObject(OpenAIVectorStore):
    file_counts: FileCountsOut  # type: ignore[assignment]
    description: str
    chunking_strategy: StoredChunkingStrategy | None = Field(
        description="Used for documents that are added without a chunking strategy; null: the service's default."
    )
    embedder: str = Field(description="The embedding model of its vectors.")
    sparse_embedder: str | None = Field(description="The model of its learned sparse vectors, if it has any.")
    retrieval: RetrievalSettings | None = Field(description="Search settings that differ from the service's settings.")


class ForgottenIndex(BaseModel):
    """The response to dropping the index of the previous embedding model."""

    object: Literal["vector_store.index_forgotten"]
    vector_store: str
    dropped: dict[str, str] = Field(description="The model of the dropped index.")


def store_object(store: StoreRecord) -> VectorStoreObject:
    days = store.expires_after_days
    expiry = {} if days is None else {"expires_after": ExpiresAfter(anchor="last_active_at", days=days)}
    return VectorStoreObject(
        id=store.store_id,
        object="vector_store",
        created_at=int(store.created_at),
        name=store.name,
        description=store.description,
        usage_bytes=store.usage_bytes,
        file_counts=counts_object(store.file_counts),
        status=store.status,
        expires_at=seconds(store.expires_at),
        last_active_at=int(store.last_active_at),
        metadata=dict(store.metadata),
        chunking_strategy=chunking_wire.to_wire(store.chunking),
        embedder=store.embedder,
        sparse_embedder=store.sparse_embedder or None,
        # Not validated again: the bounds may have been others when it was stored.
        retrieval=None if store.retrieval is None else RetrievalSettings.model_construct(**store.retrieval),
        **expiry,
    )
