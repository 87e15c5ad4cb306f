"""What was found before is found at once, and never when anything has changed."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.adapters.memory_cache import MemoryCache
from rag.errors import DependencyUnavailable
from rag.ports import Cache
from rag.retrieve.cache.question_group import UnitVector
from rag.retrieve.cache.retrieval_cache import CacheLookup, CacheState, RetrievalCache
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.slow_cache import SlowCache

STATE = {"store": "s", "revision": 1, "filters": None, "options": '{"top_k": 4}', "models": ["encoder", "", ""]}
EMBEDDER = FakeEmbedder()


def pack(value: str) -> bytes:
    return json.dumps({"found": value}).encode()


def unpack(data: bytes) -> str:
    try:
        return str(json.loads(data)["found"])
    except KeyError:
        raise ValueError("this is of another release") from None


def keeping(cache: Cache | None = None, semantic: float | None = None, ttl_s: float = 60.0) -> RetrievalCache[str]:
    return RetrievalCache(cache or MemoryCache(1 << 20), pack, unpack, ttl_s=ttl_s, semantic=semantic)


class Asker:
    """Asks `kept`, and counts the searches and the vectors that it took."""

    def __init__(self, kept: RetrievalCache[str]) -> None:
        self._kept = kept
        self.searches = 0
        self.vectors = 0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(
        self, question: str, state: CacheState = STATE, *, seen: CacheState | None = None
    ) -> CacheLookup[str]:
        async def work() -> tuple[str, CacheState]:
            self.searches += 1
            number = self.searches
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return f"search {number}", state if seen is None else seen

        async def vector() -> UnitVector:
            self.vectors += 1
            return np.asarray((await EMBEDDER.encode([question], "query"))[0])

        return await self._kept.found(question, state, work, vector)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_second_time_nothing_is_searched() -> None:
    asker = Asker(keeping())
    cold, warm = await asker.ask("what?"), await asker.ask("what?")
    assert (cold.value, cold.cached) == ("search 1", False)
    assert (warm.value, warm.cached, warm.key) == ("search 1", True, cold.key)
    assert (asker.searches, asker.vectors) == (1, 0)


@pytest.mark.parametrize("other", ["What?", "what? ", "what", "", "was?"])
async def test_another_question_is_another_search(other: str) -> None:
    asker = Asker(keeping())
    await asker.ask("what?")
    assert (await asker.ask(other)).value == "search 2"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.text(max_size=5), VALUE, min_size=1, max_size=5), st.booleans(), st.data())
async def test_whatever_changes_of_the_state_is_another_search(
    state: dict[str, Any], semantic: bool, data: st.DataObject
) -> None:
    asker = Asker(keeping(semantic=0.5 if semantic else None))
    await asker.ask("what?", state)
    name = data.draw(st.sampled_from(sorted(state)))
    value = data.draw(VALUE.filter(lambda value: json.dumps(value) != json.dumps(state[name])))
    less = {key: part for key, part in state.items() if key != name}
    for changed in (state | {name: value}, less, state | {name + "'": value}):
        if json.dumps(changed, sort_keys=True) != json.dumps(state, sort_keys=True):
            assert not (await asker.ask("what?", changed)).cached
    assert (await asker.ask("what?", state)).value == "search 1"


async def test_it_is_kept_for_its_time_alone() -> None:
    asker = Asker(keeping(ttl_s=0.05))
    await asker.ask("what?")
    assert (await asker.ask("what?")).cached
    await asyncio.sleep(0.1)
    assert not (await asker.ask("what?")).cached


async def test_what_failed_is_not_kept() -> None:
    asker = Asker(keeping())
    asker.failure = DependencyUnavailable("Milvus does not answer")
    with pytest.raises(DependencyUnavailable):
        await asker.ask("what?")
    asker.failure = None
    assert (await asker.ask("what?")).value == "search 2"


async def test_what_was_given_up_is_not_kept() -> None:
    asker = Asker(keeping())
    asker.gate.clear()
    asking = asyncio.create_task(asker.ask("what?"))
    await settle()
    asking.cancel()
    await settle()
    asker.gate.set()
    assert (await asker.ask("what?")).value == "search 2"


async def test_equal_questions_at_once_are_one_search() -> None:
    asker = Asker(keeping())
    asker.gate.clear()
    asking = [asyncio.create_task(asker.ask("what?")) for _ in range(20)]
    await settle()
    asking[0].cancel()
    await settle()
    asker.gate.set()
    assert [outcome.value for outcome in await asyncio.gather(*asking[1:])] == ["search 1"] * 19
    assert asker.searches == 1
    assert (await asker.ask("what?")).cached


async def test_what_saw_a_newer_state_is_kept_under_that_one() -> None:
    asker = Asker(keeping())
    newer = STATE | {"revision": 2}
    outcome = await asker.ask("what?", STATE, seen=newer)
    assert not outcome.cached
    assert (await asker.ask("what?", newer)).value == outcome.value
    assert (await asker.ask("what?", newer)).key == outcome.key
    assert (await asker.ask("what?", STATE)).value == "search 2"


async def test_what_is_not_to_be_kept_is_not() -> None:
    kept, searches = keeping(semantic=0.8), 0

    async def work() -> tuple[str, None]:
        nonlocal searches
        searches += 1
        return "without a part", None

    async def vector() -> UnitVector:
        return np.array([1, 0, 0], dtype=np.float32)

    for _ in range(2):
        assert await kept.found("what?", STATE, work, vector) == CacheLookup("without a part", "", cached=False)
    assert searches == 2


async def test_a_question_that_means_the_same_has_the_earlier_ones_hits() -> None:
    asker = Asker(keeping(semantic=0.8))
    first = await asker.ask("how do I create an index")
    near = await asker.ask("how do I create one index")
    assert (near.value, near.cached, near.key) == (first.value, True, first.key)
    far = await asker.ask("what is a vector")
    assert (far.value, far.cached) == ("search 2", False)
    assert (await asker.ask("how do I create one index", STATE | {"revision": 2})).value == "search 3"


async def test_an_equal_question_needs_no_vector() -> None:
    asker = Asker(keeping(semantic=0.8))
    await asker.ask("what?")
    await asker.ask("what?")
    assert asker.vectors == 1


async def test_what_means_the_same_is_measured_from_the_question_that_was_searched() -> None:
    """Not from one that was itself only near: else a chain of them would lead anywhere."""
    asker = Asker(keeping(semantic=0.7))
    words = ["a", "b", "c", "d", "e", "f", "g", "h"]
    await asker.ask(" ".join(words))
    outcomes = []
    for n in range(len(words)):
        words[n] = f"other{n}"
        outcomes.append((await asker.ask(" ".join(words))).value)
    assert outcomes[0] == "search 1"
    assert outcomes[-1] != "search 1"


async def test_a_vector_of_another_encoder_is_not_remembered() -> None:
    """The encoder was changed while the question was on its way."""
    kept = keeping(semantic=0.8)
    newer = STATE | {"models": ["another", "", ""]}
    await Asker(kept).ask("how do I create an index", STATE, seen=newer)

    async def work() -> tuple[str, CacheState]:
        return "searched", newer

    async def vector() -> UnitVector:
        return np.array([1, 0, 0], dtype=np.float32)

    assert (await kept.found("how do I create one index", newer, work, vector)).value == "searched"
    assert (await kept.found("how do I create an index", newer, work, vector)).value == "search 1"


async def test_what_another_release_kept_is_searched_anew(caplog: pytest.LogCaptureFixture) -> None:
    cache = MemoryCache(1 << 20)
    asker = Asker(keeping(cache))
    key = (await asker.ask("what?")).key
    await cache.put(key, b'{"other": 1}', 60)
    assert (await asker.ask("what?")).value == "search 2"
    assert "of another release" in caplog.text
    assert (await asker.ask("what?")).cached


async def test_what_cannot_be_packed_is_answered_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(value: str) -> bytes:
        raise TypeError("cannot be packed")

    asker = Asker(RetrievalCache(MemoryCache(1 << 20), refuse, unpack, ttl_s=60))
    assert [(await asker.ask("what?")).value for _ in range(2)] == ["search 1", "search 2"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


# --- a store that changes while it is asked ----------------------------------------------------


class World:
    """A vector store whose every revision holds other documents, and sometimes has another encoder."""

    def __init__(self, turns: Callable[[], int]) -> None:
        self.revision = 0
        self.encoder = 0
        self._turns = turns

    def publish(self, *, other_encoder: bool) -> None:
        self.revision += 1
        self.encoder += other_encoder

    def state(self) -> dict[str, int]:
        return {"revision": self.revision, "encoder": self.encoder}

    async def ask(self, kept: RetrievalCache[str], question: int) -> tuple[CacheLookup[str], range]:
        """What was found, and the revisions that were current while it was asked."""
        first = self.revision
        await self._pause()
        state = self.state()

        async def work() -> tuple[str, CacheState]:
            await self._pause()
            seen = self.state()
            await self._pause()
            return f"{question} {seen['revision']}", seen

        async def vector() -> UnitVector:
            await self._pause()
            made = np.zeros(2 + state["encoder"] % 3, dtype=np.float32)
            made[:2] = np.cos(question / 2), np.sin(question / 2)
            return made

        outcome = await kept.found(str(question), state, work, vector)
        return outcome, range(first, self.revision + 1)

    async def _pause(self) -> None:
        for _ in range(self._turns()):
            await asyncio.sleep(0)


STEP = (
    st.tuples(st.just("ask"), st.integers(0, 3))
    | st.tuples(st.just("turn"), st.integers(1, 12))
    | st.tuples(st.just("publish"), st.integers(0, 1))
    | st.tuples(st.just("leave"), st.integers(0, 9))
)
DELAYS = st.lists(st.integers(0, 5), min_size=1, max_size=12)


def cycled(delays: list[Any]) -> Callable[[], Any]:
    endless: Iterator[Any] = itertools.cycle(delays)
    return lambda: next(endless)


@settings(max_examples=400)
@given(
    st.lists(STEP, max_size=60),
    DELAYS,
    st.lists(st.integers(0, 5) | st.none(), min_size=1, max_size=12),
    st.sampled_from([None, 0.85]),
)
async def test_no_answer_is_from_a_revision_that_was_not_current(
    steps: list[tuple[str, int]], delays: list[int], answers: list[int | None], semantic: float | None
) -> None:
    """Whatever is published while questions are on their way, leave, share their work or find the cache down."""
    world = World(cycled(delays))
    kept = keeping(SlowCache(cycled(answers)), semantic)
    asking: list[tuple[int, asyncio.Task[tuple[CacheLookup[str], range]]]] = []
    for step, number in steps:
        if step == "ask":
            asking.append((number, asyncio.create_task(world.ask(kept, number))))
        elif step == "publish":
            world.publish(other_encoder=bool(number))
        elif step == "leave" and asking:
            asking.pop(number % len(asking))[1].cancel()
        else:
            for _ in range(number):
                await asyncio.sleep(0)
    for question, task in asking:
        outcome, current = await task
        of, revision = map(int, outcome.value.split())
        assert revision in current
        assert of == question or (outcome.cached and semantic is not None and abs(of - question) == 1)
    await settle()
    assert not kept._flights._flights
    await _all_is_kept_where_it_belongs(world, kept)


async def _all_is_kept_where_it_belongs(world: World, kept: RetrievalCache[str]) -> None:
    """In every state that there may have been: what is kept there is of that revision."""
    for revision, encoder, question in itertools.product(range(world.revision + 1), range(world.encoder + 1), range(4)):
        state = {"revision": revision, "encoder": encoder}

        async def work(state: CacheState = state) -> tuple[str, CacheState]:
            return "nothing", state

        outcome = await kept.found(str(question), state, work)
        assert outcome.value in ("nothing", f"{question} {revision}")
