"""Natural batching: what waits while one batch is in work becomes the next batch.

No waiting window: an idle batcher runs a single item at once; under load the batches grow. BentoML's adaptive batching
is not used (docs/bentoml_issues.md#b17).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs `work` on lists of items.

    Args:
        work: Gives one result an item, in order; an exception as a result is that item's alone,
            one that is raised is everybody's.
        max_items: Items in a batch at most.
        lanes: Batches in work at the same time at most.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]], *, max_items: int, lanes: int
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._free_lanes = lanes
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The item's result. Cancelling the caller takes a waiting item out; one in work runs on unheard."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._fill_lanes()
        return await future

    def _fill_lanes(self) -> None:
        while self._free_lanes and self._waiting:
            if not (batch := self._take()):
                return
            self._free_lanes -= 1
            task = asyncio.create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._max_items:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results: Sequence[Result | Exception] = await self._work([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items were given and {len(results)} results came back")
        except Exception as error:
            results = [error] * len(batch)
        finally:
            self._free_lanes += 1
            self._fill_lanes()
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
