"""A stage's capacity is shared fairly, never exceeded, and nothing waits for too long or forever."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import Overloaded
from rag.queues.fair_queue import FairQueue, QueueLimits
from tests.support.metric_values import Changes


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """Work in a queue that runs until it is told to end. Names of work begin with their caller."""

    def __init__(self, capacity: int, **limits: float) -> None:
        self.clock = Clock()
        self.queue = FairQueue("generate", capacity, QueueLimits(**limits), clock=self.clock)  # type: ignore[arg-type]
        self.begun: list[str] = []
        self.running: set[str] = set()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def submit(self, name: str, cost: int = 1, *, is_background: bool = False) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._work(name, cost, is_background))
        await settle()

    async def _work(self, name: str, cost: int, is_background: bool) -> None:
        async with self.queue.slot(name[0], cost, is_background=is_background):
            self.begun.append(name)
            self.running.add(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.discard(name)

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        await settle()

    async def cancel(self, *names: str) -> None:
        for name in names:
            self.tasks[name].cancel()
        await settle()

    def refused(self, name: str) -> Overloaded:
        with pytest.raises(Overloaded) as caught:
            self.tasks[name].result()
        return caught.value

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_a_single_caller_uses_everything() -> None:
    stage = Stage(3)
    for name in ("a1", "a2", "a3", "a4"):
        await stage.submit(name)
    assert stage.begun == ["a1", "a2", "a3"]
    await stage.end("a2")
    assert stage.begun[3:] == ["a4"]
    await stage.close()


async def test_callers_take_turns() -> None:
    stage = Stage(1)
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        await stage.submit(name)
    for _ in range(6):
        await stage.end(*stage.running)
    assert stage.begun == ["a1", "a2", "b1", "c1", "a3", "b2"]
    assert (stage.queue.used, stage.queue.waiting) == (0, 0)


async def test_by_time_the_caller_that_has_used_less_is_next() -> None:
    stage = Stage(1, by_time=True)
    await stage.submit("a1")
    stage.clock.now += 5
    await stage.submit("a2")
    await stage.submit("b1")
    await stage.end("a1")
    assert stage.running == {"b1"}
    await stage.submit("b2")
    stage.clock.now += 1
    await stage.end("b1")
    assert stage.running == {"b2"}  # b has used one second, a five
    await stage.submit("b3")
    stage.clock.now += 60  # the five seconds were long ago
    await stage.end("b2")
    assert stage.running == {"a2"}
    await stage.close()


async def test_by_time_no_caller_is_passed_over_forever() -> None:
    stage = Stage(1, by_time=True)
    await stage.submit("a1")
    stage.clock.now += 60
    await stage.submit("a2")
    for name in "bcdefg":
        await stage.submit(f"{name}1")
    for _ in range(8):
        await stage.end(*stage.running)
    assert stage.begun == ["a1", "b1", "c1", "d1", "e1", "a2", "f1", "g1"]


async def test_a_caller_with_little_work_begins_at_once_beside_one_with_much() -> None:
    stage = Stage(80, headroom=0.2)
    await stage.submit("a1", 64)
    await stage.submit("a2", 64)
    await stage.submit("b1")
    assert stage.begun == ["a1", "b1"]
    await stage.end("a1")
    assert stage.begun == ["a1", "b1", "a2"]  # b1 only uses the headroom
    await stage.close()


async def test_work_that_costs_more_than_a_caller_may_use_begins_nevertheless() -> None:
    stage = Stage(10, headroom=0.2)
    await stage.submit("a1", 1000)
    assert stage.begun == ["a1"]
    assert stage.queue.used == 8
    await stage.close()


async def test_the_headroom_is_not_for_a_caller_that_uses_much() -> None:
    stage = Stage(10, headroom=0.4)
    for number in range(8):
        await stage.submit(f"a{number}")
    assert len(stage.begun) == 6
    for caller in "bcde":
        await stage.submit(f"{caller}1")
    assert stage.begun[6:] == ["b1", "c1", "d1", "e1"]
    await stage.close()


async def test_large_work_is_not_passed_over_forever() -> None:
    stage = Stage(4)
    for number in range(4):
        await stage.submit(f"{'bcde'[number]}0")
    await stage.submit("a1", 4)
    for number in range(1, 9):  # others keep coming, one for each that ends
        for caller in "bcde":
            await stage.submit(f"{caller}{number}")
            await stage.end(next(name for name in stage.begun if name in stage.running and name != "a1"))
        if "a1" in stage.begun:
            break
    assert "a1" in stage.begun
    await stage.close()


async def test_a_small_request_is_not_passed_over_forever_by_smaller_ones() -> None:
    stage = Stage(16, headroom=0.5)
    await stage.submit("a0", 8)
    callers = "bcdefghi"
    for caller in callers:
        await stage.submit(f"{caller}0")
    await stage.submit("z1", 2)
    for number in range(1, 4):
        for caller in callers:
            await stage.submit(f"{caller}{number}")
            await stage.end(next(name for name in stage.begun if name in stage.running - {"a0", "z1"}))
    assert "z1" in stage.begun
    await stage.close()


async def test_a_caller_that_waits_for_its_own_work_holds_nobody_up() -> None:
    stage = Stage(20, headroom=0.2)
    await stage.submit("a1", 8)
    await stage.submit("a2", 16)
    for number in range(10):  # more than the capacity in total
        await stage.submit(f"b{number}", 3)
        assert stage.running == {"a1", f"b{number}"}
        await stage.end(f"b{number}")
    await stage.end("a1")
    assert stage.running == {"a2"}
    await stage.close()


async def test_background_work_begins_when_nothing_else_could() -> None:
    stage = Stage(1)
    await stage.submit("a1")
    await stage.submit("j1", is_background=True)
    await stage.submit("a2")
    await stage.end("a1")
    assert stage.begun == ["a1", "a2"]
    await stage.end("a2")
    assert stage.begun == ["a1", "a2", "j1"]
    await stage.close()


async def test_cancelled_work_leaves_the_queue() -> None:
    stage = Stage(1)
    for name in ("a1", "a2", "a3", "b1"):
        await stage.submit(name)
    await stage.cancel("a2")
    assert stage.queue.waiting == 2
    await stage.cancel("a1")
    await stage.end("b1", "a3")
    assert (stage.queue.used, stage.queue.waiting) == (0, 0)
    assert "a2" not in stage.begun


async def test_work_that_is_cancelled_together_leaves_nothing_behind() -> None:
    stage = Stage(1)
    for name in ("a1", "a2", "a3", "b1"):
        await stage.submit(name)
    await stage.cancel("a1", "a2", "b1")
    assert stage.begun == ["a1", "a3"]
    await stage.end("a3")
    assert (stage.queue.used, stage.queue.waiting) == (0, 0)


async def test_work_that_is_cancelled_as_its_turn_comes_passes_the_turn_on() -> None:
    stage = Stage(1)
    for name in ("a1", "a2", "b1"):
        await stage.submit(name)
    stage._ends["a1"].set()
    while stage.queue._waiting.count("a"):  # until a2 has its turn, which its task does not know yet
        await asyncio.sleep(0)
    stage.tasks["a2"].cancel()
    await settle()
    assert stage.begun == ["a1", "b1"]
    await stage.close()


async def test_one_caller_can_fill_its_own_queue_but_not_that_of_others() -> None:
    stage, changes = Stage(1, max_waiting=2), Changes("LLM")
    for name in ("a1", "a2", "a3", "a4"):
        await stage.submit(name)
    refusal = stage.refused("a4")
    assert refusal.message == "generate: 2 of your requests are waiting already; try again in 1 s"
    assert (refusal.code, refusal.retry_after_s) == ("overloaded", 1)
    assert changes['rag_queue_rejections_total{reason="caller_full",service="LLM",stage="generate"}'] == 1
    await stage.submit("b1")
    assert stage.queue.waiting == 3
    await stage.close()


async def test_when_everybodys_queue_is_full_new_callers_are_refused() -> None:
    stage = Stage(1, max_waiting=1)
    for caller in "abcdef":
        assert stage.queue.is_full == (caller == "f")
        await stage.submit(f"{caller}1")
    assert "4 requests are waiting already" in stage.refused("f1").message
    await stage.cancel("b1")
    assert not stage.queue.is_full
    await stage.close()


async def test_what_would_wait_for_too_long_is_refused_at_once() -> None:
    stage, changes = Stage(1, max_wait_s=60), Changes("LLM")
    await stage.submit("a1")
    stage.clock.now += 50
    await stage.end("a1")
    for name in ("b1", "b2", "b3", "c1"):
        await stage.submit(name)
    assert stage.begun == ["a1", "b1"]
    assert not stage.tasks["b2"].done()  # 50 s
    assert "wait for about 100 s" in stage.refused("b3").message
    assert stage.refused("b3").retry_after_s == 40
    assert "wait for about 100 s" in stage.refused("c1").message
    assert changes['rag_queue_rejections_total{reason="late",service="LLM",stage="generate"}'] == 2
    await stage.close()


async def test_what_waits_for_too_long_is_refused() -> None:
    stage, changes = Stage(1, max_wait_s=0.01), Changes("LLM")
    await stage.submit("a1")
    await stage.submit("b1")
    with contextlib.suppress(Overloaded):
        await asyncio.wait_for(stage.tasks["b1"], 60)
    assert "did not begin within 0.01 s" in stage.refused("b1").message
    assert stage.queue.waiting == 0
    assert changes['rag_queue_rejections_total{reason="timeout",service="LLM",stage="generate"}'] == 1
    await stage.close()


async def test_more_capacity_lets_waiting_work_begin() -> None:
    stage = Stage(1)
    for name in ("a1", "a2", "b1"):
        await stage.submit(name)
    stage.queue.resize(2)
    await settle()
    assert stage.begun == ["a1", "a2"]
    stage.queue.resize(1)
    await stage.end("a1")
    assert stage.begun == ["a1", "a2"]
    await stage.end("a2")
    assert stage.begun == ["a1", "a2", "b1"]
    await stage.close()


async def test_waits_and_depth_are_measured() -> None:
    stage, changes = Stage(1), Changes("LLM")
    await stage.submit("a1")
    await stage.submit("b1")
    labels = 'service="LLM",stage="generate"'
    assert changes[f"rag_queue_wait_seconds_count{{{labels}}}"] == 1
    assert stage.queue.waiting == 1
    stage.clock.now += 7
    await stage.end("a1")
    assert changes[f"rag_queue_wait_seconds_sum{{{labels}}}"] == 7
    await stage.end("b1")


# --- any sequence of events -------------------------------------------------------------------

arrivals = st.tuples(st.just("arrive"), st.sampled_from("abcd"), st.integers(1, 12), st.booleans())
ends = st.tuples(st.just("end"), st.integers(0, 50))
cancellations = st.tuples(st.just("cancel"), st.sets(st.integers(0, 50), min_size=1, max_size=4))
events = st.lists(st.one_of(arrivals, ends, cancellations), max_size=60)


def unfinished(stage: Stage) -> Iterator[str]:
    return (name for name, task in stage.tasks.items() if not task.done())


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.sampled_from([0.0, 0.2, 0.5]), events)
def test_the_capacity_is_never_exceeded_and_nothing_leaks_or_starves(
    capacity: int, headroom: float, sequence: list[tuple[object, ...]]
) -> None:
    asyncio.run(_run_events(Stage(capacity, headroom=headroom), capacity, sequence))


async def _run_events(stage: Stage, capacity: int, sequence: list[tuple[object, ...]]) -> None:
    costs: Counter[str] = Counter()
    for number, (kind, *details) in enumerate(sequence):
        if kind == "arrive":
            caller, cost, is_background = details
            name = f"{caller}{number}"
            await stage.submit(name, int(str(cost)), is_background=bool(is_background))
            costs[name] = min(int(str(cost)), stage.queue._shares.most)
        elif kind == "end" and (names := sorted(stage.running)):
            await stage.end(names[int(str(details[0])) % len(names)])
        elif kind == "cancel":
            await stage.cancel(*(name for position, name in enumerate(unfinished(stage)) if position in details[0]))  # type: ignore[operator]
        assert stage.queue.used == sum(costs[name] for name in stage.running) <= capacity
        assert stage.queue.waiting == len(list(unfinished(stage))) - len(stage.running)
        assert stage.running or not stage.queue.waiting
    for _ in range(len(stage.tasks) + 1):
        await stage.end(*stage.running)
    assert list(unfinished(stage)) == []
    assert (stage.queue.used, stage.queue.waiting) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.sampled_from([0.0, 0.25, 0.5]), st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_no_work_is_passed_over_forever_while_others_keep_the_stage_busy(
    capacity: int, headroom: float, costs: list[int]
) -> None:
    """Every caller sends its next work when its last one ends; the caller `z` has one large piece."""
    asyncio.run(_run_busy(Stage(capacity, headroom=headroom), costs))


async def _run_busy(stage: Stage, costs: list[int]) -> None:
    counts: Counter[str] = Counter()

    async def send(caller: str, cost: int) -> None:
        counts[caller] += 1
        await stage.submit(f"{caller}{counts[caller]}", cost)

    for number, cost in enumerate(costs):
        for _ in range(2):
            await send("abcdef"[number], cost)
    await stage.submit("z1", 1000)
    for _ in range(200):
        if "z1" in stage.begun:
            break
        oldest = next(name for name in stage.begun if name in stage.running)
        await stage.end(oldest)
        await send(oldest[0], costs["abcdef".index(oldest[0])])
    assert "z1" in stage.begun
    await stage.close()
