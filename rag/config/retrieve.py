"""Options of retrieval: planning, `RAG_PLAN__...`, search, `RAG_RETRIEVE__...`, and reranking, `RAG_RERANK__...`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from rag.config.section import Section
from rag.errors import SetupError


class PlanSettings(Section):
    """Query planning: the language model changes a question before the search."""

    rewrite: bool = Field(
        False, description="Rewrite a follow-up question as a standalone one, using the conversation's history."
    )
    queries: int = Field(
        0,
        ge=0,
        le=5,
        description="Number of additional queries that are generated from each question and searched as well.",
    )
    hypothetical: bool = Field(False, description="Search with a hypothetical answer as well (HyDE).")
    timeout_s: float = Field(
        3.0, gt=0, description="Time limit of planning in seconds; afterwards the question is searched as asked."
    )


class RetrieveSettings(Section):
    """How passages are searched and ranked."""

    top_k: int = Field(4, ge=1, le=100, description="Passages given to the language model, unless the request sets it.")
    mode: Literal["hybrid", "dense", "keyword", "sparse"] = Field(
        "hybrid", description="Search paths to use; hybrid: all that the vector store has."
    )
    candidates: int = Field(20, ge=1, le=1000, description="Chunks fetched from each search path before fusion.")
    fusion: Literal["weights", "rrf"] = Field(
        "weights",
        description="Fusion of the search paths: weighted sum of normalised scores, or reciprocal rank fusion.",
    )
    weights: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        default_factory=lambda: {"dense": 1.0, "keyword": 1.25},
        description="JSON: relative weight of each search path; default 1; 0 excludes the path.",
    )
    rrf_k: int = Field(60, ge=1, le=1000, description="The constant k of reciprocal rank fusion.")
    duplicates: float = Field(
        0.9,
        ge=0,
        le=1,
        description="Similarity from which passages are merged into one hit; 1: only if they have the same words.",
    )
    paths: dict[str, str] = Field(
        default_factory=dict,
        description='JSON: custom search paths, such as {"names": "my_package.trie:NamePath"}.',
    )
    min_cosine: float = Field(
        0.3,
        ge=-1,
        le=1,
        description="If no passage has this cosine or is an exact match, nothing relevant was found.",
    )
    url: str | None = Field(None, description="URL of a Retriever service of this bundle that runs elsewhere.")


class RerankSettings(Section):
    """Reranking: a slower and better model orders the best hits again."""

    on: bool = Field(False, description="Whether to rerank, unless the request or the vector store sets it.")
    kind: Literal["late_interaction", "cross_encoder", "remote"] = Field(
        "late_interaction",
        description="late_interaction: token vectors of the encoder; cross_encoder: a model; remote: an endpoint.",
    )
    model: str | None = Field(None, description="Hub id or folder of a CrossEncoder, or the name of the remote model.")
    url: str | None = Field(
        None, description="URL of the rerank endpoint for kind remote, such as https://host/v1/rerank."
    )
    api_key: SecretStr | None = Field(None, description="API key of that endpoint.")
    timeout_s: float = Field(10.0, gt=0, description="Time limit of reranking in seconds.")
    top_n: int = Field(30, ge=1, le=200, description="Number of hits to rerank.")
    weight: float = Field(0.5, ge=0, le=1, description="Weight of the reranker's score against the score of fusion.")
    cache_mib: int = Field(128, ge=0, description="Size in MiB of late interaction's cache of token vectors.")
    token_vectors_mib: int = Field(
        2048,
        ge=0,
        description="Size in MiB of the file with the token vectors of ingested passages; 0: no file.",
    )

    @property
    def cross_encoder(self) -> str | None:
        """The model to load; None if `kind` is not `cross_encoder`.

        Raises:
            SetupError: `kind` is `cross_encoder`, and no model is set.
        """
        if self.kind != "cross_encoder":
            return None
        if self.model is None:
            message = "RAG_RERANK__MODEL: is not set, but RAG_RERANK__KIND=cross_encoder requires a model"
            raise SetupError(message, param="RAG_RERANK__MODEL")
        return self.model
