"""The metrics of a running service: one scrape of the edge shows all its processes, whatever clients request."""

from __future__ import annotations

import re
import uuid
from collections import Counter

import httpx
import pytest

from rag.telemetry.exposition import REGISTRIES
from tests.e2e.running import RunningService
from tests.support.metric_values import definitions, series

pytestmark = pytest.mark.integration
QUESTION = {"question": "When is the service ready?"}


@pytest.fixture(scope="module", autouse=True)
def answered(service: RunningService) -> None:
    service.ingest({"guide.md": b"# Readiness\n\nThe service is ready when the engine is ready."})
    assert service.stream("/ask", QUESTION).names[-1] == "done"


def values(service: RunningService) -> dict[str, float]:
    return series(service.get("/metrics").text)


def test_every_metric_exists(service: RunningService) -> None:
    text = service.get("/metrics").text
    named = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    assert named == set(definitions())
    found = {re.sub(r"_(bucket|sum|count)$", "", key.partition("{")[0]) for key in series(text)}
    assert found >= set(definitions())


def test_no_series_is_there_twice(service: RunningService) -> None:
    """Prometheus takes one of the values and drops the others."""
    lines = [line for line in service.get("/metrics").text.splitlines() if not line.startswith("#")]
    counted = Counter(line.rpartition(" ")[0] for line in lines)
    assert [key for key, times in counted.items() if times > 1] == []


def test_the_edge_shows_the_metrics_of_all_services(service: RunningService) -> None:
    text = service.get("/metrics").text
    for name in REGISTRIES:
        assert re.search(rf'rag_build_info{{[^}}]*service="{name}"', text)
    assert "bentoml_service" not in text


def test_an_answer_is_measured_in_all_services(service: RunningService) -> None:
    before = values(service)
    assert service.stream("/ask", {"question": "What is the service ready for?"}).names[-1] == "done"
    after = values(service)

    def change(key: str) -> float:
        return after[key] - before.get(key, 0.0)

    assert change('rag_http_requests_total{method="POST",route="/ask",service="RAG",status="200"}') == 1
    assert change('rag_http_requests_total{method="POST",route="/prepare",service="Retriever",status="200"}') == 1
    assert change('rag_http_requests_total{method="POST",route="/encode",service="Embedder",status="200"}') >= 1
    assert change('rag_http_requests_total{method="POST",route="/generate",service="LLM",status="200"}') == 1
    assert change('rag_answers_total{outcome="answered"}') == 1
    assert change("rag_answer_first_token_seconds_count") == 1
    assert change("rag_answer_duration_seconds_count") == 1
    assert change("rag_generation_first_token_seconds_count") == 1
    assert change('rag_tokens_total{tenant="default",type="completion"}') > 0
    assert change('rag_tenant_requests_total{outcome="ok",tenant="default"}') == 1
    assert change('rag_retrieval_cache_requests_total{outcome="miss"}') == 1
    for stage in ("queue", "encode", "search", "prompt", "retrieve"):
        assert change(f'rag_retrieval_stage_duration_seconds_count{{stage="{stage}"}}') == 1, stage
    assert change('rag_milvus_operation_duration_seconds_count{operation="search"}') >= 1
    assert after["rag_data_disk_free_bytes"] > 0
    assert after['rag_jobs{kind="ingest",state="completed"}'] >= 1
    assert after["rag_oldest_unfinished_job_age_seconds"] == 0
    assert after['rag_service_ready{service="Retriever"}'] == after['rag_service_ready{service="Embedder"}'] == 1


def test_the_number_of_series_does_not_grow_with_paths_and_ids(service: RunningService) -> None:
    """docs/bentoml_issues.md#b9: BentoML's own metrics have a series for each path."""
    shapes = ("/{}", "/v1/{}", "/v1/files/{}", "/v1/vector_stores/{}", "/v1/vector_stores/{}/files/{}", "/v1/jobs/{}")

    def request_all(client: httpx.Client) -> None:
        for shape in shapes:
            ids = [uuid.uuid4().hex for _ in range(shape.count("{}"))]
            assert client.get(shape.format(*ids)).status_code == 404

    with httpx.Client(base_url=service.url, headers=service.headers, timeout=60) as client:
        request_all(client)
        before = set(values(service))
        for _ in range(60):
            request_all(client)
    assert set(values(service)) == before
