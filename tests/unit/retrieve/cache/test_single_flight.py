"""Simultaneous calls with the same key share one piece of work, whichever caller is cancelled."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.cache.single_flight import SingleFlight


class Work:
    """Waits for `gate`, then returns a number that counts up, or raises `failure`."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        return number


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def joined(flights: SingleFlight[int], work: Work, count: int, key: str = "k") -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.join(key, work)) for _ in range(count)]
    await settle()
    return tasks


async def test_many_callers_share_one_call() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = await joined(flights, work, 5)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 5
    assert work.begun == 1


async def test_different_keys_are_separate_calls() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = [*await joined(flights, work, 2, "a"), *await joined(flights, work, 2, "b")]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1, 1, 2, 2]


async def test_results_are_not_kept() -> None:
    flights, work = SingleFlight[int](), Work()
    work.gate.set()
    assert [await flights.join("k", work), await flights.join("k", work)] == [1, 2]


async def test_a_cancelled_caller_does_not_affect_the_others() -> None:
    flights, work = SingleFlight[int](), Work()
    first, second, third = await joined(flights, work, 3)
    first.cancel()
    third.cancel()
    await settle()
    work.gate.set()
    assert await second == 1
    assert (first.cancelled(), third.cancelled(), work.cancelled) == (True, True, 0)


async def test_the_last_cancelled_caller_cancels_the_work() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = await joined(flights, work, 3)
    for task in tasks:
        assert work.cancelled == 0
        task.cancel()
        await settle()
    assert work.cancelled == 1


async def test_a_caller_after_cancellation_starts_new_work() -> None:
    flights, work = SingleFlight[int](), Work()
    (first,) = await joined(flights, work, 1)
    first.cancel()
    second = asyncio.create_task(flights.join("k", work))  # in the same turn of the loop
    await settle()
    work.gate.set()
    assert await second == 2


async def test_an_exception_reaches_all_callers_and_is_not_kept() -> None:
    flights, work = SingleFlight[int](), Work()
    work.failure = ValueError("no")
    tasks = await joined(flights, work, 3)
    work.gate.set()
    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["no"] * 3
    work.failure = None
    assert await flights.join("k", work) == 2


async def test_a_caller_after_a_failure_starts_new_work() -> None:
    flights, work = SingleFlight[int](), Work()
    (first,) = await joined(flights, work, 1)
    work.failure = ValueError("no")
    work.gate.set()
    await asyncio.sleep(0)  # the work has ended, and its caller is not awake yet
    work.failure, work.gate = None, asyncio.Event()
    later = [asyncio.create_task(flights.join("k", work))]
    await settle()
    assert isinstance(first.exception(), ValueError)
    later += await joined(flights, work, 1)
    work.gate.set()
    assert await asyncio.gather(*later) == [2, 2]


async def test_an_exception_without_callers_is_not_logged() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    async def clean_up_badly() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("while cleaning up")
        return 0

    task = asyncio.create_task(SingleFlight[int]().join("k", clean_up_badly))
    await settle()
    task.cancel()
    await settle()
    del task
    gc.collect()
    assert not complaints


@given(st.lists(st.sampled_from(["join", "leave", "finish", "fail", "turn"]), max_size=40))
async def test_every_remaining_caller_gets_a_result(steps: list[str]) -> None:
    """At most one piece of work runs at a time, and none without a caller."""
    flights, work = SingleFlight[int](), Work()
    there: list[asyncio.Task[int]] = []
    for step in steps:
        if step == "join":
            there.append(asyncio.create_task(flights.join("k", work)))
        elif step == "leave" and there:
            there.pop(len(there) // 2).cancel()
        elif step in ("finish", "fail"):
            work.failure = ValueError("no") if step == "fail" else None
            work.gate.set()
            await settle()
            assert all(task.done() for task in there)
            assert [task for task in there if task.cancelled()] == []
            there, work.gate = [], asyncio.Event()
        else:
            await settle()
            waiting = [task for task in there if not task.done()]
            assert len(flights._flights) == bool(waiting)
    for task in there:
        task.cancel()
    await settle()
    assert not flights._flights
    assert not flights._cancelled


async def test_a_caller_with_a_deadline_of_its_own() -> None:
    flights, work = SingleFlight[int](), Work()
    (patient,) = await joined(flights, work, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await flights.join("k", work)
    work.gate.set()
    assert await patient == 1
