"""How a question is searched for: the service's settings, changed by the vector store, changed by the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from rag.types import SearchMode

Fusion: TypeAlias = Literal["weights", "rrf"]


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """Ranges are those of the settings of the same names (`rag.config`)."""

    top_k: int = 4
    """Hits at most."""
    mode: SearchMode = "hybrid"
    candidates: int = 20
    """Chunks fetched from each path before fusion."""
    fusion: Fusion = "weights"
    weights: Mapping[str, float] = field(default_factory=dict)
    """By path, relative to each other; a path that is not named has 1, and 0 leaves one out."""
    rrf_k: int = 60
    duplicates: float = 0.9
    """Likeness, from 0 to 1, from which passages become one hit."""
    min_cosine: float = 0.3
    rerank: bool = False
    rerank_top_n: int = 30
    rerank_weight: float = 0.5
    rewrite: bool = False
    queries: int = 0
    hypothetical: bool = False

    def changed(self, changes: Mapping[str, Any] | None) -> RetrieveOptions:
        """With the fields that are named, and that are not None, set to these values."""
        return replace(self, **{name: value for name, value in (changes or {}).items() if value is not None})

    def key(self) -> str:
        """The same text for the same options, and no other."""
        return json.dumps(asdict(self), sort_keys=True)

    def weight(self, path: str) -> float:
        return self.weights.get(path, 1.0)

    @property
    def plans(self) -> bool:
        """Whether the language model has a part in the search, whatever the conversation."""
        return self.queries > 0 or self.hypothetical
