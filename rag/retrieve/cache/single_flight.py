"""Single flight: simultaneous calls with the same key share one piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs work once for all callers that want it while it runs. Results are not kept."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._cancelled: set[asyncio.Task[T]] = set()
        """Cancelled tasks that are still cleaning up: the event loop holds only weak references to tasks."""

    async def join(self, key: str, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """What `work` returns or raises, started by this call or by an earlier one with the same key.

        A cancelled caller leaves the work to the others. When the last caller leaves, the work is cancelled.
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
                self._release(flight.task)
        return flight.task.result()

    def _release(self, task: asyncio.Task[T]) -> None:
        if not task.done():
            self._cancelled.add(task)
            task.add_done_callback(self._cleaned_up)
            task.cancel()
        elif not task.cancelled():
            task.exception()  # mark as retrieved, in case every caller was cancelled

    def _cleaned_up(self, task: asyncio.Task[T]) -> None:
        self._cancelled.discard(task)
        if not task.cancelled():
            task.exception()  # mark as retrieved: there is no caller left to raise it to


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.callers = 0
