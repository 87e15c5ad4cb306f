"""What the Embedder service takes and gives besides dense vectors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.http.wire import TokenId
from rag.http.wire_model import WireModel
from rag.types import RerankKind


class CountRequest(WireModel):
    """Texts whose tokens are to be counted."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: Annotated[list[str] | list[list[TokenId]], Field(min_length=1, max_length=4096)] = Field(
        description="Texts, or the ids of their tokens."
    )
    kind: Literal["query", "passage"] = Field("passage", description="Chooses the prefix that the model wants.")
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of another model, which is loaded on demand; unset: the configured one.",
    )


class CountResponse(BaseModel):
    model: str = Field(description="The model whose tokens they are.")
    tokens: list[int] = Field(description="Of each whole text, with prefix and the model's own marks, in their order.")
    max_tokens: int | None = Field(description="That the model reads of one text; null: all of it.")


class EncodeSparseRequest(WireModel):
    """Texts to be turned into learned sparse vectors."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: list[str] = Field(description="Texts to encode.", min_length=1, max_length=4096)
    kind: Literal["query", "passage"] = Field("passage", description="Which of its two sides the model uses.")
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of a SparseEncoder, which is loaded on demand; unset: the configured one.",
    )


class SparseVectorOut(BaseModel):
    indices: list[int] = Field(description="Numbers of terms in the model's vocabulary.")
    values: list[float] = Field(description="Their weights, more than 0, in the same order.")


class EncodeSparseResponse(BaseModel):
    model: str = Field(description="The model that made the vectors.")
    embeddings: list[SparseVectorOut]


class RerankRequest(WireModel):
    """Passages to be compared with a question."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"query": "What is Milvus?", "texts": ["Milvus is a vector database."]}}
    )

    query: str = Field(description="The question.", max_length=100_000)
    texts: list[str] = Field(description="The passages.", min_length=1, max_length=1024)
    kind: RerankKind = Field(
        "late_interaction", description="late_interaction: token vectors of an encoder; cross_encoder: such a model."
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of the encoder or cross-encoder, loaded on demand; unset: the configured one.",
    )


class RerankResponse(BaseModel):
    model: str = Field(description="The way of reranking and the model.")
    scores: list[float] = Field(description="In [0, 1], in the order of the passages.")
