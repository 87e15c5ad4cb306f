"""Equal questions that are asked at the same time are worked on once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Shares one piece of work among all who want it while it is in work."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._ending: set[asyncio.Task[T]] = set()
        """Cancelled work that still cleans up: the event loop itself would forget it."""

    async def join(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` returns or raises, here or for the caller that came first with this key.

        A caller that is cancelled leaves the work to the others; when the last one leaves, it is cancelled. What has
        come out is not kept: the next caller begins anew.
        """
        flight = self._flights.get(key)
        if flight is None or flight.task.done():
            flight = self._flights[key] = _Flight(asyncio.create_task(work()))
        flight.callers += 1
        try:
            await asyncio.wait([flight.task])
        finally:
            flight.callers -= 1
            if not flight.callers:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                self._leave(flight.task)
        return flight.task.result()

    def _leave(self, task: asyncio.Task[T]) -> None:
        if not task.done():
            self._ending.add(task)
            task.add_done_callback(self._ended)
            task.cancel()
        elif not task.cancelled():
            task.exception()  # was seen, also when nobody is left to raise it to

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # what cleaning up raised has nobody to go to


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.callers = 0
