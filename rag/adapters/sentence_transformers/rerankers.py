"""The rerankers of one process."""

from __future__ import annotations

from rag.adapters.sentence_transformers.cross_encoder import StCrossEncoder
from rag.adapters.sentence_transformers.embedder import StEmbedder
from rag.adapters.sentence_transformers.encoders import Encoders
from rag.adapters.sentence_transformers.model_registry import ModelRegistry
from rag.adapters.sentence_transformers.multi_vector.late_interaction import LateInteraction, TokenVectorCache
from rag.adapters.sentence_transformers.multi_vector.token_vector_file import TokenVectorFile
from rag.adapters.sentence_transformers.scheduler import ComputeScheduler
from rag.errors import ModelNotFound
from rag.ports import Reranker
from rag.types import RerankKind


class LocalRerankers:
    """The rerankers that run in this process. Implements `rag.ports.Rerankers`.

    Args:
        encoders: Compute the token vectors for late interaction.
        cross_encoders: Cross-encoders by name.
        cache: Token vectors of texts that were scored before.
        token_file: Token vectors of ingested passages.
        cross_encoder: Name of the configured cross-encoder, if there is one.
    """

    def __init__(
        self,
        encoders: Encoders[StEmbedder],
        cross_encoders: ModelRegistry[StCrossEncoder],
        cache: TokenVectorCache,
        scheduler: ComputeScheduler,
        cross_encoder: str | None,
        token_file: TokenVectorFile | None = None,
    ) -> None:
        self._encoders = encoders
        self._cross_encoders = cross_encoders
        self._cache = cache
        self._scheduler = scheduler
        self._configured = cross_encoder
        self._token_file = token_file

    async def of(self, kind: RerankKind, model: str | None) -> Reranker:
        if kind == "late_interaction":
            encoder = self._encoders.default if model is None else await self._encoders.named(model)
            return LateInteraction(encoder, self._cache, self._scheduler, self._token_file)
        name = model or self._configured
        if name is None:
            raise ModelNotFound(
                "model: no cross-encoder is configured; name one in the request, or set RAG_RERANK__MODEL",
                param="model",
            )
        return await self._cross_encoders.named(name)
