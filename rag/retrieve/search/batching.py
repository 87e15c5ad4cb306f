"""Natural batching: items that arrive while a batch is running form the next batch.

There is no batching window: an idle batcher runs a single item at once, and batches grow under load.
BentoML's adaptive batching is not used (docs/bentoml_issues.md#b17).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]
    context: Context


class Batcher(Generic[Item, Result]):
    """Runs `work` on batches of items.

    Args:
        work: Returns one result for each item, in order. A returned exception fails its item; a raised one fails the
            whole batch.
        max_items: Maximum number of items in a batch.
        max_batches: Maximum number of batches that run at the same time.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_items: int,
        max_batches: int,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._free_slots = max_batches
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The item's result. Cancelling the caller removes a waiting item; a running one finishes, unused."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, future, copy_context()))
        self._start_batches()
        return await future

    def _start_batches(self) -> None:
        while self._free_slots and self._waiting:
            if not (batch := self._take()):
                return
            self._free_slots -= 1
            # As a part of its first item's request; else it would be one of the request whose batch ended last.
            task = asyncio.create_task(self._run(batch), context=batch[0].context)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        while self._waiting and len(batch) < self._max_items:
            waiting = self._waiting.popleft()
            if not waiting.future.done():
                batch.append(waiting)
        return batch

    async def _run(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results: Sequence[Result | Exception] = await self._work([waiting.item for waiting in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"batch of {len(batch)} items returned {len(results)} results")
        except Exception as error:
            results = [error] * len(batch)
        finally:
            self._free_slots += 1
            self._start_batches()
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
