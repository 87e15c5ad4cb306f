"""The adapter for OpenAI-compatible servers, against a real one: this bundle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rag.adapters.openai.generator import OpenAiGenerator
from tests.contract.models.generator_contract import ASKING, COLD, GeneratorContract, Running, written
from tests.e2e.running import LIMIT_S, RunningService
from tests.support.servers.openai_server import failure_of, writing_at


@pytest.mark.long
class TestOpenAiLlm(GeneratorContract):
    """The long form of tests/contract/models/test_openai_llm.py, which runs the same tests against a small server."""

    gives_prompt_logprobs = False

    @pytest.fixture
    async def generator(self, service: RunningService) -> AsyncIterator[OpenAiGenerator]:
        model = (await asyncio.to_thread(service.get, "/readyz")).json()["services"]["LLM"]["model"]
        async with writing_at(f"{service.url}/v1", model=model, timeout_s=LIMIT_S) as llm:
            yield llm

    @pytest.fixture
    def running(self, service: RunningService) -> Running:
        async def count() -> int:
            return await asyncio.to_thread(service.running)

        return count

    async def test_an_adapter_of_the_server_is_chosen_by_its_name(self, generator: OpenAiGenerator) -> None:
        assert "tuned" in generator.facts()["adapters"]
        plain, tuned = await written(generator, ASKING, COLD), await written(generator, ASKING, COLD, model="tuned")
        assert plain.text != tuned.text


async def test_its_model_rag_writes_for_nobody_else(service: RunningService) -> None:
    async with writing_at(f"{service.url}/v1", ready=False) as llm:
        async with asyncio.timeout(LIMIT_S):
            while "bundle like this one" not in str(failure_of(llm)):
                await asyncio.sleep(0.05)
        assert "RAG_LLM__MODEL" in str(failure_of(llm))


async def test_a_url_without_v1_is_an_error_that_says_so(service: RunningService) -> None:
    async with writing_at(service.url, ready=False) as llm:
        async with asyncio.timeout(LIMIT_S):
            while "RAG_LLM__URL" not in str(failure_of(llm)):
                await asyncio.sleep(0.05)
        assert "/v1" in str(failure_of(llm))
