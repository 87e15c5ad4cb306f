"""What the metrics of answers, generation, jobs, the parser and Milvus count."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.responses import PlainTextResponse

from rag.adapters.memory_cache import MemoryCache
from rag.auth.caller import WITHOUT_KEY, Caller, caller_to_header, current_caller
from rag.catalog.tables.schema import jobs
from rag.errors import DependencyUnavailable, InvalidFilter
from rag.http.clients.service_client import ServiceClient
from rag.http.middleware.lifecycle import Lifecycle
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.measured_stream import measured
from rag.http.pages.metrics_page import MetricsPage
from rag.library.answers.background import BackgroundRegistry
from rag.library.batches.registry import BatchRegistry
from rag.records import NewBatch, NewResponse, NewWork
from rag.telemetry import retrieval, tenants, tracing
from rag.telemetry.exposition import own_metrics
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.library_harness import eventually, make_harness
from tests.support.metric_values import Changes, series
from tests.support.servers.edge_service import an_edge
from tests.support.servers.loopback import served
from tests.support.v1.response_calls import HITS


async def test_answered_refused_and_cached_answers() -> None:
    question = [{"role": "user", "content": "What do zebras eat?"}]
    changes = Changes("RAG")
    async with an_edge(FakeGenerator("Grass [1]."), FakeRetriever(HITS), cache=MemoryCache(2**20)) as edge:
        for _ in range(2):
            assert (await edge.chat(question, model="rag", seed=1)).status_code == 200
        edge.retriever.hits = ()
        assert (await edge.chat(question, model="rag", seed=1)).status_code == 200
    assert changes['rag_answers_total{outcome="answered"}'] == 2
    assert changes['rag_answers_total{outcome="refused"}'] == 1
    assert changes["rag_answer_first_token_seconds_count"] == 1
    assert changes["rag_answer_duration_seconds_count"] == 3
    assert changes['rag_answer_cache_requests_total{outcome="miss"}'] == 1
    assert changes['rag_answer_cache_requests_total{outcome="hit"}'] == 1


async def test_a_text_is_measured_at_its_first_token_and_its_end() -> None:
    changes = Changes("LLM")
    async with measured(FakeGenerator("one two three").generate("x y", {}, "id"), tracing.Span()) as stream:
        assert changes["rag_generations_running"] == 1
        end = [item async for item in stream][-1]
    assert changes["rag_generations_running"] == 0
    assert changes['rag_tokens_total{tenant="default",type="prompt"}'] == end.usage.prompt_tokens  # type: ignore[union-attr]
    assert changes['rag_tokens_total{tenant="default",type="completion"}'] == 3
    assert changes["rag_generation_first_token_seconds_count"] == 1
    assert changes["rag_generation_inter_token_seconds_count"] == 1


async def test_tokens_are_counted_for_the_tenant_that_asked() -> None:
    changes = Changes("LLM")
    token = current_caller.set(Caller("key_1", "acme", frozenset()))
    try:
        generation = measured(FakeGenerator("one two").generate("x", {}, "id"), tracing.Span())
        stream = await generation.__aenter__()
    finally:
        current_caller.reset(token)
    assert [item async for item in stream]
    await generation.__aexit__(None, None, None)
    assert changes['rag_tokens_total{tenant="acme",type="completion"}'] == 2
    assert changes['rag_tokens_total{tenant="default",type="completion"}'] == 0


def test_the_number_of_tenants_in_metrics_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants, "_known", set())
    monkeypatch.setattr(tenants, "MAX_TENANTS", 2)
    names = ["a", "b", "c", "a", "d", ""]
    assert [tenants.tenant_label(name) for name in names] == ["a", "b", "_other", "a", "_other", "_none"]


def test_jobs_are_counted_when_somebody_asks(tmp_path: Path) -> None:
    with make_harness(tmp_path) as harness:
        harness.ingest(("a.md", "apples"))
        harness.parser.gate.clear()
        harness.ingest(("b.md", "pears"), wait=False)
        with harness.database.write() as connection:
            connection.execute(
                sa.update(jobs).where(jobs.c.state != "completed").values(created_at=time.time() - 500, state="running")
            )
        registry = BackgroundRegistry(harness.database, 30)
        for number in range(3):
            work = NewWork(f"resp_{number}", {}, caller_to_header(WITHOUT_KEY), "", streams=False)
            registry.enqueue(NewResponse(work.response_id, {}, [], []), work)
        registry.lease()
        requests = harness.library.add_file(harness.upload("in.jsonl", "{}"), "batch")
        BatchRegistry(harness.database).create(NewBatch("/v1/embeddings", requests.file_id, {}, 3600))
        harness.library.update_job_metrics()
        values = series(own_metrics("Retriever"))
        harness.parser.gate.set()
        eventually(lambda: not harness.runtime.running.active)
    assert values['rag_jobs{kind="ingest",state="completed"}'] == 1
    assert values['rag_jobs{kind="ingest",state="running"}'] == 1
    assert values['rag_jobs{kind="reindex",state="failed"}'] == 0
    states = [values[f'rag_unfinished_responses{{state="{state}"}}'] for state in ("queued", "running")]
    assert states == [2, 1]
    assert values['rag_batches{state="validating"}'] == 1
    assert values['rag_batches{state="failed"}'] == 0
    assert 500 <= values["rag_oldest_unfinished_job_age_seconds"] < 600


def test_failures_of_milvus_are_counted_but_not_those_of_requests() -> None:
    changes = Changes("Retriever")
    for error in (DependencyUnavailable("away"), InvalidFilter("bad")):
        with pytest.raises(type(error)), retrieval.milvus_operation("search"):
            raise error
    assert changes['rag_milvus_errors_total{operation="search"}'] == 1
    assert changes['rag_milvus_operation_duration_seconds_count{operation="search"}'] == 2


async def test_the_page_shows_the_services_of_the_same_supervisor_alone() -> None:
    inner = ServiceMiddleware(PlainTextResponse("ok"), Lifecycle("Embedder"), 10, {"*": 100})
    async with served(inner) as url:
        local = ServiceClient("Embedder", url.replace("http:", "tcp:"))
        remote = ServiceClient("Embedder", url)
        gone = ServiceClient("LLM", "tcp://127.0.0.1:9")
        try:
            with_local = await MetricsPage("RAG", [local, gone]).text()
            alone = await MetricsPage("RAG", [remote]).text()
        finally:
            for client in (local, remote, gone):
                await client.close()
    limit = 'rag_http_requests_in_flight_limit{service="Embedder"}'
    assert with_local.count(limit) == 2 * alone.count(limit)  # in this test both are one process
    assert "rag_answers_total" in with_local


async def test_a_page_without_the_catalog_still_shows_the_rest() -> None:
    def update() -> None:
        raise DependencyUnavailable("the catalog failed")

    assert "rag_data_disk_free_bytes" in await MetricsPage("Retriever", update=update).text()
