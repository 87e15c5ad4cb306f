"""Sparse models and rerankers of the Embedder service as implementations of `rag.ports`."""

from __future__ import annotations

from collections.abc import Sequence

from rag.errors import DeadlineExceeded, DependencyUnavailable, InvalidRequest, ModelNotFound, SetupError
from rag.http.clients.service_client import ServiceClient
from rag.types import JsonObject, RerankKind, SparseVector, TextKind

_LOAD_TIMEOUT_S = 600.0
"""Long enough for the service to download and load a model that it was not configured with."""


class RemoteSparseEmbedder:
    """A sparse model of the Embedder service as a `rag.ports.SparseEmbedder`."""

    def __init__(self, client: ServiceClient, model: str) -> None:
        self._client = client
        self._model = model

    @property
    def model_name(self) -> str:
        return self._model

    async def encode(self, texts: Sequence[str], kind: TextKind) -> list[SparseVector]:
        if not texts:
            return []
        body: JsonObject = {"texts": list(texts), "kind": kind, "model": self._model}
        answer = await self._client.call("/encode_sparse", body, timeout_s=_LOAD_TIMEOUT_S)
        return [dict(zip(one["indices"], one["values"], strict=True)) for one in answer["embeddings"]]


class RemoteSparseEmbedders:
    """The Embedder service as `rag.ports.SparseEmbedders`."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._known: dict[str, RemoteSparseEmbedder] = {}

    async def named(self, model: str) -> RemoteSparseEmbedder:
        """See `rag.ports.SparseEmbedders`. Takes minutes if the model must be downloaded."""
        if model not in self._known:
            embedder = RemoteSparseEmbedder(self._client, model)
            await embedder.encode(["ready"], "query")  # loads the model
            self._known[model] = embedder
        return self._known[model]


class RemoteReranker:
    """The Embedder service as a `rag.ports.Reranker`.

    Args:
        model: The encoder or cross-encoder.
        timeout_s: For one query with its passages, once the model is loaded.
    """

    def __init__(self, client: ServiceClient, kind: RerankKind, model: str, timeout_s: float) -> None:
        self._client = client
        self._kind = kind
        self._model = model
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        return f"{self._kind}:{self._model}"

    async def connect(self) -> None:
        """Load the model before it is needed.

        Raises:
            Starting: the service is not ready yet.
            SetupError: the service cannot load the model; says why.
        """
        try:
            await self._call("ready", ["ready"], _LOAD_TIMEOUT_S)
        except (ModelNotFound, InvalidRequest) as error:
            raise SetupError(f"RAG_RERANK__MODEL: {error.message}", param="RAG_RERANK__MODEL") from error

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        try:
            return await self._call(query, texts, self._timeout_s)
        except DeadlineExceeded:
            raise DependencyUnavailable(
                f"reranking took more than {self._timeout_s:g} s; see RAG_RERANK__TIMEOUT_S and RAG_RERANK__TOP_N"
            ) from None

    async def _call(self, query: str, texts: Sequence[str], timeout_s: float) -> list[float]:
        body: JsonObject = {"query": query, "texts": list(texts), "kind": self._kind, "model": self._model}
        scores: list[float] = (await self._client.call("/rerank", body, timeout_s=timeout_s))["scores"]
        return scores
