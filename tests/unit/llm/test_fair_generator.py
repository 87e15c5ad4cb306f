"""Callers share the language model: texts and grammars wait for their turn."""

from __future__ import annotations

import asyncio

import pytest

from rag.auth.caller import Caller, current_caller, working_for
from rag.errors import ContextLengthExceeded, Overloaded, Starting
from rag.llm.fair_generator import FairGenerator
from rag.queues.fair_queue import FairQueue, QueueLimits
from rag.types import JsonObject
from tests.fakes import FakeGenerator
from tests.support.servers.loopback import until
from tests.unit.queues.test_fair_queue import settle

TEXT = "one two three"


def caller(name: str) -> Caller:
    return Caller(f"key_{name}", "acme", frozenset())


class Service:
    """A language model with room for `capacity` texts. Requests go on until they are closed."""

    def __init__(
        self, capacity: int = 4, *, grammar_chars: int = 100, model: FakeGenerator | None = None, max_waiting: int = 9
    ) -> None:
        self.model = model or FakeGenerator(TEXT)
        limits = QueueLimits(max_waiting=max_waiting)
        self.texts, self.grammars = FairQueue("generate", 1, limits), FairQueue("grammar", grammar_chars, limits)
        self.capacity = capacity
        self.generator = FairGenerator(
            self.model, self.texts, self.grammars, capacity=lambda: self.capacity, temperature=0.0
        )
        self.running: list[str] = []

    async def request(self, name: str, **sampling: object) -> asyncio.Task[None]:
        token = current_caller.set(caller(name[0]))
        try:
            task = asyncio.create_task(self._run(name, sampling))
        finally:
            current_caller.reset(token)
        await settle()
        return task

    async def _run(self, name: str, sampling: JsonObject) -> None:
        async with self.generator.generate("hello", sampling, name):
            self.running.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.running.remove(name)


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settle()


async def test_a_request_counts_as_many_texts_as_it_asks_for() -> None:
    service = Service(4)
    tasks = [await service.request("a1", n=3, temperature=1.0), await service.request("a2", n=2, temperature=1.0)]
    tasks.append(await service.request("b1"))
    assert service.running == ["a1", "b1"]
    assert service.generator.facts() == {"waiting": 1, "saturated": False}
    await stop(tasks[0])
    assert service.running == ["b1", "a2"]
    await stop(*tasks)
    assert (service.texts.used, service.model.running) == (0, 0)


async def test_copies_of_one_text_count_as_one() -> None:
    service = Service(4)
    tasks = [await service.request("a1", n=3), await service.request("a2", n=3, temperature=None)]
    assert service.texts.used == 2
    await stop(*tasks)


async def test_grammars_are_not_compiled_all_at_once() -> None:
    service = Service(9, model=FakeGenerator(TEXT, accepts=asyncio.Event()))
    choice = {"choice": ["x" * 60]}
    tasks = [await service.request(name, structured_outputs=choice) for name in ("a1", "a2", "b1")]
    assert service.texts.used == 3
    assert service.grammars.waiting == 2
    await stop(tasks[1])  # a client that leaves takes its grammar with it
    assert service.grammars.waiting == 1
    assert service.model.accepts is not None
    service.model.accepts.set()
    await until(lambda: service.running == ["a1", "b1"])
    assert service.grammars.used == 0  # after the first token
    await stop(*tasks)


async def test_a_grammar_keeps_its_place_until_it_is_compiled_although_its_client_has_left() -> None:
    compiled = asyncio.Event()
    service = Service(9, model=FakeGenerator(TEXT, accepts=compiled))
    choice = {"choice": ["x" * 60]}
    left = await service.request("a1", structured_outputs=choice)
    await stop(left)
    assert left.cancelled()
    assert service.texts.used == 0
    tasks = [await service.request(name, structured_outputs=choice) for name in ("a2", "b1")]
    assert service.grammars.waiting == 2
    compiled.set()
    await until(lambda: service.running == ["a2", "b1"])
    assert (service.grammars.used, service.model.running) == (0, 2)
    await stop(*tasks)
    assert (service.texts.used, service.model.running) == (0, 0)


async def test_a_grammar_that_fails_after_its_client_has_left_gives_its_place_back() -> None:
    compiled = asyncio.Event()
    service = Service(9, model=FakeGenerator(TEXT, accepts=compiled))
    await stop(await service.request("a1", structured_outputs={"choice": []}))
    assert service.grammars.used > 0
    compiled.set()
    await until(lambda: service.grammars.used == 0)
    assert service.model.running == 0


async def test_a_refused_request_gives_its_place_back() -> None:
    service = Service(1, model=FakeGenerator(TEXT, context_tokens=1))
    with pytest.raises(ContextLengthExceeded):
        async with service.generator.generate("a b c", {"max_tokens": 9}, "id"):
            pass
    assert (service.texts.used, service.grammars.used) == (0, 0)


async def test_the_stream_is_passed_on() -> None:
    service = Service(1)
    async with service.generator.generate("a", {}, "id", model="sql") as stream:
        assert len([delta async for delta in stream]) == 4
    assert service.model.models == ["sql"]


async def test_a_model_that_is_loading_has_no_queue() -> None:
    def loading() -> int:
        raise Starting("the model is loading")

    generator = FairGenerator(
        FakeGenerator(), FairQueue("generate", 1), FairQueue("grammar", 1), capacity=loading, temperature=0.0
    )
    with pytest.raises(Starting):
        async with generator.generate("a", {}, "id"):
            pass


async def test_jobs_wait_for_clients() -> None:
    service = Service(1)
    running = await service.request("a1")
    with working_for("vs_1"):
        job = asyncio.create_task(service._run("job", {}))
    await settle()
    waiting = await service.request("b1")
    await stop(running)
    assert service.running == ["b1"]
    await stop(waiting)
    assert service.running == ["job"]
    await stop(job)


async def test_who_waits_too_much_is_refused() -> None:
    service = Service(1, max_waiting=1)
    tasks = [await service.request(name) for name in ("a1", "a2", "a3", "b1", "c1", "d1")]
    with pytest.raises(Overloaded):
        await tasks[2]
    assert service.generator.facts() == {"waiting": 4, "saturated": True}
    await stop(*tasks)
