"""Usage counters in this process's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import TLRUCache

from rag.ports import Count, Window

_MAX_WINDOWS = 65_536


@dataclass(slots=True)
class _Running:
    value: int
    ends_at: float


class MemoryCounters:
    """Implements `rag.ports.Counters` for one event loop.

    Args:
        clock: A monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: TLRUCache[Window, _Running] = TLRUCache(
            _MAX_WINDOWS, ttu=lambda _window, running, _now: running.ends_at, timer=clock
        )

    async def add(self, windows: Sequence[Window], amount: int) -> None:
        for window in windows:
            if (running := self._running.get(window)) is None:
                running = self._running[window] = _Running(0, self._clock() + window.length_s)
            running.value += amount

    async def read(self, windows: Sequence[Window]) -> Sequence[Count]:
        return [self._count(window) for window in windows]

    def _count(self, window: Window) -> Count:
        if (running := self._running.get(window)) is None:
            return Count(0, 0.0)
        return Count(running.value, running.ends_at - self._clock())

    async def close(self) -> None:
        self._running.clear()
