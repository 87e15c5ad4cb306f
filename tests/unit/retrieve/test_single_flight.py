"""Equal questions at the same time are worked on once, whoever leaves."""

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


async def test_many_callers_share_one_work() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = await joined(flights, work, 5)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 5
    assert work.begun == 1


async def test_other_keys_are_other_work() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = [*await joined(flights, work, 2, "a"), *await joined(flights, work, 2, "b")]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1, 1, 2, 2]


async def test_what_came_out_is_not_kept() -> None:
    flights, work = SingleFlight[int](), Work()
    work.gate.set()
    assert [await flights.join("k", work), await flights.join("k", work)] == [1, 2]


async def test_a_caller_that_leaves_takes_nothing_from_the_others() -> None:
    flights, work = SingleFlight[int](), Work()
    first, second, third = await joined(flights, work, 3)
    first.cancel()
    third.cancel()
    await settle()
    work.gate.set()
    assert await second == 1
    assert (first.cancelled(), third.cancelled(), work.cancelled) == (True, True, 0)


async def test_the_last_that_leaves_ends_the_work() -> None:
    flights, work = SingleFlight[int](), Work()
    tasks = await joined(flights, work, 3)
    for task in tasks:
        assert work.cancelled == 0
        task.cancel()
        await settle()
    assert work.cancelled == 1


async def test_who_comes_after_the_last_has_left_begins_anew() -> None:
    flights, work = SingleFlight[int](), Work()
    (first,) = await joined(flights, work, 1)
    first.cancel()
    second = asyncio.create_task(flights.join("k", work))  # in the same turn of the loop
    await settle()
    work.gate.set()
    assert await second == 2


async def test_an_exception_goes_to_all_and_is_not_kept() -> None:
    flights, work = SingleFlight[int](), Work()
    work.failure = ValueError("no")
    tasks = await joined(flights, work, 3)
    work.gate.set()
    assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["no"] * 3
    work.failure = None
    assert await flights.join("k", work) == 2


async def test_who_comes_when_it_has_failed_begins_anew_though_nobody_has_heard_of_it_yet() -> None:
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


async def test_an_exception_that_nobody_waits_for_any_more_is_not_complained_of() -> None:
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
async def test_whoever_stays_gets_an_answer(steps: list[str]) -> None:
    """There is never more than one work at a time, and none without a caller."""
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
