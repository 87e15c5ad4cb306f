"""Vectors for passages, asked for from the threads in which jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import TimeoutError as StillWaiting
from typing import Any, TypeVar

from rag.encoders import StoreEncoders
from rag.ports import Embedder, Vectors

_LOOK_EVERY_S = 0.25
T = TypeVar("T")


class PassageEncoder:
    """Encodes in the service's event loop on behalf of a thread.

    Args:
        loop: The running loop, which all encoders are used in.
    """

    def __init__(self, encoders: StoreEncoders, loop: asyncio.AbstractEventLoop) -> None:
        self._encoders = encoders
        self._loop = loop

    def embedder(self, model: str, check: Callable[[], None]) -> Embedder:
        """The model, loaded. `check` is called while it waits; what that raises breaks it off."""
        return self._wait(self._encoders.named(model), check)

    def encode(self, model: str, texts: Sequence[str], check: Callable[[], None]) -> Vectors:
        """Vectors in the order of the texts; `check` as above."""
        return self._wait(self._encode(model, texts), check)

    async def _encode(self, model: str, texts: Sequence[str]) -> Vectors:
        embedder = await self._encoders.named(model)
        return await embedder.encode(texts, "passage")

    def _wait(self, work: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result(_LOOK_EVERY_S)
            except StillWaiting:
                if future.done():
                    raise  # the work itself timed out
            try:
                check()
            except BaseException:
                future.cancel()
                raise
