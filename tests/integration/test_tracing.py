"""A running service sends its spans by OTLP: one trace for an answer, over all services."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.running import wait_until
from tests.support.service_without_engine import engineless_service

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


class Collector:
    """Receives spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        received = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self, trace: str) -> dict[str, tuple[str, str, str]]:
        """Service, id and parent's id by name."""
        return {
            span.name: (
                next(a.value.string_value for a in group.resource.attributes if a.key == "service.name"),
                span.span_id.hex(),
                span.parent_span_id.hex(),
            )
            for request in list(self.requests)
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    started = Collector()
    yield started
    started.close()


def test_an_answer_is_one_trace(collector: Collector, language_model: Path, tmp_path: Path) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with engineless_service(tmp_path, language_model, **variables) as service:
        service.ingest({"guide.md": b"# Readiness\n\nThe service is ready when the engine is ready."})
        answer = httpx.post(
            service.url + "/ask",
            json={"question": "When is the service ready?"},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
            timeout=60,
        )
        assert "event: done" in answer.text
        wait_until(lambda: collector.spans(TRACE).keys() >= SERVICES.keys(), 30, "spans are missing")
    spans = collector.spans(TRACE)
    assert {name: spans[name][0] for name in SERVICES} == SERVICES
    assert spans["POST /ask"][2] == PARENT
    for name, parent in PARENTS.items():
        assert spans[name][2] == spans[parent][1], name
    assert [name for name in spans if name.startswith("embeddings ")]
    assert b"When is the service" not in b"".join(request.SerializeToString() for request in collector.requests)
