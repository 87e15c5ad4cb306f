"""While several callers are active, each has a few requests that are worked on; one that is alone has no limit."""

from __future__ import annotations

import asyncio

import pytest

from rag.errors import Overloaded
from rag.queues import caller_turns
from rag.queues.caller_turns import CallerTurns, Turn
from tests.support.servers.loopback import until


class Requests:
    """Requests that hold their turn until they are told to end. Their names begin with their caller."""

    def __init__(self, each: int = 1, max_wait_s: float = 60.0) -> None:
        self.now = 100.0
        self.turns = CallerTurns(each, max_wait_s=max_wait_s, clock=lambda: self.now)
        self.running: dict[str, Turn] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def send(self, *names: str) -> None:
        for name in names:
            self._ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._work(name))
        await settle()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        await settle()

    async def _work(self, name: str) -> None:
        async with self.turns.turn(name[0]) as turn:
            self.running[name] = turn
            try:
                await self._ends[name].wait()
            finally:
                del self.running[name]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_caller_that_is_alone_is_not_limited() -> None:
    requests = Requests()
    await requests.send("a1", "a2", "a3")
    assert set(requests.running) == {"a1", "a2", "a3"}


async def test_each_caller_has_its_turns_while_another_is_active() -> None:
    requests = Requests(each=2)
    await requests.send("b1", "a1", "a2", "a3", "b2", "a4")
    assert set(requests.running) == {"a1", "a2", "b1", "b2"}
    await requests.end("a2")
    assert set(requests.running) == {"a1", "a3", "b1", "b2"}
    await requests.end("b1", "b2")
    assert set(requests.running) == {"a1", "a3"}


async def test_when_the_others_have_been_silent_everything_that_waits_begins() -> None:
    requests = Requests()
    await requests.send("b1", "a1", "a2", "a3")
    await requests.end("b1")
    requests.now += 11
    await requests.end("a1")
    assert set(requests.running) == {"a2", "a3"}


async def test_a_turn_that_has_ended_lets_the_next_request_begin_once() -> None:
    requests = Requests()
    await requests.send("b1", "a1", "a2", "a3")
    for _ in range(2):
        requests.running["a1"].end()
    await settle()
    assert set(requests.running) == {"b1", "a1", "a2"}
    await requests.end("a1")
    assert set(requests.running) == {"b1", "a2"}


async def test_a_request_that_takes_long_does_not_keep_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_turns, "_LONGEST_TURN_S", 0.01)
    requests = Requests()
    await requests.send("b1", "a1", "a2")
    await until(lambda: set(requests.running) == {"b1", "a1", "a2"})


async def test_a_request_that_leaves_gives_up_its_place() -> None:
    requests = Requests()
    await requests.send("b1", "a1", "a2", "a3")
    requests.tasks["a2"].cancel()
    requests.tasks["a1"].cancel()
    await settle()
    assert set(requests.running) == {"b1", "a3"}


async def test_a_request_that_leaves_in_the_moment_of_its_turn_passes_it_on() -> None:
    requests = Requests()
    await requests.send("b1", "a1", "a2", "a3")
    requests.running["a1"].end()
    requests.tasks["a2"].cancel()
    await settle()
    assert set(requests.running) == {"b1", "a1", "a3"}


async def test_a_request_waits_for_its_turn_for_a_limited_time() -> None:
    requests = Requests(max_wait_s=0.01)
    await requests.send("b1", "a1", "a2")
    with pytest.raises(Overloaded):
        await requests.tasks["a2"]
    await requests.end("a1")
    await requests.send("a3")
    assert set(requests.running) == {"b1", "a3"}


async def test_a_limited_number_of_a_callers_requests_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_turns, "_MAX_WAITING", 2)
    requests = Requests()
    await requests.send("b1", "a1", "a2", "a3", "a4", "b2")
    with pytest.raises(Overloaded):
        await requests.tasks["a4"]
    await requests.end("b1", "a1")
    assert set(requests.running) == {"b2", "a2"}
