"""Which encoder goes with a vector store."""

from __future__ import annotations

from rag.errors import EmbeddingMismatch
from rag.ports import Embedder, Embedders


class StoreEncoders:
    """The configured encoder, and those that stores were moved to while the service runs.

    A store that another model filled is refused, not answered from: after a restart the settings must say what the
    stores need.
    """

    def __init__(self, embedders: Embedders) -> None:
        self._embedders = embedders
        self._welcome: set[str] = set()

    def welcome(self, model: str) -> None:
        """From now on stores of this model are answered from, too."""
        self._welcome.add(model)

    def check(self, store: str, model: str) -> None:
        """Raises EmbeddingMismatch with the way out."""
        configured = self._embedders.default.model_name
        if model != configured and model not in self._welcome:
            raise EmbeddingMismatch(
                f"the vector store {store!r} was filled by the embedding model {model!r}, but the service runs "
                f"{configured!r}: start it with RAG_EMBEDDER__MODEL={model}, or move the store with "
                f"`python -m rag reindex --store {store} --embedder {configured}`"
            )

    async def of(self, store: str, model: str) -> Embedder:
        """The encoder of a store. Raises EmbeddingMismatch."""
        self.check(store, model)
        return await self.named(model)

    async def named(self, model: str) -> Embedder:
        """Any model, loaded now if need be."""
        default = self._embedders.default
        return default if model == default.model_name else await self._embedders.named(model)

    @property
    def configured(self) -> Embedder:
        return self._embedders.default
