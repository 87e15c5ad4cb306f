"""The fake language model, and one behind HTTP. The real engine is in tests/e2e/test_generators.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from rag.http.clients.remote import RemoteGenerator
from tests.contract.models.generator_contract import GeneratorContract, Running
from tests.fakes import FakeGenerator
from tests.support.servers.llm_service import an_llm_service


def write(_: Any, sampling: Mapping[str, Any]) -> str:
    is_json = "json" in (sampling.get("structured_outputs") or {})
    return json.dumps({"city": "Berlin"}) if is_json else "Berlin is the capital of Germany, of course."


def a_fake() -> FakeGenerator:
    return FakeGenerator(write, context_tokens=GeneratorContract.context_tokens, adapters=("known",))


class TestFakeGenerator(GeneratorContract):
    reads_images = True
    inserts_text = True

    @pytest.fixture
    def generator(self) -> FakeGenerator:
        return a_fake()

    @pytest.fixture
    def running(self, generator: FakeGenerator) -> Running:
        async def count() -> int:
            return generator.running

        return count


@pytest.mark.integration
class TestOverHttp(GeneratorContract):
    reads_images = True
    inserts_text = True

    @pytest.fixture
    def fake(self) -> FakeGenerator:
        return a_fake()

    @pytest.fixture
    async def generator(self, fake: FakeGenerator) -> AsyncIterator[RemoteGenerator]:
        async with an_llm_service(fake) as client:
            yield RemoteGenerator(client)

    @pytest.fixture
    def running(self, fake: FakeGenerator) -> Running:
        async def count() -> int:
            return fake.running

        return count
