"""The edge's `/v1` over real HTTP, without BentoML, with a fake language model and a fake Retriever."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import openai
from starlette.routing import Mount, Router

from rag.adapters.memory_counters import MemoryCounters
from rag.errors import Starting
from rag.http.auth.token_limits import TokenLimits
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.rag_api import RagApi
from rag.http.v1.responses.background.worker import BackgroundWorker
from rag.ports import Adapters
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.llm_service import an_llm_service
from tests.support.servers.loopback import client_of, served

MODEL = "org/tiny:1b"
ALIAS = "gpt-4o-mini"
FACTS = {"model": MODEL, "aliases": [ALIAS], "context_tokens": 512, "running": 0, "adapters": ["sql"]}
OPTIONS: dict[str, Any] = {
    "sampling": {"max_tokens": 64, "temperature": 0.0},
    "retrieve_timeout_s": 120,
    "answer_timeout_s": 120,
    "keep_alive_s": 5,
    "citations": "check",
    "weak_below": 0.4,
}


@dataclass
class EdgeService:
    url: str
    generator: FakeGenerator
    retriever: FakeRetriever
    background: BackgroundWorker

    @contextlib.asynccontextmanager
    async def openai(self) -> AsyncIterator[openai.AsyncOpenAI]:
        async with openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="x", max_retries=0, timeout=120) as client:
            yield client

    async def post(self, path: str, body: Any) -> httpx.Response:
        async with httpx.AsyncClient(timeout=120) as http:
            content = json.dumps(body)  # httpx's own encoder rejects lone surrogates
            return await http.post(self.url + path, content=content, headers={"content-type": "application/json"})

    async def chat(self, text: str | Sequence[Any] = "Hello there", **body: Any) -> httpx.Response:
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else list(text)
        return await self.post("/v1/chat/completions", {"model": MODEL, "messages": messages, **body})


_READY_TIMEOUT_S = 30.0


async def _until_ready(services: UpstreamServices) -> None:
    """A single probe may be late on a busy machine."""
    async with asyncio.timeout(_READY_TIMEOUT_S):
        while True:
            with contextlib.suppress(Starting):
                await services.ready()
                return
            await asyncio.sleep(0.35)


@contextlib.asynccontextmanager
async def an_edge(
    generator: FakeGenerator | None = None,
    retriever: FakeRetriever | None = None,
    adapters: Adapters | None = None,
    facts: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[EdgeService]:
    """Args:
    facts: What the LLM service reports besides `FACTS`.
    options: Arguments of `RagApi`.
    """
    generator, retriever = generator or FakeGenerator(), retriever or FakeRetriever()
    reported = {**FACTS, **(facts or {})}
    async with (
        an_llm_service(generator, adapters, facts=reported) as llm,
        client_of(retriever.app, "Retriever") as found,
    ):
        dependencies = UpstreamServices({"Retriever": found, "LLM": llm})
        await _until_ready(dependencies)
        api = RagApi(dependencies, **{"tokens": TokenLimits(MemoryCounters()), **OPTIONS, **options})
        app = ServiceMiddleware(Router([Mount("/v1", api.v1)]), Lifecycle("RAG", is_edge=True), 100, {"*": 2**22})
        api.background.start()
        try:
            async with served(app) as url:
                yield EdgeService(url, generator, retriever, api.background)
        finally:
            await api.background.close()
