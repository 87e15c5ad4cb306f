"""Concurrent requests to the language model: all are accepted or none, and they end together."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from rag.errors import DependencyUnavailable, InternalError, InvalidRequest
from rag.http.v1.text_generation.concurrent_streams import NumberedDelta, enter_all, merge
from rag.ports import Generator, TokenStream
from rag.types import StreamEnd, TextDelta
from tests.fakes import FakeGenerator
from tests.fakes.language_model.ending_generator import EndingGenerator


def request(generator: Generator, prompt: str = "Say it") -> contextlib.AbstractAsyncContextManager[TokenStream]:
    return generator.generate(prompt, {}, "id")


async def merged(*generators: Generator) -> list[NumberedDelta]:
    async with enter_all([request(generator) for generator in generators]) as streams:
        return [delta async for delta in merge(streams)]


async def test_deltas_carry_the_index_of_their_stream() -> None:
    deltas = await merged(FakeGenerator("one two"), FakeGenerator("three"))
    texts = ["", ""]
    for number, delta in deltas:
        if isinstance(delta, TextDelta):
            texts[number] += delta.text
    assert texts == ["one two", "three"]
    assert sorted(number for number, delta in deltas if isinstance(delta, StreamEnd)) == [0, 1]


async def test_one_refused_request_stops_the_others() -> None:
    generator = FakeGenerator(start=asyncio.Event())
    with pytest.raises(InvalidRequest):
        async with enter_all([request(generator), request(generator), request(generator, "")]):
            raise AssertionError("all were accepted")
    assert (generator.running, generator.cancelled) == (0, 2)


async def test_cancelling_before_all_are_accepted_stops_the_accepted_ones() -> None:
    accepted, waiting = FakeGenerator(start=asyncio.Event()), FakeGenerator(accepts=asyncio.Event())
    entering = asyncio.create_task(merged(accepted, waiting))
    while not accepted.running:
        await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert (accepted.running, accepted.cancelled) == (0, 1)
    assert waiting.requests == []


async def test_leaving_the_stream_stops_all_requests() -> None:
    generator = FakeGenerator("one two", stalls_after=1)
    async with enter_all([request(generator) for _ in range(3)]) as streams:
        async with contextlib.aclosing(merge(streams)) as deltas:
            await anext(deltas)
        assert generator.running == 3
    assert (generator.running, generator.cancelled) == (0, 3)


async def test_one_failure_ends_the_merged_stream() -> None:
    stalling = FakeGenerator("one two", stalls_after=1)
    with pytest.raises(DependencyUnavailable, match="the engine died"):
        await merged(stalling, FakeGenerator("one two", dies_after=1))
    assert stalling.running == 0


async def test_a_stream_without_an_end_is_an_error() -> None:
    with pytest.raises(InternalError):
        await merged(EndingGenerator(None))
