"""Natural batching: items that arrive while a batch is running form the next batch.

There is no batching window: an idle batcher runs a single item at once, and batches grow under load. A batch holds
items of one caller, so that no caller waits for another caller's slow items, and callers take turns. While several
callers are active, each has one small batch at a time, because a running batch cannot be interrupted.

BentoML's adaptive batching is not used (docs/bentoml_issues.md#b17).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

from rag.auth.caller import queueing_caller
from rag.queues.fair_order import FairOrder

_RECENT_S = 10.0
_MAX_RECENT = 1000
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
        max_items_shared: The same if other callers have submitted items within ten seconds; each caller then has one
            batch at a time. None: other callers make no difference.
        max_batches: Maximum number of batches that run at the same time.
        max_batches_each: Maximum number of batches of one caller among them, if there are no other callers; None: all.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_items: int,
        max_batches: int,
        max_items_shared: int | None = None,
        max_batches_each: int | None = None,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._max_items_shared = max_items_shared
        self._recent: TTLCache[str, None] = TTLCache(_MAX_RECENT, ttl=_RECENT_S)
        """Callers that have submitted items lately."""
        self._free_slots = max_batches
        self._most_each = max_batches_each or max_batches
        self._running_of: Counter[str] = Counter()
        """Number of running batches of each caller."""
        self._waiting: FairOrder[_Waiting[Item, Result]] = FairOrder()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """The item's result. Cancelling the caller removes a waiting item; a running one finishes, unused."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        caller = queueing_caller().queue
        self._recent[caller] = None
        self._waiting.add(caller, _Waiting(item, future, copy_context()))
        self._start_batches()
        return await future

    def _start_batches(self) -> None:
        while self._free_slots and (caller := self._next_caller()) is not None:
            if not (batch := self._take(caller)):
                continue
            self._free_slots -= 1
            self._running_of[caller] += 1
            # In the context of the batch's first item. Otherwise it would inherit the context of the batch that ended
            # last.
            task = asyncio.create_task(self._run(caller, batch), context=batch[0].context)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next_caller(self) -> str | None:
        callers = (caller for caller, _ in self._waiting.firsts())
        return next((caller for caller in callers if self._running_of[caller] < self._limits_of(caller)[1]), None)

    def _limits_of(self, caller: str) -> tuple[int, int]:
        """The maximum number of items in a batch of the caller, and of its running batches."""
        if self._max_items_shared is not None and any(other != caller for other in self._recent):
            return self._max_items_shared, 1
        return self._max_items, self._most_each

    def _take(self, caller: str) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        max_items, _ = self._limits_of(caller)
        while self._waiting.count(caller) and len(batch) < max_items:
            waiting = self._waiting.take(caller)
            if not waiting.future.done():
                batch.append(waiting)
        return batch

    async def _run(self, caller: str, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results: Sequence[Result | Exception] = await self._work([waiting.item for waiting in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"batch of {len(batch)} items returned {len(results)} results")
        except Exception as error:
            results = [error] * len(batch)
        finally:
            self._free_slots += 1
            self._running_of -= Counter({caller: 1})  # forgets callers with none
            self._start_batches()
        for waiting, result in zip(batch, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)
