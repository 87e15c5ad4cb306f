"""The HTTP API of the Embedder service."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from rag.errors import ModelNotFound
from rag.http.background_loader import BackgroundLoader
from rag.http.bodies.wire import EncodeRequest
from rag.http.native.internal.embedder_wire import CountRequest, EncodeSparseRequest, RerankRequest
from rag.ports import Embedder, Embedders, Rerankers, SparseEmbedders
from rag.telemetry import tracing
from rag.types import JsonObject


@dataclass(frozen=True, slots=True)
class EmbedderModels:
    """The models of the Embedder. It exists once the configured ones are loaded."""

    dense: Embedders
    sparse: SparseEmbedders
    rerankers: Rerankers
    sparse_model: str | None = None
    """The configured one, if there is one."""


class EmbedderApi:
    def __init__(self, models: BackgroundLoader[EmbedderModels]) -> None:
        self.models = models

    async def ready(self) -> Mapping[str, Any]:
        """Facts about the configured models. Encodes a word to check that they work."""
        models = self.models.get()
        embedder = models.dense.default
        await embedder.encode(["ready"], "query")
        facts = {"model": embedder.model_name, "dimensions": embedder.dimensions}
        return facts | ({"sparse_model": models.sparse_model} if models.sparse_model else {})

    async def encode(self, request: EncodeRequest) -> Response:
        embedder = await self._embedder(request.model)
        with tracing.embeddings(embedder.model_name, embedder.dimensions):
            vectors = await embedder.encode(
                request.texts,
                request.kind,
                store_token_vectors=request.store_token_vectors,
                long_texts=request.long_texts,
                max_tokens=request.max_tokens,
            )
        body: JsonObject = {"model": embedder.model_name, "dimensions": int(vectors.shape[1])}
        if request.encoding_format == "base64":
            return JSONResponse({**body, "embeddings": base64.b64encode(vectors.astype("<f4").tobytes()).decode()})
        return JSONResponse({**body, "embeddings": vectors.tolist()})

    async def count(self, request: CountRequest) -> Response:
        embedder = await self._embedder(request.model)
        counts = await embedder.count(request.texts, request.kind)
        return JSONResponse({"model": embedder.model_name, **asdict(counts)})

    async def _embedder(self, model: str | None) -> Embedder:
        embedders = self.models.get().dense
        return embedders.default if model is None else await embedders.named(model)

    async def encode_sparse(self, request: EncodeSparseRequest) -> Response:
        models = self.models.get()
        name = request.model or models.sparse_model
        if name is None:
            raise ModelNotFound("no sparse model is configured; name one, or set RAG_EMBEDDER__SPARSE_MODEL")
        embedder = await models.sparse.named(name)
        vectors = await embedder.encode(request.texts, request.kind)
        embeddings = [{"indices": list(vector), "values": list(vector.values())} for vector in vectors]
        return JSONResponse({"model": embedder.model_name, "embeddings": embeddings})

    async def rerank(self, request: RerankRequest) -> Response:
        reranker = await self.models.get().rerankers.of(request.kind, request.model)
        scores = await reranker.rerank(request.query, request.texts)
        return JSONResponse({"model": reranker.name, "scores": scores})
