"""An OpenAI-compatible server with a fake language model, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rag.adapters.estimated_tokenizer import EstimatedTokenizer
from rag.adapters.openai.generator import OpenAiGenerator
from rag.config import LLMSettings
from rag.errors import RagError
from tests.fakes.language_model.openai_server import FakeOpenAiServer
from tests.support.servers.loopback import served

OWN = {"repetition_detection": {"max_pattern_size": 64, "min_count": 4}}


@contextlib.asynccontextmanager
async def writing_at(url: str, *, ready: bool = True, **options: Any) -> AsyncIterator[OpenAiGenerator]:
    """An `OpenAiGenerator` that uses the server at this URL."""
    settings = LLMSettings.model_validate({"url": url, "timeout_s": 5.0, **options})
    usual = EstimatedTokenizer()
    llm = OpenAiGenerator(settings, count=usual.count, control_texts=usual.control_texts, own_sampling=OWN)
    await llm.start()
    try:
        if ready:
            await until_ready(llm)
        yield llm
    finally:
        await llm.stop()


@contextlib.asynccontextmanager
async def writing_with(
    server: FakeOpenAiServer, *, ready: bool = True, **options: Any
) -> AsyncIterator[OpenAiGenerator]:
    async with served(server.app) as url, writing_at(f"{url}/v1", ready=ready, **options) as llm:
        yield llm


async def until_ready(llm: OpenAiGenerator, timeout_s: float = 10) -> None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while (failure := failure_of(llm)) is not None:
        if asyncio.get_running_loop().time() > deadline:
            raise failure
        await asyncio.sleep(0.01)


def failure_of(llm: OpenAiGenerator) -> RagError | None:
    try:
        llm.facts()
    except RagError as error:
        return error
    return None
