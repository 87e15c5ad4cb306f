"""A running service sends its spans by OTLP: one trace for an answer, over all services."""

from __future__ import annotations

import pytest

from tests.e2e.running import RunningService, wait_until
from tests.support.servers.span_collector import SpanCollector

pytestmark = pytest.mark.integration
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVICES = {
    "POST /ask": "RAG", "POST /prepare": "Retriever", "retrieval default": "Retriever", "encode": "Retriever",
    "search": "Retriever", "POST /encode": "Embedder", "POST /generate": "LLM", "chat instant": "LLM",
}  # fmt: skip
PARENTS = {
    "POST /prepare": "POST /ask", "retrieval default": "POST /prepare", "encode": "retrieval default",
    "search": "retrieval default", "POST /encode": "retrieval default", "POST /generate": "POST /ask",
    "chat instant": "POST /generate",
}  # fmt: skip


def test_an_answer_is_one_trace(service: RunningService, collector: SpanCollector) -> None:
    service.ingest({"guide.md": b"# Readiness\n\nThe service is ready when the engine is ready."})
    headers = {**service.headers, "traceparent": f"00-{TRACE}-{PARENT}-01"}
    answer = service.post("/ask", {"question": "What does readiness depend on?"}, headers=headers)
    assert "event: done" in answer.text
    wait_until(lambda: collector.spans(TRACE).keys() >= SERVICES.keys(), what="spans are missing")
    spans = collector.spans(TRACE)
    assert {name: spans[name][0] for name in SERVICES} == SERVICES
    assert spans["POST /ask"][2] == PARENT
    for name, parent in PARENTS.items():
        assert spans[name][2] == spans[parent][1], name
    assert [name for name in spans if name.startswith("embeddings ")]
    assert b"What does readiness" not in b"".join(request.SerializeToString() for request in collector.requests)
