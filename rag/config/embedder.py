"""Options of the encoder: `RAG_EMBEDDER__...`."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import Field

from rag.config.section import Section, listed

EMBEDDED_ENCODER = "all-MiniLM-L6-v2"
"""Name of the encoder that is installed with the bundle."""


class EmbedderSettings(Section):
    """The encoder, which turns questions and passages into vectors."""

    model: str | None = Field(
        None, description="Hub id or local folder of the model; unset: the embedded all-MiniLM-L6-v2."
    )
    query_prefix: str | None = Field(
        None, description="Prefix of every question; unset: the one that the model is known to need."
    )
    passage_prefix: str | None = Field(
        None, description="Prefix of every passage; unset: the one that the model is known to need."
    )
    batch_size: int = Field(32, ge=1, le=1024, description="Maximum texts in one batch.")
    threads: int | None = Field(None, ge=1, description="CPU threads for encoding passages; unset: all cores.")
    device: str | None = Field(None, description="torch device, such as cpu or cuda:0; unset: chosen by torch.")
    dtype: Literal["auto", "float32"] = Field(
        "auto",
        description="Precision in which the encoder computes on a CPU. auto: bfloat16, which is faster, if the CPU "
        "has instructions for it and the vectors stay the same (cosine with float32 at least 0.9999).",
    )
    sparse_model: str | None = Field(
        None,
        description="Hub id or folder of a sentence-transformers SparseEncoder (SPLADE, ...): adds a third search path "
        "to vector stores that are created or reindexed from then on.",
    )
    allowed_models: str = Field(
        "BAAI/bge-small-en-v1.5, BAAI/bge-base-en-v1.5, BAAI/bge-large-en-v1.5, BAAI/bge-m3, "
        "intfloat/multilingual-e5-small",
        description="Hub ids and folders of models that requests may name besides the configured ones (encoders, "
        "sparse encoders, cross-encoders), separated by commas; `*`: all.",
    )
    long_inputs: Literal["window", "truncate", "refuse"] = Field(
        "window",
        description="Texts in `/v1/embeddings` that are longer than the encoder's input. window: the mean of the "
        "vectors of their parts, weighted by tokens and normalised; truncate: the vector of the beginning; refuse: "
        "400.",
    )
    token_ids: bool = Field(
        False,
        description="Whether `/v1/embeddings` accepts token ids. They must be ids of the encoder's own tokenizer: "
        "LangChain's `OpenAIEmbeddings` sends those of OpenAI's by default.",
    )
    url: str | None = Field(None, description="URL of an Embedder service of this bundle that runs elsewhere.")

    @cached_property
    def allowed_names(self) -> frozenset[str]:
        return frozenset(listed(self.allowed_models))
