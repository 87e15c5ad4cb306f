"""Items that wait while a batch is running form the next batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from rag.auth.caller import Caller, current_caller
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


async def submitted(batcher: Batcher[int, int], *items: int, caller: str = "a") -> list[asyncio.Task[int]]:
    token = current_caller.set(Caller(caller, "acme", frozenset()))
    tasks = [asyncio.create_task(batcher.submit(item)) for item in items]
    current_caller.reset(token)
    await settle()
    return tasks


async def test_a_single_item_runs_alone_at_once() -> None:
    """BentoML's adaptive batching delays it, and answers 503 with 8 users: docs/bentoml_issues.md#b17."""
    worker = Worker()
    assert await Batcher(worker, max_items=8, max_batches=1).submit(3) == 6
    assert worker.batches == [[3]]


async def test_waiting_items_form_one_batch() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, max_batches=1), 1, 2, 3, 4)
    assert worker.batches == [[1]]
    worker.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert worker.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_a_maximum_size() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=2, max_batches=1), 1, 2, 3, 4)
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [[1], [2, 3], [4]]


async def test_several_batches_run_at_the_same_time() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, max_batches=2), 1, 2, 3, 4)
    assert worker.batches == [[1], [2]]
    worker.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert (worker.batches, worker.most_running) == ([[1], [2], [3, 4]], 2)


async def test_a_batch_has_items_of_one_caller_and_callers_take_turns() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=2, max_batches=1)
    tasks = await submitted(batcher, 1, 2, 3, 4, 5)
    tasks += await submitted(batcher, 6, 7, caller="b")
    tasks += await submitted(batcher, 8, caller="c")
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [[1], [2, 3], [6, 7], [8], [4, 5]]


async def test_each_of_several_callers_has_one_batch_at_a_time() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=1, max_items_shared=1, max_batches=4, max_batches_each=2)
    tasks = await submitted(batcher, 1)
    tasks += await submitted(batcher, 2, 3, 4, caller="b")
    assert worker.batches == [[1], [2]]
    tasks += await submitted(batcher, 5, caller="c")
    assert worker.batches == [[1], [2], [5]]
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches[3:] == [[3], [4]]


async def test_batches_are_small_while_there_are_several_callers() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=4, max_items_shared=2, max_batches=1)
    tasks = await submitted(batcher, *range(1, 10))
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [[1], [2, 3, 4, 5], [6, 7, 8, 9]]
    await batcher.submit(10)
    worker.gate.clear()
    tasks = await submitted(batcher, 11, 12, 13, 14, caller="b")
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches[3:] == [[10], [11], [12, 13], [14]]


async def test_a_batch_is_left_for_other_callers() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=1, max_batches=3, max_batches_each=2)
    tasks = await submitted(batcher, 1, 2, 3, 4)
    assert worker.batches == [[1], [2]]
    tasks += await submitted(batcher, 5, caller="b")
    assert worker.batches == [[1], [2], [5]]
    worker.gate.set()
    await asyncio.gather(*tasks)
    assert worker.batches == [[1], [2], [5], [3], [4]]


async def test_a_caller_that_leaves_does_not_stop_the_others() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=1, max_batches=1)
    first, *left = await submitted(batcher, 1, 2, 3)
    stays = await submitted(batcher, 4, caller="b")
    for task in left:
        task.cancel()
    worker.gate.set()
    assert await asyncio.gather(first, *stays) == [2, 8]
    assert worker.batches == [[1], [4]]


async def test_a_returned_error_fails_only_its_item() -> None:
    worker = Worker(faulty=[2], closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, max_batches=1), 1, 2, 3)
    worker.gate.set()
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, str(second), third) == (2, "item 2", 6)


async def test_a_raised_error_fails_its_batch_and_no_other() -> None:
    worker = Worker(fatal=[3], closed=True)
    tasks = await submitted(Batcher(worker, max_items=2, max_batches=1), 1, 2, 3, 4)
    worker.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["2", "whole batch", "whole batch", "8"]


async def test_the_next_batch_runs_after_an_error() -> None:
    batcher: Batcher[int, int] = Batcher(Worker(fatal=[1]), max_items=2, max_batches=1)
    with pytest.raises(RuntimeError):
        await batcher.submit(1)
    assert await batcher.submit(2) == 4


async def test_a_cancelled_waiting_item_is_skipped() -> None:
    worker = Worker(closed=True)
    tasks = await submitted(Batcher(worker, max_items=8, max_batches=1), 1, 2, 3)
    tasks[1].cancel()
    await settle()
    worker.gate.set()
    assert await tasks[0] == 2
    assert await tasks[2] == 6
    assert worker.batches == [[1], [3]]


async def test_nothing_runs_if_all_waiting_items_were_cancelled() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=8, max_batches=1)
    first, second = await submitted(batcher, 1, 2)
    second.cancel()
    await settle()
    worker.gate.set()
    await first
    assert worker.batches == [[1]]
    assert await batcher.submit(5) == 10


async def test_cancelling_a_running_item_does_not_affect_its_batch() -> None:
    worker = Worker(closed=True)
    batcher: Batcher[int, int] = Batcher(worker, max_items=8, max_batches=1)
    tasks = await submitted(batcher, 1, 2, 3)
    tasks[0].cancel()
    await settle()
    worker.gate.set()
    assert [await tasks[1], await tasks[2]] == [4, 6]
    assert await batcher.submit(7) == 14
