"""What waits while a batch is in work becomes the next batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rag.retrieve.search.batching import Batcher


class Worker:
    """Doubles numbers. Each batch waits for `gate`; an item in `faulty` fails alone, one in `fatal` fails its batch."""

    def __init__(self, *, faulty: Sequence[int] = (), fatal: Sequence[int] = (), closed: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.running = 0
        self.most_running = 0
        self.gate = asyncio.Event()
        self._faulty, self._fatal = faulty, fatal
        if not closed:
            self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            if set(items) & set(self._fatal):
                raise RuntimeError("whole batch")
            return [ValueError(f"item {i}") if i in self._faulty else 2 * i for i in items]
        finally:
            self.running -= 1


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def submitted(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(batcher.submit(item)) for item in items]
    await settle()
    return tasks


async def test_a_single_item_runs_alone_at_once() -> None:
    """docs/bentoml_issues.md#b17: BentoML's adaptive batching makes it wait, and answers 503 at 8 users."""
    worker = Worker()
    assert await Batcher(worker, max_items=8, lanes=1).submit(3) == 6
    assert worker.batches == [[3]]


async def test_what_waits_goes_together() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, lanes=1), 1, 2, 3, 4)
    assert worker.batches == [[1]]
    worker.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert worker.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_a_largest_size() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=2, lanes=1), 1, 2, 3, 4)
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [[1], [2, 3], [4]]


async def test_lanes_work_side_by_side() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, lanes=2), 1, 2, 3, 4)
    assert worker.batches == [[1], [2]]
    worker.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert (worker.batches, worker.most_running) == ([[1], [2], [3, 4]], 2)


async def test_an_error_of_one_item_is_its_own() -> None:
    worker = Worker(faulty=[2], closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, lanes=1), 1, 2, 3)
    worker.gate.set()
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, str(second), third) == (2, "item 2", 6)


async def test_an_error_that_is_raised_hits_the_whole_batch_and_no_other() -> None:
    worker = Worker(fatal=[3], closed=True)
    tasks = await submitted(Batcher(worker, max_items=2, lanes=1), 1, 2, 3, 4)
    worker.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["2", "whole batch", "whole batch", "8"]


async def test_after_an_error_the_lane_is_free_again() -> None:
    batcher: Batcher[int, int] = Batcher(Worker(fatal=[1]), max_items=2, lanes=1)
    with pytest.raises(RuntimeError):
        await batcher.submit(1)
    assert await batcher.submit(2) == 4


async def test_a_cancelled_item_that_waits_is_skipped() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, lanes=1), 1, 2, 3)
    tasks[1].cancel()
    await settle()
    worker.gate.set()
    assert await tasks[0] == 2
    assert await tasks[2] == 6
    assert worker.batches == [[1], [3]]


async def test_nothing_runs_when_all_that_waited_was_cancelled() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=8, lanes=1)
    first, second = await submitted(batcher, 1, 2)
    second.cancel()
    await settle()
    worker.gate.set()
    await first
    assert worker.batches == [[1]]
    assert await batcher.submit(5) == 10


async def test_a_cancelled_item_in_work_hurts_no_neighbour() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=8, lanes=1)
    tasks = await submitted(batcher, 1, 2, 3)
    tasks[0].cancel()
    await settle()
    worker.gate.set()
    assert [await tasks[1], await tasks[2]] == [4, 6]
    assert await batcher.submit(7) == 14
