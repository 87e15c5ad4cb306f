"""Runs the contract tests of `Generator` against vLLM's engine, through its service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rag.http.clients.remote import RemoteGenerator
from rag.http.clients.service_client import ServiceClient
from tests.contract.models.generator_contract import ASKING, COLD, PROMPT, GeneratorContract, Running, written
from tests.e2e.running import RunningService


class TestVllmEngine(GeneratorContract):
    @pytest.fixture
    async def generator(self, service: RunningService) -> AsyncIterator[RemoteGenerator]:
        client = ServiceClient("LLM", service.inner_url("LLM"), {"Runner-Name": "LLM"})
        yield RemoteGenerator(client)
        await client.close()

    @pytest.fixture
    def running(self, service: RunningService) -> Running:
        async def count() -> int:
            return await asyncio.to_thread(service.running)

        return count

    async def test_a_known_prefix_of_a_prompt_is_not_computed_again(self, generator: RemoteGenerator) -> None:
        long = "The hall was finished in 1911, and it is forty metres long. " * 30
        first, again = await written(generator, long, COLD), await written(generator, long, COLD)
        assert again.finished.usage.cached_tokens > 200
        assert again.finished.usage.cached_tokens > first.finished.usage.cached_tokens
        assert again.text == first.text

    async def test_a_conversation_and_an_adapter(self, generator: RemoteGenerator) -> None:
        plain, tuned = await written(generator, ASKING, COLD), await written(generator, ASKING, COLD, model="tuned")
        assert plain.text != tuned.text

    async def test_log_probabilities_of_chosen_tokens(self, generator: RemoteGenerator) -> None:
        done = await written(generator, PROMPT, {**COLD, "max_tokens": 2, "logprob_token_ids": [1, 2, 3]})
        assert [{other.token_id for other in one.top} for one in done.logprobs[0]] == [{1, 2, 3}] * 2


def test_the_engine_is_one_process(service: RunningService) -> None:
    """With a worker process besides, the engine core would load everything twice and spin while the worker computes."""
    assert [process.name() for process in service.processes() if "VLLM::" in process.name()] == ["VLLM::EngineCore"]
