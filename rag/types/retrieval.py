"""Parameters and results of searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rag.types.passages import Chunk

SearchMode: TypeAlias = Literal["hybrid", "dense", "keyword", "sparse"]
"""`hybrid`: all search paths that are available."""
RerankKind: TypeAlias = Literal["late_interaction", "cross_encoder"]
"""`late_interaction` compares token vectors of the embedding model; a `cross_encoder` reads both texts together."""
FilterObject: TypeAlias = Mapping[str, Any]
"""A filter over documents' attributes, as OpenAI's API defines it."""


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk found by one search path."""

    chunk: Chunk
    score: float
    """Higher is better. Dense: cosine in [-1, 1]; keyword: BM25, at least 0; sparse: inner product, at least 0."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by a search, after the results of all search paths were fused."""

    chunk: Chunk
    score: float
    """In [0, 1]; higher is better. Comparable only within one query."""
    cosine: float | None = None
    """Score of the dense path, if that path found it. Comparable between queries."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Rank, from 1, on each path that found it."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score on each path that found it."""
    fused: float | None = None
    """The score after fusion, if reranking changed it."""
    rerank: float | None = None
    """The reranker's own score, in [0, 1]."""
    duplicates: tuple[str, ...] = ()
    """Ids of chunks with the same content that were dropped in favour of this one."""
    is_exact: bool = False
    """Whether it contains exactly what the question names, such as a part number."""
