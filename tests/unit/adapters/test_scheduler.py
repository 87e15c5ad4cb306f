from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.adapters.sentence_transformers.scheduler import (
    ComputeScheduler,
    in_original_order,
    passages_at_once,
    slices_by_length,
)
from rag.auth.caller import Caller, current_caller, working_for
from rag.config import EmbedderSettings
from tests.support.servers.loopback import until


class Work:
    """Pieces of work that are held until `go`; notes what has begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._gates: dict[str, threading.Event] = {}

    def piece(self, name: str) -> Callable[[], str]:
        gate = self._gates[name] = threading.Event()

        def compute() -> str:
            self.begun.append(name)
            assert gate.wait(10)
            return name

        return compute

    def go(self, *names: str) -> None:
        for name in names or list(self._gates):
            self._gates[name].set()


async def begun(work: Work, *names: str) -> None:
    await until(lambda: sorted(work.begun) == sorted(names))
    await asyncio.sleep(0.02)
    assert sorted(work.begun) == sorted(names)


async def test_passages_wait_for_questions_and_candidates() -> None:
    turn, work = ComputeScheduler(max_wait_s=60), Work()
    question = asyncio.create_task(turn.question(work.piece("question")))
    candidates = asyncio.create_task(turn.candidates(work.piece("candidates")))
    await asyncio.sleep(0)
    passages = asyncio.create_task(turn.passages(work.piece("passages")))
    await begun(work, "question", "candidates")
    work.go("question")
    await begun(work, "question", "candidates")
    work.go("candidates")
    await begun(work, "question", "candidates", "passages")
    work.go()
    assert [await question, await candidates, await passages] == ["question", "candidates", "passages"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priorities of threads")
async def test_passages_have_a_lower_priority_for_the_operating_system() -> None:
    turn = ComputeScheduler()

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    usual = priority()
    assert await turn.passages(priority) == min(usual + 5, 19)
    assert [await turn.question(priority), await turn.candidates(priority)] == [usual, usual]


async def test_passages_have_a_turn_where_there_is_always_a_question() -> None:
    turn, work = ComputeScheduler(max_wait_s=0.05), Work()
    question = asyncio.create_task(turn.question(work.piece("question")))
    await asyncio.sleep(0)
    passages = asyncio.create_task(turn.passages(work.piece("passages")))
    await begun(work, "question", "passages")
    work.go()
    await asyncio.gather(question, passages)


async def test_questions_wait_for_nothing_but_questions() -> None:
    turn, work = ComputeScheduler(), Work()
    tasks = [
        asyncio.create_task(turn.passages(work.piece("passages"))),
        asyncio.create_task(turn.candidates(work.piece("candidates"))),
    ]
    await begun(work, "passages", "candidates")
    tasks += [asyncio.create_task(turn.question(work.piece(name))) for name in ("one", "two")]
    await begun(work, "passages", "candidates", "one")
    work.go()
    await asyncio.gather(*tasks)
    assert work.begun[-2:] == ["one", "two"]


@pytest.mark.parametrize("at_once", [1, 2])
async def test_slices_of_passages_run_in_parallel_up_to_a_number(at_once: int) -> None:
    turn, work = ComputeScheduler(4, passages_at_once=at_once), Work()
    names = ["one", "two", "three"]
    tasks = [asyncio.create_task(turn.passages(work.piece(name))) for name in names]
    await begun(work, *names[:at_once])
    work.go()
    assert await asyncio.gather(*tasks) == names


@pytest.mark.parametrize(("device", "at_once"), [("cpu", 3), ("cuda:0", 1)])
def test_each_core_computes_a_slice_of_passages_and_a_gpu_one(device: str, at_once: int) -> None:
    assert passages_at_once(EmbedderSettings(device=device, threads=3)) == at_once


@pytest.mark.parametrize("lane", ["question", "candidates", "passages"])
async def test_callers_take_turns(lane: str) -> None:
    turn, work = ComputeScheduler(1), Work()
    tasks = []
    for name in ("a1", "a2", "a3", "b1", "c1"):
        token = current_caller.set(Caller(f"key_{name[0]}", "acme", frozenset()))
        tasks.append(asyncio.create_task(getattr(turn, lane)(work.piece(name))))
        current_caller.reset(token)
    work.go()
    await asyncio.gather(*tasks)
    assert work.begun == ["a1", "a2", "b1", "c1", "a3"]


async def test_vector_stores_take_turns_with_their_documents_and_wait_for_clients() -> None:
    turn, work = ComputeScheduler(1), Work()
    tasks = []
    for name in ("a1", "a2", "a3", "b1"):
        with working_for(f"vs_{name[0]}"):
            tasks.append(asyncio.create_task(turn.passages(work.piece(name))))
    token = current_caller.set(Caller("key_1", "acme", frozenset()))
    tasks.append(asyncio.create_task(turn.passages(work.piece("embeddings of a client"))))
    current_caller.reset(token)
    work.go()
    await asyncio.gather(*tasks)
    assert work.begun[0] == "a1"
    assert work.begun.index("embeddings of a client") < work.begun.index("a2")
    assert work.begun.index("b1") < work.begun.index("a3")


async def test_candidates_share_the_cores() -> None:
    turn, work = ComputeScheduler(2), Work()
    tasks = [asyncio.create_task(turn.candidates(work.piece(name))) for name in ("one", "two", "three")]
    await begun(work, "one", "two")
    work.go()
    await asyncio.gather(*tasks)
    assert sorted(work.begun) == ["one", "three", "two"]


async def test_what_fails_holds_nobody_up() -> None:
    turn = ComputeScheduler()

    def fail() -> str:
        raise ValueError("broken")

    for lane in (turn.question, turn.candidates, turn.passages):
        with pytest.raises(ValueError, match="broken"):
            await lane(fail)
    assert await asyncio.wait_for(turn.passages(lambda: "done"), 5) == "done"


async def test_who_leaves_holds_nobody_up() -> None:
    turn, work = ComputeScheduler(), Work()
    running = asyncio.create_task(turn.question(work.piece("running")))
    leaving = asyncio.create_task(turn.question(work.piece("leaving")))
    await begun(work, "running")
    leaving.cancel()
    await asyncio.sleep(0.02)
    work.go("running")
    await running
    assert await asyncio.wait_for(turn.passages(lambda: "done"), 5) == "done"
    assert work.begun == ["running"]


@given(st.lists(st.integers(0, 100)), st.integers(1, 9))
def test_slices_hold_every_text_once(lengths: list[int], at_once: int) -> None:
    slices = slices_by_length(lengths, at_once)
    assert sorted(position for part in slices for position in part) == list(range(len(lengths)))
    assert all(len(part) <= at_once for part in slices)
    assert sum(len(part) < at_once for part in slices) <= 1
    in_turn = [lengths[position] for part in slices for position in part]
    assert in_turn == sorted(lengths, reverse=True)
    assert in_original_order(slices, [[lengths[position] for position in part] for part in slices]) == lengths


@given(st.lists(st.integers(0, 100)), st.integers(1, 9), st.integers(1, 200))
def test_slices_are_no_longer_than_allowed(lengths: list[int], at_once: int, most: int) -> None:
    slices = slices_by_length(lengths, at_once, most)
    assert sorted(position for part in slices for position in part) == list(range(len(lengths)))
    assert all(len(part) == 1 or len(part) * lengths[part[0]] <= most for part in slices)
    for part in slices[:-1]:
        assert len(part) == at_once or (len(part) + 1) * lengths[part[0]] > most, "there was room for another text"
