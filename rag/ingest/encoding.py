"""Encodes passages for the threads in which jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rag.encoders import StoreEncoders
from rag.errors import ModelNotFound
from rag.ingest.event_loop import run_in_loop
from rag.ports import Embedder, SparseEmbedder, SparseEmbedders, Vectors
from rag.types import SparseVector


class PassageEncoder:
    """Encodes in the service's event loop, and blocks the calling thread meanwhile.

    Each method calls `check` repeatedly while it waits; if that raises, the work is cancelled.

    Args:
        loop: The running loop in which all encoders are used.
        sparse: The learned sparse models, if there are any.
    """

    def __init__(
        self, encoders: StoreEncoders, loop: asyncio.AbstractEventLoop, sparse: SparseEmbedders | None = None
    ) -> None:
        self._encoders = encoders
        self._sparse = sparse
        self._loop = loop

    def embedder(self, model: str, check: Callable[[], None]) -> Embedder:
        """The embedding model, loaded. Raises ModelNotFound."""
        return run_in_loop(self._loop, self._encoders.named(model), check)

    def encode(self, model: str, texts: Sequence[str], check: Callable[[], None]) -> Vectors:
        """Vectors in the order of the texts."""
        return run_in_loop(self._loop, self._encode(model, texts), check)

    def sparse_embedder(self, model: str, check: Callable[[], None]) -> SparseEmbedder:
        """The learned sparse model, loaded. Raises ModelNotFound."""
        return run_in_loop(self._loop, self._load_sparse(model), check)

    def encode_sparse(self, model: str, texts: Sequence[str], check: Callable[[], None]) -> list[SparseVector]:
        """Learned sparse vectors in the order of the texts."""
        return run_in_loop(self._loop, self._encode_sparse(model, texts), check)

    async def _encode(self, model: str, texts: Sequence[str]) -> Vectors:
        embedder = await self._encoders.named(model)
        return await embedder.encode(texts, "passage", store_token_vectors=True)

    async def _load_sparse(self, model: str) -> SparseEmbedder:
        if self._sparse is None:
            raise ModelNotFound(f"no sparse encoder is available for model {model!r}", param="model")
        return await self._sparse.named(model)

    async def _encode_sparse(self, model: str, texts: Sequence[str]) -> list[SparseVector]:
        return await (await self._load_sparse(model)).encode(texts, "passage")
