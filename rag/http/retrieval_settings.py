"""Retrieval options in requests and in vector stores."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rag.retrieve.options import Fusion
from rag.types import JsonObject, SearchMode

PathName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,31}$")]
Weight = Annotated[float, Field(ge=0, le=1000)]


class RetrievalSettings(BaseModel):
    """Options that override those of the vector store or of the service. None: not overridden."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of hits.")
    mode: SearchMode | None = Field(None, description="Which search paths to use; hybrid: all.")
    candidates: int | None = Field(None, ge=1, le=1000, description="Chunks fetched from each path before fusion.")
    fusion: Fusion | None = Field(None, description="weights: of normalised scores; rrf: reciprocal ranks.")
    weights: dict[PathName, Weight] | None = Field(
        None, max_length=16, description="Weight of each path, relative to the others; unnamed: 1; 0: not taken."
    )
    rrf_k: int | None = Field(None, ge=1, le=1000, description="Constant of reciprocal rank fusion.")
    duplicates: float | None = Field(None, ge=0, le=1, description="Likeness from which passages become one hit.")
    min_cosine: float | None = Field(
        None, ge=-1, le=1, description="Without an exact match or a hit of this cosine, nothing was found."
    )
    rerank: bool | None = Field(None, description="Look at the best hits again with the reranker.")
    rerank_top_n: int | None = Field(None, ge=1, le=200, description="Number of best hits to rerank.")
    rerank_weight: float | None = Field(None, ge=0, le=1, description="Weight of the reranker's score.")
    rewrite: bool | None = Field(None, description="Rewrite a follow-up question to stand alone before searching.")
    queries: int | None = Field(None, ge=0, le=5, description="More queries that the language model makes of it.")
    hypothetical: bool | None = Field(None, description="Search with an answer that the model invents as well.")

    def changes(self) -> JsonObject:
        """The options that are set, by the names of `rag.retrieve.options`."""
        return self.model_dump(exclude_none=True)
