"""A repeated question is answered from the cache, and never after anything that it depends on has changed."""

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
from rag.retrieve.cache.retrieval_cache import CacheEntry, CacheState, RetrievalCache
from tests.fakes.encoders.embedder import FakeEmbedder
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


def make_cache(cache: Cache | None = None, semantic: float | None = None, ttl_s: float = 60.0) -> RetrievalCache[str]:
    return RetrievalCache(cache or MemoryCache(1 << 20), pack, unpack, ttl_s=ttl_s, semantic=semantic)


class Client:
    """Asks the cache, and counts how often it had to search and to encode."""

    def __init__(self, cache: RetrievalCache[str]) -> None:
        self._cache = cache
        self.searches = 0
        self.vectors = 0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, question: str, state: CacheState = STATE) -> CacheEntry[str]:
        async def compute(vector: UnitVector | None) -> str:
            self.searches += 1
            number = self.searches
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return f"search {number}"

        async def encode() -> UnitVector:
            self.vectors += 1
            return np.asarray((await EMBEDDER.encode([question], "query"))[0])

        return await self._cache.get_or_compute(question, state, compute, encode)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_repeated_question_is_not_searched_for() -> None:
    client = Client(make_cache())
    cold, warm = await client.ask("what?"), await client.ask("what?")
    assert (cold.value, cold.is_hit) == ("search 1", False)
    assert (warm.value, warm.is_hit, warm.key) == ("search 1", True, cold.key)
    assert (client.searches, client.vectors) == (1, 0)


@pytest.mark.parametrize("other", ["What?", "what? ", "what", "", "was?"])
async def test_a_different_question_is_searched_for(other: str) -> None:
    client = Client(make_cache())
    await client.ask("what?")
    assert (await client.ask(other)).value == "search 2"


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.text(max_size=5), VALUE, min_size=1, max_size=5), st.booleans(), st.data())
async def test_any_change_of_the_state_is_a_cache_miss(
    state: dict[str, Any], semantic: bool, data: st.DataObject
) -> None:
    client = Client(make_cache(semantic=0.5 if semantic else None))
    await client.ask("what?", state)
    name = data.draw(st.sampled_from(sorted(state)))
    value = data.draw(VALUE.filter(lambda value: json.dumps(value) != json.dumps(state[name])))
    less = {key: part for key, part in state.items() if key != name}
    for changed in (state | {name: value}, less, state | {name + "'": value}):
        if json.dumps(changed, sort_keys=True) != json.dumps(state, sort_keys=True):
            assert not (await client.ask("what?", changed)).is_hit
    assert (await client.ask("what?", state)).value == "search 1"


async def test_entries_expire() -> None:
    client = Client(make_cache(ttl_s=0.05))
    await client.ask("what?")
    assert (await client.ask("what?")).is_hit
    await asyncio.sleep(0.1)
    assert not (await client.ask("what?")).is_hit


async def test_errors_are_not_cached() -> None:
    client = Client(make_cache())
    client.failure = DependencyUnavailable("Milvus does not answer")
    with pytest.raises(DependencyUnavailable):
        await client.ask("what?")
    client.failure = None
    assert (await client.ask("what?")).value == "search 2"


async def test_a_cancelled_search_is_not_cached() -> None:
    client = Client(make_cache())
    client.gate.clear()
    asking = asyncio.create_task(client.ask("what?"))
    await settle()
    asking.cancel()
    await settle()
    client.gate.set()
    assert (await client.ask("what?")).value == "search 2"


async def test_equal_questions_at_once_are_one_search() -> None:
    client = Client(make_cache())
    client.gate.clear()
    asking = [asyncio.create_task(client.ask("what?")) for _ in range(20)]
    await settle()
    asking[0].cancel()
    await settle()
    client.gate.set()
    assert [outcome.value for outcome in await asyncio.gather(*asking[1:])] == ["search 1"] * 19
    assert client.searches == 1
    assert (await client.ask("what?")).is_hit


async def test_a_result_that_is_not_cacheable_is_computed_every_time() -> None:
    cache = RetrievalCache(MemoryCache(1 << 20), pack, unpack, lambda value: value != "partial", ttl_s=60, semantic=0.8)
    searches = 0

    async def compute(vector: UnitVector | None) -> str:
        nonlocal searches
        searches += 1
        return "partial"

    async def encode() -> UnitVector:
        return np.array([1, 0, 0], dtype=np.float32)

    for _ in range(2):
        entry = await cache.get_or_compute("what?", STATE, compute, encode)
        assert entry == CacheEntry("partial", "", is_hit=False)
    assert searches == 2


@pytest.mark.parametrize("semantic", [None, 0.8])
async def test_the_search_gets_the_vector_that_the_semantic_cache_computed(semantic: float | None) -> None:
    vector = np.array([1, 0, 0], dtype=np.float32)
    received: list[UnitVector | None] = []

    async def compute(question_vector: UnitVector | None) -> str:
        received.append(question_vector)
        return "found"

    async def encode() -> UnitVector:
        return vector

    await make_cache(semantic=semantic).get_or_compute("what?", STATE, compute, encode)
    assert received == [None if semantic is None else vector]


async def test_a_question_that_means_the_same_has_the_earlier_ones_hits() -> None:
    client = Client(make_cache(semantic=0.8))
    first = await client.ask("how do I create an index")
    near = await client.ask("how do I create one index")
    assert (near.value, near.is_hit, near.key) == (first.value, True, first.key)
    far = await client.ask("what is a vector")
    assert (far.value, far.is_hit) == ("search 2", False)
    assert (await client.ask("how do I create one index", STATE | {"revision": 2})).value == "search 3"


async def test_an_equal_question_needs_no_vector() -> None:
    client = Client(make_cache(semantic=0.8))
    await client.ask("what?")
    await client.ask("what?")
    assert client.vectors == 1


async def test_similarity_is_measured_to_the_question_that_was_searched_for() -> None:
    """Not from one that was itself only near: else a chain of them would lead anywhere."""
    client = Client(make_cache(semantic=0.7))
    words = ["a", "b", "c", "d", "e", "f", "g", "h"]
    await client.ask(" ".join(words))
    outcomes = []
    for n in range(len(words)):
        words[n] = f"other{n}"
        outcomes.append((await client.ask(" ".join(words))).value)
    assert outcomes[0] == "search 1"
    assert outcomes[-1] != "search 1"


async def test_an_entry_of_another_release_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    cache = MemoryCache(1 << 20)
    client = Client(make_cache(cache))
    key = (await client.ask("what?")).key
    await cache.put(key, b'{"other": 1}', 60)
    assert (await client.ask("what?")).value == "search 2"
    assert "of another release" in caplog.text
    assert (await client.ask("what?")).is_hit


async def test_a_result_that_cannot_be_packed_is_still_returned(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(value: str) -> bytes:
        raise TypeError("cannot be packed")

    client = Client(RetrievalCache(MemoryCache(1 << 20), refuse, unpack, ttl_s=60))
    assert [(await client.ask("what?")).value for _ in range(2)] == ["search 1", "search 2"]
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

    async def ask(self, cache: RetrievalCache[str], question: int) -> tuple[CacheEntry[str], range]:
        """The entry, and the revisions that were current while the question was on its way."""
        first = self.revision
        await self._pause()
        state = self.state()

        async def compute(vector: UnitVector | None) -> str:
            await self._pause()
            return f"{question} {state['revision']}"

        async def encode() -> UnitVector:
            await self._pause()
            made = np.zeros(2 + state["encoder"] % 3, dtype=np.float32)
            made[:2] = np.cos(question / 2), np.sin(question / 2)
            return made

        entry = await cache.get_or_compute(str(question), state, compute, encode)
        return entry, range(first, self.revision + 1)

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
    cache = make_cache(SlowCache(cycled(answers)), semantic)
    asking: list[tuple[int, asyncio.Task[tuple[CacheEntry[str], range]]]] = []
    for step, number in steps:
        if step == "ask":
            asking.append((number, asyncio.create_task(world.ask(cache, number))))
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
        assert of == question or (outcome.is_hit and semantic is not None and abs(of - question) == 1)
    await settle()
    assert not cache._flights._flights
    await _check_every_cached_result(world, cache)


async def _check_every_cached_result(world: World, cache: RetrievalCache[str]) -> None:
    """For every possible state: a cached result is one of that revision."""
    for revision, encoder, question in itertools.product(range(world.revision + 1), range(world.encoder + 1), range(4)):
        state = {"revision": revision, "encoder": encoder}

        async def compute(vector: UnitVector | None) -> str:
            return "nothing"

        outcome = await cache.get_or_compute(str(question), state, compute)
        assert outcome.value in ("nothing", f"{question} {revision}")
