"""Retrieval options: the defaults of the service, overridden by the vector store, overridden by the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from rag.types import SearchMode

Fusion: TypeAlias = Literal["weights", "rrf"]
OptionOverrides: TypeAlias = Mapping[str, Any]
"""Values for some fields of `RetrieveOptions`, by name; validated by `rag.http.fields.retrieval_settings`."""


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """How to search, fuse and rerank. `rag.config` has the ranges, under the same names."""

    top_k: int = 4
    """Maximum number of hits."""
    mode: SearchMode = "hybrid"
    candidates: int = 20
    """Chunks fetched from each path before fusion."""
    fusion: Fusion = "weights"
    weights: Mapping[str, float] = field(default_factory=dict)
    """Relative weight by path: 1 if not given; a path with 0 is not searched."""
    rrf_k: int = 60
    duplicates: float = 0.9
    """Similarity, from 0 to 1, from which passages count as duplicates."""
    min_cosine: float = 0.3
    rerank: bool = False
    rerank_top_n: int = 30
    rerank_weight: float = 0.5
    rewrite: bool = False
    queries: int = 0
    hypothetical: bool = False

    def with_overrides(self, overrides: OptionOverrides) -> RetrieveOptions:
        """A copy with these values; None leaves a value unchanged."""
        return replace(self, **{name: value for name, value in overrides.items() if value is not None})

    def key(self) -> str:
        """The options as text for cache keys: equal options have equal texts."""
        return json.dumps(asdict(self), sort_keys=True)

    def weight(self, path: str) -> float:
        return self.weights.get(path, 1.0)

    @property
    def needs_plan(self) -> bool:
        """Whether a question needs a plan even outside of a conversation."""
        return self.queries > 0 or self.hypothetical
