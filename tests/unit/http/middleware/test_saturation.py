"""What clients and probes get when the language model's queue is full."""

from __future__ import annotations

import asyncio

import pytest

from rag.adapters.memory_counters import MemoryCounters
from rag.errors import Overloaded
from rag.http.auth.token_limits import TokenLimits
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.native.rag_api import RagApi
from rag.llm.fair_generator import FairGenerator
from rag.queues.fair_queue import FairQueue, QueueLimits
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.servers.edge_service import FACTS, OPTIONS, an_edge
from tests.support.servers.llm_service import an_llm_service
from tests.support.servers.loopback import client_of, until


async def test_a_caller_with_a_full_queue_gets_429_with_the_time_to_wait() -> None:
    model = FakeGenerator("a b c", start=asyncio.Event())
    texts = FairQueue("generate", 1, QueueLimits(max_waiting=1))
    fair = FairGenerator(model, texts, FairQueue("grammar", 1), capacity=lambda: 1, temperature=0.0)
    async with an_edge(fair) as edge:  # type: ignore[arg-type]
        running = asyncio.create_task(edge.chat(stream=True))
        await until(lambda: texts.used == 1)
        waiting = asyncio.create_task(edge.chat())
        await until(lambda: texts.waiting == 1)
        for stream in (False, True):
            refused = await edge.chat(stream=stream)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        assert model.start is not None
        model.start.set()
        assert [answer.status_code for answer in await asyncio.gather(running, waiting)] == [200, 200]
    assert (texts.used, texts.waiting) == (0, 0)


async def test_a_client_that_disconnects_leaves_the_queue() -> None:
    model = FakeGenerator("a b c", start=asyncio.Event())
    texts = FairQueue("generate", 1)
    fair = FairGenerator(model, texts, FairQueue("grammar", 1), capacity=lambda: 1, temperature=0.0)
    async with an_edge(fair) as edge:  # type: ignore[arg-type]
        clients = [asyncio.create_task(edge.chat()) for _ in range(3)]
        await until(lambda: texts.waiting == 2)
        for client in clients:
            client.cancel()
        await until(lambda: (texts.used, texts.waiting) == (0, 0))


@pytest.mark.parametrize("saturated", [False, True])
async def test_readiness_says_when_every_further_request_would_be_refused(saturated: bool) -> None:
    facts = {**FACTS, "waiting": 4, "saturated": saturated}
    async with (
        an_llm_service(FakeGenerator(), facts=facts) as llm,
        client_of(FakeRetriever().app, "Retriever") as retriever,
    ):
        api = RagApi(
            UpstreamServices({"Retriever": retriever, "LLM": llm}), tokens=TokenLimits(MemoryCounters()), **OPTIONS
        )
        if saturated:
            with pytest.raises(Overloaded, match="LLM: the queue is full"):
                await api.ready()
        else:
            assert (await api.ready())["services"]["LLM"]["waiting"] == 4
