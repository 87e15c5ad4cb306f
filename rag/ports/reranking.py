"""Rerankers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag.types import RerankKind


class Reranker(Protocol):
    """Scores passages by reading them together with the query: slower than comparing vectors, but more accurate."""

    @property
    def name(self) -> str:
        """Kind and model, for cache keys and explanations."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance of each text to the query, in [0, 1], in the same order.

        Scores may depend on the other texts of the same call, so do not compare scores of different calls.

        Raises:
            DependencyUnavailable: the model does not respond.
        """
        ...


class Rerankers(Protocol):
    """The rerankers that run in this process."""

    async def of(self, kind: RerankKind, model: str | None) -> Reranker:
        """The reranker of this kind with this model (a Hugging Face id or a folder). It is loaded if necessary.

        Args:
            model: None for the configured model.

        Raises:
            ModelNotFound: the model does not exist or cannot be loaded.
            InvalidRequest: the model is of another kind.
        """
        ...
