"""Counting what the language model has used."""

from __future__ import annotations

import asyncio

import pytest

from rag.errors import DependencyUnavailable, InvalidRequest
from rag.http.auth.metered_generator import MeteredGenerator
from rag.types import Chat, ModelInput, StreamEnd
from tests.fakes import FakeGenerator


class Counted:
    """What was counted, and the generator that does it."""

    def __init__(self, generator: FakeGenerator) -> None:
        self.tokens: list[int] = []
        self.generator = MeteredGenerator(generator, self._add)

    async def _add(self, tokens: int) -> None:
        self.tokens.append(tokens)

    async def read(self, prompt: ModelInput, items: int | None = None) -> None:
        """Read all of a text, or so many items of it."""
        async with self.generator.generate(prompt, {}, "r") as stream:
            async for item in stream:
                if items is not None and (items := items - 1) == 0:
                    break
                if isinstance(item, StreamEnd):
                    assert self.tokens  # whoever sees the end can rely on the count


async def test_the_usage_of_a_whole_text_is_counted_once() -> None:
    counted = Counted(FakeGenerator("one two three"))
    await counted.read([1, 2, 3, 4])
    assert counted.tokens == [4 + 3]


@pytest.mark.parametrize(
    ("prompt", "prompt_tokens"),
    [([1] * 40, 40), ("word" * 40, 40), (Chat(({"role": "user", "content": "word" * 40},)), 40 + 8)],
)
async def test_what_a_client_leaves_early_is_estimated(prompt: ModelInput, prompt_tokens: int) -> None:
    counted = Counted(FakeGenerator("one two three four"))
    await counted.read(prompt, items=2)
    assert counted.tokens == [pytest.approx(prompt_tokens + 2, abs=2)]


async def test_what_an_engine_wrote_before_it_died_is_counted() -> None:
    counted = Counted(FakeGenerator("one two three four", dies_after=2))
    with pytest.raises(DependencyUnavailable):
        await counted.read([1, 2, 3])
    assert counted.tokens == [3 + 2]


async def test_a_cancelled_request_is_counted() -> None:
    counted = Counted(FakeGenerator("one two three", stalls_after=0))
    task = asyncio.create_task(counted.read([1, 2, 3]))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counted.tokens == [3]


async def test_a_refused_request_is_not_counted() -> None:
    counted = Counted(FakeGenerator())
    with pytest.raises(InvalidRequest):
        await counted.read("")
    assert counted.tokens == []
