"""The encoders of one process: the configured one, and others that are loaded on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from rag.adapters.sentence_transformers.model_registry import ModelRegistry
from rag.ports import Embedder

E = TypeVar("E", bound=Embedder)


class Encoders(Generic[E]):
    """Encoders by model name. Implements `rag.ports.Embedders`.

    Args:
        default: The configured encoder, which is never evicted.
        load: Loads the model of that name, with the prefixes of its own files and card. Blocks; raises SetupError if
            it cannot be loaded.
        max_models: As for `ModelRegistry`; so are `loading` and `allowed`.
    """

    def __init__(
        self,
        default: E,
        load: Callable[[str], E],
        *,
        max_models: int = 2,
        loading: asyncio.Lock | None = None,
        allowed: Collection[str] = ("*",),
    ) -> None:
        self._default = default
        self._others = ModelRegistry("embedding model", load, max_models=max_models, loading=loading, allowed=allowed)

    @property
    def default(self) -> E:
        return self._default

    async def named(self, model: str) -> E:
        return self._default if model == self._default.model_name else await self._others.named(model)
