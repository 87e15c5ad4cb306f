"""A language model behind an OpenAI-compatible server does what every other does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rag.adapters.openai.generator import OpenAiGenerator
from tests.contract.models.generator_contract import GeneratorContract, Running
from tests.contract.models.test_generators import a_fake, write
from tests.fakes import FakeGenerator
from tests.fakes.language_model.openai_server import FakeOpenAiServer
from tests.support.servers.openai_server import writing_with


@pytest.mark.integration
class TestOpenAiLlm(GeneratorContract):
    gives_prompt_logprobs = False
    reads_images = True

    @pytest.fixture
    def fake(self) -> FakeGenerator:
        fake = a_fake()
        fake.text = lambda prompt, sampling: "on " * 4000 if sampling.get("ignore_eos") else write(prompt, sampling)
        return fake

    @pytest.fixture
    def server(self, fake: FakeGenerator) -> FakeOpenAiServer:
        return FakeOpenAiServer(fake)

    @pytest.fixture
    async def generator(self, server: FakeOpenAiServer) -> AsyncIterator[OpenAiGenerator]:
        async with writing_with(server) as llm:
            yield llm

    @pytest.fixture
    def running(self, fake: FakeGenerator) -> Running:
        async def count() -> int:
            return fake.running

        return count
