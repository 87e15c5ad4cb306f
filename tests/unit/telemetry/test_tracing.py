"""Spans: their names, attributes and relations, and that nothing happens while tracing is off."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import StatusCode
from starlette.responses import PlainTextResponse

from rag.errors import Conflict, DependencyUnavailable
from rag.http.error_table import error_response
from rag.http.middleware.route_templates import RouteTemplates
from rag.http.middleware.service_middleware import ServiceMiddleware
from rag.http.native.measured_stream import measured
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.search.batching import Batcher
from rag.telemetry import tracing
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import an_edge
from tests.support.spans import recorded_spans
from tests.unit.http.middleware.test_service_middleware import Exchange, edge, make_lifecycle
from tests.unit.retrieve.test_pipeline import Bench

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
QUESTION = "which apples are red"


def test_names_are_those_of_the_semantic_conventions() -> None:
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    ours = {value for value in vars(tracing).values() if isinstance(value, str) and value.startswith("gen_ai.")}
    assert ours <= known


def test_without_tracing_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; import rag.retrieve.pipeline, rag.http.clients.service_client; from rag.telemetry import tracing\n"
        "with tracing.retrieval('default', 'q') as span: span.set({'a': 1})\n"
        "assert tracing.trace_headers() == {}\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_request_continues_the_trace_of_its_client() -> None:
    app = ServiceMiddleware(
        PlainTextResponse("ok"), make_lifecycle(), 10, {"*": 100}, routes=RouteTemplates(lambda: ["/v1/files/{id}"])
    )
    with recorded_spans() as spans:
        await Exchange(app, "/v1/files/f-1", headers={"traceparent": TRACEPARENT, "x-request-id": "abc"}).run()
    span = spans.named("POST /v1/files/{id}")
    assert span.context is not None
    assert (f"{span.context.trace_id:032x}", spans.parent(span.name)) == (TRACE, PARENT)
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/files/{id}",
        "http.response.status_code": 200,
        "rag.request.id": "abc",
    }
    assert tracing.trace_headers() == {}


@pytest.mark.parametrize(
    ("error", "status", "error_type"),
    [
        (Conflict("twice"), StatusCode.UNSET, None),
        (DependencyUnavailable("x"), StatusCode.ERROR, "dependency_unavailable"),
    ],
)
async def test_errors_of_the_service_fail_the_span(
    error: Conflict | DependencyUnavailable, status: StatusCode, error_type: str | None
) -> None:
    with recorded_spans() as spans:
        await Exchange(edge(error_response(error))).run()
    span = spans.named("POST")
    assert (span.status.status_code, (span.attributes or {}).get("error.type")) == (status, error_type)


async def test_probes_have_no_spans() -> None:
    with recorded_spans() as spans:
        await Exchange(edge(PlainTextResponse("ok"), make_lifecycle(ready={})), "/readyz").run()
        await Exchange(edge(PlainTextResponse("ok")), "/livez").run()
    assert spans.all == ()


async def test_an_answer_of_the_language_model_is_one_trace_over_both_services() -> None:
    async with an_edge(FakeGenerator("a short answer")) as service:
        with recorded_spans() as spans:
            response = await service.chat("Hello there", max_tokens=9, temperature=0.0)
            assert response.status_code == 200
        chat = spans.named("chat ")  # the service of this test reports no model
        servers = [span for span in spans.all if span.name == "POST"]
    assert len({span.context.trace_id for span in spans.all if span.context}) == 1
    inner = next(span for span in servers if span.parent)
    outer = next(span for span in servers if not span.parent)
    assert outer.context is not None
    assert inner.context is not None
    assert inner.parent is not None
    assert chat.parent is not None
    assert (inner.parent.span_id, chat.parent.span_id) == (outer.context.span_id, inner.context.span_id)
    attributes = dict(chat.attributes or {})
    assert attributes.pop("gen_ai.response.time_to_first_chunk") > 0  # type: ignore[operator]
    usage = response.json()["usage"]
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.response.finish_reasons": ("stop",),
    }


@pytest.mark.parametrize("with_texts", [False, True])
async def test_texts_of_a_chat_are_recorded_only_if_chosen(with_texts: bool) -> None:
    async with an_edge(FakeGenerator("a short answer")) as service:
        with recorded_spans(with_texts=with_texts) as spans:
            await service.chat("Hello there")
        attributes = spans.attributes("chat ")
    if with_texts:
        assert "Hello there" in str(attributes["gen_ai.input.messages"])
        assert json.loads(str(attributes["gen_ai.output.messages"])) == [
            {"role": "assistant", "parts": [{"type": "text", "content": "a short answer"}]}
        ]
    else:
        assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & attributes.keys()
        assert "Hello" not in str([span.to_json() for span in spans.all])


async def test_a_generation_that_fails_has_a_failed_span() -> None:
    with recorded_spans() as spans:
        generation = FakeGenerator("a b c", dies_after=1).generate("x", {}, "id")
        async with measured(generation, tracing.start_chat("m", "vllm", {})) as stream:
            with pytest.raises(DependencyUnavailable):
                [item async for item in stream]
    assert spans.named("chat m").status.status_code is StatusCode.ERROR
    assert spans.attributes("chat m")["error.type"] == "dependency_unavailable"


@pytest.mark.parametrize("with_texts", [False, True])
async def test_a_retrieval_has_spans_for_its_stages(with_texts: bool) -> None:
    bench = Bench(rerank=True)
    with recorded_spans(with_texts=with_texts) as spans:
        result = await bench.pipeline.retrieve(RetrievalRequest(QUESTION, "default"))
    attributes = spans.attributes("retrieval default")
    assert attributes.pop("gen_ai.retrieval.query.text", None) == (QUESTION if with_texts else None)
    assert attributes == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "default",
        "gen_ai.request.top_k": 3,
        "rag.retrieval.hits": len(result.hits),
    }
    for stage in ("encode", "search", f"rerank {bench.reranker.name}"):
        assert spans.parent(stage) == "retrieval default"
    assert spans.attributes("search")["db.system.name"] == "milvus"
    encode, search = spans.named("encode"), spans.named("search")
    assert encode.end_time == search.start_time


async def test_a_batch_belongs_to_the_trace_of_its_first_item() -> None:
    """Not to the one of the request whose batch ended just before."""
    seen: list[str] = []
    gate = asyncio.Event()

    async def work(items: list[int]) -> list[int]:
        seen.append(tracing.trace_headers().get("traceparent", "")[3:35])
        await gate.wait()
        return items

    batcher: Batcher[int, int] = Batcher(work, max_items=2, max_batches=1)  # type: ignore[arg-type]

    async def submit(item: int) -> str:
        with tracing.server_span("POST", "/prepare", "", {}):
            await batcher.submit(item)
            return tracing.trace_headers()["traceparent"][3:35]

    with recorded_spans():
        tasks = [asyncio.create_task(submit(item)) for item in range(3)]
        await asyncio.sleep(0.01)
        gate.set()
        traces = await asyncio.gather(*tasks)
    assert seen == [traces[0], traces[1]]
