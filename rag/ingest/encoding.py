"""Vectors for passages, asked for from the threads in which jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from rag.encoders import StoreEncoders
from rag.errors import ModelNotFound
from rag.ingest.event_loop import in_loop
from rag.ports import Embedder, SparseEmbedder, SparseEmbedders, Vectors
from rag.types import SparseVector

T = TypeVar("T")


class PassageEncoder:
    """Encodes in the service's event loop on behalf of a thread.

    Args:
        loop: The running loop, which all encoders are used in.
        sparse: The learned sparse models, if there are any.
    """

    def __init__(
        self, encoders: StoreEncoders, loop: asyncio.AbstractEventLoop, sparse: SparseEmbedders | None = None
    ) -> None:
        self._encoders = encoders
        self._sparse = sparse
        self._loop = loop

    def embedder(self, model: str, check: Callable[[], None]) -> Embedder:
        """The model, loaded. `check` is called while it waits; what that raises breaks it off."""
        return self._wait(self._encoders.named(model), check)

    def encode(self, model: str, texts: Sequence[str], check: Callable[[], None]) -> Vectors:
        """Vectors in the order of the texts; `check` as above."""
        return self._wait(self._encode(model, texts), check)

    def sparse_embedder(self, model: str, check: Callable[[], None]) -> SparseEmbedder:
        """The learned sparse model, loaded; `check` as above. Raises ModelNotFound."""
        return self._wait(self._sparsely(model), check)

    def encode_sparsely(self, model: str, texts: Sequence[str], check: Callable[[], None]) -> list[SparseVector]:
        """Learned sparse vectors in the order of the texts; `check` as above."""
        return self._wait(self._encode_sparsely(model, texts), check)

    async def _encode(self, model: str, texts: Sequence[str]) -> Vectors:
        embedder = await self._encoders.named(model)
        return await embedder.encode(texts, "passage")

    async def _sparsely(self, model: str) -> SparseEmbedder:
        if self._sparse is None:
            raise ModelNotFound(f"no sparse encoder is at hand, and {model!r} is needed", param="model")
        return await self._sparse.named(model)

    async def _encode_sparsely(self, model: str, texts: Sequence[str]) -> list[SparseVector]:
        return await (await self._sparsely(model)).encode(texts, "passage")

    def _wait(self, work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
        return in_loop(self._loop, work, check)
