"""Requests and responses of the Embedder service, except those for dense vectors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.http.bodies.wire import TokenId
from rag.http.validation.wire_model import WireModel
from rag.types import RerankKind


class CountRequest(WireModel):
    """Texts whose tokens are to be counted."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: Annotated[list[str] | list[list[TokenId]], Field(min_length=1, max_length=4096)] = Field(
        description="Texts, or lists of their token ids."
    )
    kind: Literal["query", "passage"] = Field(
        "passage", description="Selects the model's prefix for queries or passages."
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of another model, which is loaded on demand; unset: the configured one.",
    )


class CountResponse(BaseModel):
    model: str = Field(description="The model whose tokenizer counted the tokens.")
    tokens: list[int] = Field(description="Number of tokens of each text, including the prefix and special tokens.")
    max_tokens: int | None = Field(
        description="Maximum number of tokens that the model reads of a text; null: no limit."
    )


class EncodeSparseRequest(WireModel):
    """Texts to be turned into learned sparse vectors."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: list[str] = Field(description="Texts to encode.", min_length=1, max_length=4096)
    kind: Literal["query", "passage"] = Field(
        "passage", description="Whether the texts are queries or passages. Some models distinguish them."
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of a SparseEncoder, which is loaded on demand; unset: the configured one.",
    )


class SparseVectorOut(BaseModel):
    indices: list[int] = Field(description="Indices of terms in the model's vocabulary.")
    values: list[float] = Field(description="Weights of these terms, greater than 0, in the same order.")


class EncodeSparseResponse(BaseModel):
    model: str = Field(description="The model that produced the vectors.")
    embeddings: list[SparseVectorOut]


class RerankRequest(WireModel):
    """Passages to be compared with a question."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"query": "What is Milvus?", "texts": ["Milvus is a vector database."]}}
    )

    query: str = Field(description="The question.", max_length=100_000)
    texts: list[str] = Field(description="The passages.", min_length=1, max_length=1024)
    kind: RerankKind = Field(
        "late_interaction",
        description="late_interaction: compare token vectors of an encoder; cross_encoder: use a cross-encoder.",
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of the encoder or cross-encoder, loaded on demand; unset: the configured one.",
    )


class RerankResponse(BaseModel):
    model: str = Field(description="The kind of reranking and the model.")
    scores: list[float] = Field(description="Scores in [0, 1], in the order of the passages.")
