"""What was written before is read again, what is being written is read along, and nothing half is kept."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.adapters.memory_cache import MemoryCache
from rag.errors import DependencyUnavailable, InvalidRequest
from rag.generate.answer_cache import CachingGenerator, is_repeatable
from rag.ports import Cache, TokenStream
from rag.types import StreamEnd, TextDelta, Usage
from tests.fakes.ending_generator import EndingGenerator
from tests.fakes.generator import FakeGenerator
from tests.fakes.slow_cache import SlowCache

COLD: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 100}
PROMPT = (1, 2, 3)
TEXT = "one two three four five"


class Model:
    def __init__(self) -> None:
        self.name = "smol"

    def __call__(self) -> str:
        return self.name


def keeping(
    generator: Any, cache: Cache | None = None, model: Model | None = None, ttl_s: float = 60.0
) -> CachingGenerator:
    return CachingGenerator(generator, cache or MemoryCache(1 << 20), model or Model(), ttl_s=ttl_s)


async def deltas_of(
    answers: CachingGenerator, prompt: Sequence[int] | str = PROMPT, sampling: Mapping[str, Any] = COLD, **options: Any
) -> list[TextDelta | StreamEnd]:
    async with answers.generate(prompt, sampling, "id", **options) as stream:
        return [delta async for delta in stream]


@dataclass
class Reader:
    """One that has entered, and leaves when it is told to."""

    stream: TokenStream
    leave: Callable[[], Awaitable[None]]
    read: list[TextDelta | StreamEnd] = field(default_factory=list)


async def entered(answers: CachingGenerator) -> Reader:
    stack = contextlib.AsyncExitStack()
    return Reader(await stack.enter_async_context(answers.generate(PROMPT, COLD, "id")), stack.aclose)


def text_of(deltas: Sequence[TextDelta | StreamEnd]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def last_of(deltas: Sequence[TextDelta | StreamEnd]) -> StreamEnd:
    assert isinstance(deltas[-1], StreamEnd)
    return deltas[-1]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_second_time_nothing_is_written() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    cold, warm = await deltas_of(answers), await deltas_of(answers)
    assert text_of(cold) == text_of(warm) == TEXT
    assert cold[:-1] == warm[:-1]  # delta by delta
    assert last_of(cold) == StreamEnd("stop", Usage(3, 5))
    assert last_of(warm) == StreamEnd("stop", Usage(3, 5), cached=True)
    assert len(generator.requests) == 1


async def test_deltas_are_never_empty() -> None:
    answers = keeping(FakeGenerator(TEXT))
    for _ in range(2):
        assert all(delta.text for delta in await deltas_of(answers) if isinstance(delta, TextDelta))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": (1, 2)},
        {"prompt": (1, 2, 4)},
        {"prompt": "1 2 3"},
        {"sampling": {**COLD, "max_tokens": 99}},
        {"sampling": {**COLD, "stop": ["."]}},
        {"sampling": {**COLD, "seed": 1}},
        {"sampling": {**COLD, "structured_outputs": {"json_object": True}}},
        {"key": "of the retriever"},
    ],
    ids=str,
)
async def test_whatever_changes_of_the_request_is_written_anew(change: dict[str, Any]) -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    await deltas_of(answers)
    assert not last_of(await deltas_of(answers, **change)).cached
    assert last_of(await deltas_of(answers, **change)).cached
    assert len(generator.requests) == 2


async def test_another_language_model_writes_anew() -> None:
    generator, model = FakeGenerator(TEXT), Model()
    answers = keeping(generator, model=model)
    await deltas_of(answers)
    model.name = "other"
    assert not last_of(await deltas_of(answers)).cached
    model.name = "smol"
    assert last_of(await deltas_of(answers)).cached


async def test_a_key_stands_for_the_prompt() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    await deltas_of(answers, (1, 2), key="a")
    assert last_of(await deltas_of(answers, (7, 8, 9), key="a")).cached
    assert not last_of(await deltas_of(answers, (1, 2), key="b")).cached


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.7}, {"temperature": None}, {"top_p": 0.1, "seed": None}])
async def test_what_would_come_out_otherwise_is_written_each_time(sampling: dict[str, Any]) -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    for _ in range(2):
        assert not last_of(await deltas_of(answers, sampling=sampling)).cached
    assert len(generator.requests) == 2


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 0.0}, {"temperature": 0.7, "seed": 0}])
def test_what_comes_out_the_same_again(sampling: dict[str, Any]) -> None:
    assert is_repeatable(sampling)


async def test_it_is_kept_for_its_time_alone() -> None:
    answers = keeping(FakeGenerator(TEXT), ttl_s=0.05)
    await deltas_of(answers)
    await asyncio.sleep(0.1)
    assert not last_of(await deltas_of(answers)).cached


async def test_an_answer_that_was_cut_at_max_tokens_is_whole() -> None:
    answers, short = keeping(FakeGenerator(TEXT)), {**COLD, "max_tokens": 2}
    await deltas_of(answers, sampling=short)
    warm = await deltas_of(answers, sampling=short)
    assert (text_of(warm), last_of(warm).finish_reason, last_of(warm).cached) == ("one two ", "length", True)


@pytest.mark.parametrize("finish_reason", ["abort", "error", "repetition", None])
async def test_what_did_not_end_well_is_not_kept(finish_reason: str | None) -> None:
    generator = EndingGenerator(finish_reason)
    answers = keeping(generator)
    for _ in range(2):
        deltas = await deltas_of(answers)
        assert text_of(deltas) == "half"
        last = [finish_reason] if finish_reason else []
        assert [delta.finish_reason for delta in deltas if isinstance(delta, StreamEnd)] == last
    assert generator.requests == 2


@pytest.mark.parametrize("dies_after", [0, 2, 5])
async def test_an_engine_that_dies_is_told_to_all_readers_and_not_kept(dies_after: int) -> None:
    generator = FakeGenerator(TEXT, dies_after=dies_after)
    answers = keeping(generator)
    failures = await asyncio.gather(*(deltas_of(answers) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [DependencyUnavailable] * 3
    assert len(generator.requests) == 1
    generator.dies_after = None
    assert text_of(await deltas_of(answers)) == TEXT
    assert len(generator.requests) == 2


def refusing(prompt: str | Sequence[int], sampling: Mapping[str, Any]) -> str:
    raise InvalidRequest("prompt: is empty")


async def test_a_request_that_is_refused_is_refused_before_the_stream() -> None:
    answers = keeping(FakeGenerator(refusing))
    refusals = await asyncio.gather(*(entered(answers) for _ in range(2)), return_exceptions=True)
    assert [str(refusal) for refusal in refusals] == ["prompt: is empty"] * 2
    await settle()
    assert not answers._shared


# --- readers of one text -----------------------------------------------------------------------


async def test_it_returns_when_the_request_is_accepted_before_the_first_delta() -> None:
    generator = FakeGenerator(TEXT, start=asyncio.Event())
    reader = await entered(keeping(generator))
    assert generator.running == 1
    await reader.leave()
    await settle()
    assert (generator.running, generator.cancelled) == (0, 1)


async def test_equal_requests_read_one_text() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    read = await asyncio.gather(*(deltas_of(answers) for _ in range(5)))
    assert [text_of(deltas) for deltas in read] == [TEXT] * 5
    assert len(generator.requests) == 1


async def test_who_comes_later_gets_what_was_written_so_far_and_goes_on() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    first = await entered(answers)
    seen = [await anext(first.stream), await anext(first.stream)]
    second = await deltas_of(answers)
    seen += [delta async for delta in first.stream]
    await first.leave()
    assert seen == second
    assert text_of(second) == TEXT
    assert len(generator.requests) == 1


async def test_a_reader_that_leaves_takes_nothing_from_the_others() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    answers = keeping(generator)
    first, second = [await entered(answers) for _ in range(2)]
    await first.leave()
    gate.set()
    assert text_of([delta async for delta in second.stream]) == TEXT
    await second.leave()
    assert last_of(await deltas_of(answers)).cached


async def test_the_last_reader_that_leaves_ends_the_engines_work_and_nothing_is_kept() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    answers = keeping(generator)
    for reader in [await entered(answers) for _ in range(2)]:
        assert generator.cancelled == 0
        await reader.leave()
        await settle()
    assert (generator.running, generator.cancelled) == (0, 1)
    gate.set()
    assert not last_of(await deltas_of(answers)).cached
    assert len(generator.requests) == 2


async def test_who_comes_at_the_moment_when_the_last_reader_has_left_begins_anew() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, start=gate)
    answers = keeping(generator)
    await (await entered(answers)).leave()
    second = await entered(answers)
    await settle()
    third = await entered(answers)
    assert len(generator.requests) == 2
    gate.set()
    assert [text_of([delta async for delta in reader.stream]) for reader in (second, third)] == [TEXT, TEXT]
    await second.leave()
    await third.leave()


async def test_a_reader_that_is_cancelled_before_the_request_was_accepted() -> None:
    gate = asyncio.Event()
    generator = FakeGenerator(TEXT, accepts=gate)
    answers = keeping(generator)
    leaving, staying = (asyncio.create_task(deltas_of(answers)) for _ in range(2))
    await settle()
    leaving.cancel()
    await settle()
    gate.set()
    assert text_of(await staying) == TEXT
    assert leaving.cancelled()


async def test_a_reader_that_is_slow_holds_nobody_up() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator)
    slow = await entered(answers)
    assert text_of(await deltas_of(answers)) == TEXT
    assert generator.running == 0
    assert text_of([delta async for delta in slow.stream]) == TEXT
    await slow.leave()


async def test_who_leaves_after_the_last_delta_leaves_a_kept_answer() -> None:
    answers = keeping(FakeGenerator(TEXT), SlowCache(lambda: 10))
    async with answers.generate(PROMPT, COLD, "id") as stream:
        async for delta in stream:
            if isinstance(delta, StreamEnd):
                break
    await settle()
    assert last_of(await deltas_of(answers)).cached


async def test_who_comes_while_the_answer_is_being_kept_reads_it_at_once() -> None:
    generator = FakeGenerator(TEXT)
    answers = keeping(generator, SlowCache(lambda: 10))
    first, second = await deltas_of(answers), await deltas_of(answers)
    assert [last_of(deltas).cached for deltas in (first, second)] == [False, True]
    assert len(generator.requests) == 1


async def test_an_engine_that_closes_badly_after_the_last_delta_has_written_all() -> None:
    answers = keeping(FakeGenerator(TEXT, closes_badly=True))
    assert text_of(await deltas_of(answers)) == TEXT
    await settle()
    assert last_of(await deltas_of(answers)).cached


async def test_what_another_release_kept_is_written_anew(caplog: pytest.LogCaptureFixture) -> None:
    class Garbled(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            value = await super().get(key)
            return None if value is None else b'{"text": "of another release"}'

    answers = keeping(FakeGenerator(TEXT), Garbled(1 << 20))
    for _ in range(2):
        assert text_of(await deltas_of(answers)) == TEXT
        await settle()
    assert "unknown format" in caplog.text


STEP = st.tuples(st.sampled_from(["ask", "read", "leave", "turn", "die", "live"]), st.integers(0, 9))


@settings(max_examples=200)
@given(st.lists(STEP, max_size=50), st.lists(st.integers(0, 4) | st.none(), min_size=1, max_size=8))
async def test_whoever_stays_reads_the_whole_text(steps: list[tuple[str, int]], delays: list[int | None]) -> None:
    """Or is told that the engine died; and when all have left, the engine works on nothing."""
    generator, endless = FakeGenerator(TEXT), itertools.cycle(delays)
    answers = keeping(generator, SlowCache(lambda: next(endless)))
    readers: list[Reader] = []
    for step, number in steps:
        if step == "ask":
            with contextlib.suppress(DependencyUnavailable):
                readers.append(await entered(answers))
        elif step == "read" and readers:
            reader = readers[number % len(readers)]
            with contextlib.suppress(StopAsyncIteration, DependencyUnavailable):
                reader.read.append(await anext(reader.stream))
        elif step == "leave" and readers:
            await readers.pop(number % len(readers)).leave()
        elif step in ("die", "live"):
            generator.dies_after = number % 5 if step == "die" else None
        else:
            for _ in range(number):
                await asyncio.sleep(0)
    for reader in readers:
        with contextlib.suppress(DependencyUnavailable):
            reader.read += [delta async for delta in reader.stream]
        assert TEXT.startswith(text_of(reader.read))
        assert not any(isinstance(delta, StreamEnd) for delta in reader.read[:-1])
        if reader.read and isinstance(reader.read[-1], StreamEnd):
            assert text_of(reader.read) == TEXT
        await reader.leave()
    await settle()
    assert generator.running == 0
    assert not answers._shared
    generator.dies_after = None
    assert text_of(await deltas_of(answers)) == TEXT
