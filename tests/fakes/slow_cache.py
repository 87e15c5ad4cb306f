from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.adapters.memory_cache import MemoryCache


class SlowCache:
    """An in-memory cache that behaves like one across a network: calls are delayed and may fail.

    Args:
        delay: Returns the number of event loop iterations before a call takes effect; None: the call is not answered.
    """

    def __init__(self, delay: Callable[[], int | None]) -> None:
        self.memory = MemoryCache(1 << 20)
        self._delay = delay

    async def connect(self) -> None:
        """Does nothing: it is always reachable."""

    async def get(self, key: str) -> bytes | None:
        return await self.memory.get(key) if await self._reached() else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if await self._reached():
            await self.memory.put(key, value, ttl_s)

    async def near(self, group: str, vector: npt.NDArray[np.float32], min_cosine: float) -> tuple[str, bytes] | None:
        return await self.memory.near(group, vector, min_cosine) if await self._reached() else None

    async def remember(self, group: str, vector: npt.NDArray[np.float32], key: str, ttl_s: float) -> None:
        if await self._reached():
            await self.memory.remember(group, vector, key, ttl_s)

    def facts(self) -> Mapping[str, Any]:
        return {"kind": "slow"}

    async def close(self) -> None:
        await self.memory.close()

    async def _reached(self) -> bool:
        turns = self._delay()
        for _ in range(turns or 0):
            await asyncio.sleep(0)
        return turns is not None
