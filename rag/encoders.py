"""Selects the encoder of a vector store."""

from __future__ import annotations

from rag.errors import EmbeddingMismatch
from rag.ports import Embedder, Embedders


class StoreEncoders:
    """The configured encoder, and the encoders of stores that were reindexed while the service runs.

    A store filled by any other model is refused: after a restart the settings must name the model that it needs.
    """

    def __init__(self, embedders: Embedders) -> None:
        self._embedders = embedders
        self._allowed: set[str] = set()

    def allow(self, model: str) -> None:
        """Accept stores of this model until the process ends."""
        self._allowed.add(model)

    def check(self, store: str, model: str) -> None:
        """Raises EmbeddingMismatch, which says how to get the store and the service back together."""
        configured = self._embedders.default.model_name
        if model != configured and model not in self._allowed:
            raise EmbeddingMismatch(
                f"the vector store {store!r} was filled by the embedding model {model!r}, but the service runs "
                f"{configured!r}: start it with RAG_EMBEDDER__MODEL={model}, or move the store with "
                f"`python -m rag reindex --store {store} --embedder {configured}`"
            )

    async def for_store(self, store: str, model: str) -> Embedder:
        """The encoder of a store. Raises EmbeddingMismatch."""
        self.check(store, model)
        return await self.named(model)

    async def named(self, model: str) -> Embedder:
        """Any model, loaded if necessary."""
        default = self._embedders.default
        return default if model == default.model_name else await self._embedders.named(model)

    @property
    def configured(self) -> Embedder:
        return self._embedders.default
