"""Retrieval options in requests and in vector stores."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from rag.http.fields.fail_fast import StrictModel
from rag.retrieve.options import Fusion
from rag.types import JsonObject, SearchMode

PathName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,31}$")]
Weight = Annotated[float, Field(ge=0, le=1000)]


class RetrievalSettings(StrictModel):
    """Options that override those of the vector store or of the service. None: not overridden."""

    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of hits.")
    mode: SearchMode | None = Field(None, description="Which search paths to use; hybrid: all.")
    candidates: int | None = Field(None, ge=1, le=1000, description="Chunks fetched from each path before fusion.")
    fusion: Fusion | None = Field(None, description="weights: of normalised scores; rrf: reciprocal ranks.")
    weights: dict[PathName, Weight] | None = Field(
        None,
        max_length=16,
        description="Relative weight of each path. Paths not listed have weight 1; 0: not searched.",
    )
    rrf_k: int | None = Field(None, ge=1, le=1000, description="Constant of reciprocal rank fusion.")
    duplicates: float | None = Field(
        None, ge=0, le=1, description="Similarity at or above which passages count as duplicates."
    )
    min_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="If no hit has this cosine or is an exact match, `/ask` says that nothing was found.",
    )
    rerank: bool | None = Field(None, description="Rerank the best hits.")
    rerank_top_n: int | None = Field(None, ge=1, le=200, description="Number of best hits to rerank.")
    rerank_weight: float | None = Field(None, ge=0, le=1, description="Weight of the reranker's score.")
    rewrite: bool | None = Field(None, description="Rewrite a follow-up question to stand alone before searching.")
    queries: int | None = Field(
        None, ge=0, le=5, description="Number of further queries that the language model writes."
    )
    hypothetical: bool | None = Field(
        None, description="Also search with a hypothetical answer that the language model writes (HyDE)."
    )

    def overrides(self) -> JsonObject:
        """The options that are set, by the names of `rag.retrieve.options`."""
        return self.model_dump(exclude_none=True)
