"""Buckets of requests in this process's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from rag.ports import RequestBucket, Taken

_MAX_BUCKETS = 4096


@dataclass(slots=True)
class _Filling:
    left: float
    filled_at: float


class MemoryBuckets:
    """Implements `rag.ports.RequestBuckets` for one event loop.

    Args:
        clock: A monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: LRUCache[str, _Filling] = LRUCache(_MAX_BUCKETS)

    async def take(self, buckets: Sequence[RequestBucket]) -> Sequence[Taken]:
        taken: list[Taken] = []
        for bucket in buckets:
            taken.append(self._take(bucket))
            if not taken[-1].admitted:
                break
        return taken

    def _take(self, bucket: RequestBucket) -> Taken:
        now, per_minute = self._clock(), bucket.per_minute
        filling = self._buckets.setdefault(bucket.name, _Filling(per_minute, now))
        filling.left = min(per_minute, filling.left + (now - filling.filled_at) * per_minute / 60)
        filling.filled_at = now
        admitted = filling.left >= 1
        if admitted:
            filling.left -= 1
        return Taken(admitted, filling.left)

    async def close(self) -> None:
        self._buckets.clear()
