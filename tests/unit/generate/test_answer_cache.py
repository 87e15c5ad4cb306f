"""Complete answers are cached, concurrent equal requests share one generation, partial answers are not stored."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.adapters.memory_cache import MemoryCache
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.generate.answer_cache import CachingGenerator, is_repeatable
from rag.ports import Cache, TokenStream
from rag.types import ModelInput, ReasoningDelta, RenderedChat, StreamEnd, StreamItem, TextDelta, Usage
from tests.fakes.language_model.ending_generator import EndingGenerator
from tests.fakes.language_model.generator import FakeGenerator
from tests.fakes.slow_cache import SlowCache

GREEDY: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 100}
PROMPT = (1, 2, 3)
TEXT = "one two three four five"


class ModelName:
    def __init__(self) -> None:
        self.name = "smol"

    def __call__(self) -> str:
        return self.name


def make_caching_generator(
    generator: Any, cache: Cache | None = None, model: ModelName | None = None, ttl_s: float = 60.0
) -> CachingGenerator:
    return CachingGenerator(generator, cache or MemoryCache(1 << 20), model or ModelName(), ttl_s=ttl_s)


async def deltas_of(
    caching_generator: CachingGenerator,
    prompt: ModelInput = PROMPT,
    sampling: Mapping[str, Any] = GREEDY,
    **options: Any,
) -> list[StreamItem]:
    async with caching_generator.generate(prompt, sampling, "id", **options) as stream:
        return [delta async for delta in stream]


@dataclass
class Reader:
    """An open stream of one reader, closed by `leave()`."""

    stream: TokenStream
    leave: Callable[[], Awaitable[None]]
    deltas: list[StreamItem] = field(default_factory=list)


async def open_reader(caching_generator: CachingGenerator) -> Reader:
    stack = contextlib.AsyncExitStack()
    return Reader(await stack.enter_async_context(caching_generator.generate(PROMPT, GREEDY, "id")), stack.aclose)


def text_of(deltas: Sequence[StreamItem]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def last_of(deltas: Sequence[StreamItem]) -> StreamEnd:
    assert isinstance(deltas[-1], StreamEnd)
    return deltas[-1]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_repeated_request_is_answered_from_the_cache() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    cold, warm = await deltas_of(caching_generator), await deltas_of(caching_generator)
    assert text_of(cold) == text_of(warm) == TEXT
    assert cold[:-1] == warm[:-1]  # the same deltas
    assert last_of(cold) == StreamEnd("stop", Usage(3, 5))
    assert last_of(warm) == StreamEnd("stop", Usage(3, 5), cached=True)
    assert len(generator.requests) == 1


async def test_deltas_are_never_empty() -> None:
    caching_generator = make_caching_generator(FakeGenerator(TEXT))
    for _ in range(2):
        assert all(delta.text for delta in await deltas_of(caching_generator) if isinstance(delta, TextDelta))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": (1, 2)},
        {"prompt": (1, 2, 4)},
        {"prompt": "1 2 3"},
        {"sampling": {**GREEDY, "max_tokens": 99}},
        {"sampling": {**GREEDY, "stop": ["."]}},
        {"sampling": {**GREEDY, "seed": 1}},
        {"sampling": {**GREEDY, "structured_outputs": {"json_object": True}}},
        {"key": "of the retriever"},
    ],
    ids=str,
)
async def test_a_different_request_misses_the_cache(change: dict[str, Any]) -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    await deltas_of(caching_generator)
    assert not last_of(await deltas_of(caching_generator, **change)).cached
    assert last_of(await deltas_of(caching_generator, **change)).cached
    assert len(generator.requests) == 2


async def test_a_different_language_model_misses_the_cache() -> None:
    generator, model = FakeGenerator(TEXT), ModelName()
    caching_generator = make_caching_generator(generator, model=model)
    await deltas_of(caching_generator)
    model.name = "other"
    assert not last_of(await deltas_of(caching_generator)).cached
    model.name = "smol"
    assert last_of(await deltas_of(caching_generator)).cached


async def test_a_key_replaces_the_prompt_in_the_cache_key() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    await deltas_of(caching_generator, (1, 2), key="a")
    assert last_of(await deltas_of(caching_generator, (7, 8, 9), key="a")).cached
    assert not last_of(await deltas_of(caching_generator, (1, 2), key="b")).cached


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.7}, {"temperature": None}, {"top_p": 0.1, "seed": None}])
async def test_random_sampling_is_not_cached(sampling: dict[str, Any]) -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    for _ in range(2):
        assert not last_of(await deltas_of(caching_generator, sampling=sampling)).cached
    assert len(generator.requests) == 2


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 0.0}, {"temperature": 0.7, "seed": 0}])
def test_deterministic_sampling_is_repeatable(sampling: dict[str, Any]) -> None:
    assert is_repeatable(sampling)


async def test_a_cached_answer_expires() -> None:
    caching_generator = make_caching_generator(FakeGenerator(TEXT), ttl_s=0.05)
    await deltas_of(caching_generator)
    await asyncio.sleep(0.1)
    assert not last_of(await deltas_of(caching_generator)).cached


async def test_an_answer_truncated_at_max_tokens_is_cached() -> None:
    caching_generator, truncating = make_caching_generator(FakeGenerator(TEXT)), {**GREEDY, "max_tokens": 2}
    await deltas_of(caching_generator, sampling=truncating)
    warm = await deltas_of(caching_generator, sampling=truncating)
    assert (text_of(warm), last_of(warm).finish_reason, last_of(warm).cached) == ("one two ", "length", True)


@pytest.mark.parametrize("finish_reason", ["abort", "error", "repetition", None])
async def test_an_answer_that_did_not_finish_is_not_cached(finish_reason: str | None) -> None:
    generator = EndingGenerator(finish_reason)
    caching_generator = make_caching_generator(generator)
    for _ in range(2):
        deltas = await deltas_of(caching_generator)
        assert text_of(deltas) == "half"
        last = [finish_reason] if finish_reason else []
        assert [delta.finish_reason for delta in deltas if isinstance(delta, StreamEnd)] == last
    assert generator.requests == 2


@pytest.mark.parametrize("dies_after", [0, 2, 5])
async def test_an_engine_failure_reaches_all_readers_and_is_not_cached(dies_after: int) -> None:
    generator = FakeGenerator(TEXT, dies_after=dies_after)
    caching_generator = make_caching_generator(generator)
    failures = await asyncio.gather(*(deltas_of(caching_generator) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [DependencyUnavailable] * 3
    assert len(generator.requests) == 1
    generator.dies_after = None
    assert text_of(await deltas_of(caching_generator)) == TEXT
    assert len(generator.requests) == 2


def refuse(prompt: str | Sequence[int], sampling: Mapping[str, Any]) -> str:
    raise InvalidRequest("prompt: is empty")


async def test_a_refusal_is_raised_before_the_stream_opens() -> None:
    caching_generator = make_caching_generator(FakeGenerator(refuse))
    refusals = await asyncio.gather(*(open_reader(caching_generator) for _ in range(2)), return_exceptions=True)
    assert [str(refusal) for refusal in refusals] == ["prompt: is empty"] * 2
    await settle()
    assert not caching_generator._shared


# --- concurrent readers of one generation -----------------------------------------------------------------------


async def test_entering_waits_for_acceptance_not_for_the_first_delta() -> None:
    generator = FakeGenerator(TEXT, start=asyncio.Event())
    reader = await open_reader(make_caching_generator(generator))
    assert generator.running == 1
    await reader.leave()
    await settle()
    assert (generator.running, generator.cancelled) == (0, 1)


async def test_concurrent_equal_requests_share_one_generation() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    results = await asyncio.gather(*(deltas_of(caching_generator) for _ in range(5)))
    assert [text_of(deltas) for deltas in results] == [TEXT] * 5
    assert len(generator.requests) == 1


async def test_a_late_reader_gets_the_text_from_the_beginning() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    first = await open_reader(caching_generator)
    deltas = [await anext(first.stream), await anext(first.stream)]
    second = await deltas_of(caching_generator)
    deltas += [delta async for delta in first.stream]
    await first.leave()
    assert deltas == second
    assert text_of(second) == TEXT
    assert len(generator.requests) == 1


async def test_a_reader_that_leaves_does_not_affect_the_others() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    caching_generator = make_caching_generator(generator)
    first, second = [await open_reader(caching_generator) for _ in range(2)]
    await first.leave()
    gate.set()
    assert text_of([delta async for delta in second.stream]) == TEXT
    await second.leave()
    assert last_of(await deltas_of(caching_generator)).cached


async def test_the_last_reader_to_leave_stops_the_engine_and_nothing_is_cached() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    caching_generator = make_caching_generator(generator)
    for reader in [await open_reader(caching_generator) for _ in range(2)]:
        assert generator.cancelled == 0
        await reader.leave()
        await settle()
    assert (generator.running, generator.cancelled) == (0, 1)
    gate.set()
    assert not last_of(await deltas_of(caching_generator)).cached
    assert len(generator.requests) == 2


async def test_a_reader_that_arrives_as_the_last_one_leaves_starts_a_new_generation() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    caching_generator = make_caching_generator(generator)
    await (await open_reader(caching_generator)).leave()
    second = await open_reader(caching_generator)
    await settle()
    third = await open_reader(caching_generator)
    assert len(generator.requests) == 2
    gate.set()
    assert [text_of([delta async for delta in reader.stream]) for reader in (second, third)] == [TEXT, TEXT]
    await second.leave()
    await third.leave()


async def test_a_reader_cancelled_before_acceptance_does_not_affect_the_others() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, accepts=gate)
    caching_generator = make_caching_generator(generator)
    cancelled_reader, remaining_reader = (asyncio.create_task(deltas_of(caching_generator)) for _ in range(2))
    await settle()
    cancelled_reader.cancel()
    await settle()
    gate.set()
    assert text_of(await remaining_reader) == TEXT
    assert cancelled_reader.cancelled()


async def test_a_slow_reader_does_not_block_the_others() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator)
    slow_reader = await open_reader(caching_generator)
    assert text_of(await deltas_of(caching_generator)) == TEXT
    assert generator.running == 0
    assert text_of([delta async for delta in slow_reader.stream]) == TEXT
    await slow_reader.leave()


async def test_an_answer_is_cached_if_its_reader_leaves_after_the_last_delta() -> None:
    caching_generator = make_caching_generator(FakeGenerator(TEXT), SlowCache(lambda: 10))
    async with caching_generator.generate(PROMPT, GREEDY, "id") as stream:
        async for delta in stream:
            if isinstance(delta, StreamEnd):
                break
    await settle()
    assert last_of(await deltas_of(caching_generator)).cached


async def test_a_reader_that_arrives_while_the_answer_is_being_stored_gets_it() -> None:
    generator = FakeGenerator(TEXT)
    caching_generator = make_caching_generator(generator, SlowCache(lambda: 10))
    first, second = await deltas_of(caching_generator), await deltas_of(caching_generator)
    assert [last_of(deltas).cached for deltas in (first, second)] == [False, True]
    assert len(generator.requests) == 1


async def test_a_failure_on_closing_after_the_last_delta_is_ignored() -> None:
    caching_generator = make_caching_generator(FakeGenerator(TEXT, closes_badly=True))
    assert text_of(await deltas_of(caching_generator)) == TEXT
    await settle()
    assert last_of(await deltas_of(caching_generator)).cached


async def test_a_cache_entry_of_another_release_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    class OutdatedCache(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            value = await super().get(key)
            return None if value is None else b'{"text": "of another release"}'

    caching_generator = make_caching_generator(FakeGenerator(TEXT), OutdatedCache(1 << 20))
    for _ in range(2):
        assert text_of(await deltas_of(caching_generator)) == TEXT
        await settle()
    assert "unknown format" in caplog.text


STEP = st.tuples(st.sampled_from(["ask", "read", "leave", "turn", "die", "live"]), st.integers(0, 9))


@settings(max_examples=200)
@given(st.lists(STEP, max_size=50), st.lists(st.integers(0, 4) | st.none(), min_size=1, max_size=8))
async def test_every_remaining_reader_gets_the_whole_text(
    steps: list[tuple[str, int]], delays: list[int | None]
) -> None:
    """Or gets the engine's failure. When all have left, no generation is running."""
    generator, delay_cycle = FakeGenerator(TEXT), itertools.cycle(delays)
    caching_generator = make_caching_generator(generator, SlowCache(lambda: next(delay_cycle)))
    readers: list[Reader] = []
    for step, number in steps:
        if step == "ask":
            with contextlib.suppress(DependencyUnavailable):
                readers.append(await open_reader(caching_generator))
        elif step == "read" and readers:
            reader = readers[number % len(readers)]
            with contextlib.suppress(StopAsyncIteration, DependencyUnavailable):
                reader.deltas.append(await anext(reader.stream))
        elif step == "leave" and readers:
            await readers.pop(number % len(readers)).leave()
        elif step in ("die", "live"):
            generator.dies_after = number % 5 if step == "die" else None
        else:
            for _ in range(number):
                await asyncio.sleep(0)
    for reader in readers:
        with contextlib.suppress(DependencyUnavailable):
            reader.deltas += [delta async for delta in reader.stream]
        assert TEXT.startswith(text_of(reader.deltas))
        assert not any(isinstance(delta, StreamEnd) for delta in reader.deltas[:-1])
        if reader.deltas and isinstance(reader.deltas[-1], StreamEnd):
            assert text_of(reader.deltas) == TEXT
        await reader.leave()
    await settle()
    assert generator.running == 0
    assert not caching_generator._shared
    generator.dies_after = None
    assert text_of(await deltas_of(caching_generator)) == TEXT


async def test_thinking_is_not_cached_and_its_options_are_part_of_the_key() -> None:
    generator = FakeGenerator(TEXT, reasoning="hm well")
    caching_generator = make_caching_generator(generator)
    prompt = RenderedChat(PROMPT, {"reasoning_effort": "low"})
    first = await deltas_of(caching_generator, prompt, key="k")
    again = await deltas_of(caching_generator, prompt, key="k")
    assert [delta for delta in first if isinstance(delta, ReasoningDelta)]
    assert first[2:-1] == again[:-1]
    assert last_of(again) == StreamEnd("stop", Usage(3, 7, 0, 2), cached=True)
    for other in (RenderedChat(PROMPT, {"reasoning_effort": "none"}), replace(prompt, thinks=False)):
        assert not last_of(await deltas_of(caching_generator, other, key="k")).cached
