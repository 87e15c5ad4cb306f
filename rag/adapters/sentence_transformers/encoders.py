"""The encoders of one process: the configured one, and others that are loaded when they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from rag.adapters.sentence_transformers.model_registry import ModelRegistry
from rag.ports import Embedder

E = TypeVar("E", bound=Embedder)


class Encoders(Generic[E]):
    """See `rag.ports.Embedders`.

    Args:
        default: The configured one; it stays.
        load: Makes the one of that name, with the prefixes of its own files and card. Blocks; SetupError: it is not
            to be had.
        kept: Others in memory at most, as `ModelRegistry` has it; so with `loading`.
    """

    def __init__(
        self, default: E, load: Callable[[str], E], *, kept: int = 2, loading: asyncio.Lock | None = None
    ) -> None:
        self._default = default
        self._others = ModelRegistry("embedding model", load, kept=kept, loading=loading)

    @property
    def default(self) -> E:
        return self._default

    async def named(self, model: str) -> E:
        return self._default if model == self._default.model_name else await self._others.named(model)
