"""OpenTelemetry spans, by the semantic conventions of HTTP, databases and generative AI.

One trace shows one answer:

    POST /ask                       RAG
      POST /prepare                 Retriever
        retrieval {vector store}
          encode, search            stages that waiting questions share
          rerank {reranker}
          POST /encode              Embedder
            embeddings {model}
      POST /generate                LLM
        chat {model}

Tracing is off until `start_tracing` is called; until then no function here does anything, and nothing of OpenTelemetry
is imported. Texts are recorded only if that is chosen.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from rag.errors import RagError

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor

AttributeValue: TypeAlias = str | bool | int | float | Sequence[str]
SpanAttributes: TypeAlias = Mapping[str, AttributeValue]
Kind: TypeAlias = Literal["SERVER", "CLIENT", "INTERNAL"]

SERVER_ERROR: Final = 500
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
DATA_SOURCE: Final = "gen_ai.data_source.id"
TOP_K: Final = "gen_ai.request.top_k"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
TEMPERATURE: Final = "gen_ai.request.temperature"
DIMENSIONS: Final = "gen_ai.embeddings.dimension.count"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
ERROR_TYPE: Final = "error.type"
HITS: Final = "rag.retrieval.hits"
"""Number of passages found; of this project, since the conventions have no attribute for it."""
REQUEST_ID: Final = "rag.request.id"


class Span:
    """A span that has begun, or nothing while tracing is off."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span | None = None) -> None:
        self._span = span

    def set(self, attributes: SpanAttributes) -> None:
        if self._span is not None:
            self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute(ERROR_TYPE, error_type)
        self._span.set_status(Status(StatusCode.ERROR))

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """A context whose exception makes the span fail. The message is not recorded: it may quote a text."""
        try:
            yield
        except Exception as error:
            self.fail(error.code if isinstance(error, RagError) else type(error).__name__)
            raise

    def close(self) -> None:
        if self._span is not None:
            self._span.end()

    @contextlib.contextmanager
    def as_current(self) -> Iterator[None]:
        """A context in which it is the parent of new spans and of requests to other services."""
        if self._span is None:
            yield
            return
        from opentelemetry.trace import use_span

        with use_span(self._span, record_exception=False, set_status_on_exception=False):
            yield

    @property
    def takes_texts(self) -> bool:
        """Whether texts of questions, prompts and answers are wanted."""
        return self._span is not None and _state.with_texts


class _State:
    def __init__(self) -> None:
        self.tracer: trace.Tracer | None = None
        self.with_texts = False


_state = _State()
_NOTHING = Span()


def start_tracing(service: str, endpoint: str, *, with_texts: bool = False) -> None:
    """Send the spans of this process to an OpenTelemetry collector from now on.

    Args:
        service: The service's name.
        endpoint: Base URL of OTLP over HTTP. Headers, sampling and the like are set by OpenTelemetry's own variables.
        with_texts: Whether spans hold the texts of questions, prompts and answers.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=3)
    start_tracing_with(service, BatchSpanProcessor(exporter), with_texts=with_texts)


def start_tracing_with(service: str, processor: SpanProcessor, *, with_texts: bool = False) -> None:
    """As `start_tracing`, with any receiver of the spans."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    import rag

    resource = Resource.create(
        {"service.name": service, "service.namespace": "rag", "service.version": rag.__version__}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(processor)
    _state.tracer, _state.with_texts = provider.get_tracer("rag", rag.__version__), with_texts


def stop_tracing() -> None:
    _state.tracer = None


def is_on() -> bool:
    return _state.tracer is not None


def trace_headers() -> dict[str, str]:
    """The W3C headers that make another service continue the current trace; empty while tracing is off."""
    headers: dict[str, str] = {}
    if _state.tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)
    return headers


@contextlib.contextmanager
def server_span(method: str, route: str, request_id: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """The span of a request, in the trace that its W3C headers name. It is the current one inside.

    Args:
        route: Empty if no route matches.
    """
    if _state.tracer is None:
        yield _NOTHING
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(headers)
    attributes = {"http.request.method": method, REQUEST_ID: request_id, **({"http.route": route} if route else {})}
    span = _state.tracer.start_span(f"{method} {route}".rstrip(), context, _kind("SERVER"), attributes)
    with _ended(Span(span)) as server:
        yield server


def end_server_span(span: Span, status: int, error_code: str) -> None:
    """Record the response. Errors of the client are no errors of the span, as the conventions want it."""
    span.set({"http.response.status_code": status})
    if status >= SERVER_ERROR:
        span.fail(error_code or str(status))


@contextlib.contextmanager
def retrieval(store: str, question: str) -> Iterator[Span]:
    """The search of one vector store."""
    with _span(f"retrieval {store}", "INTERNAL", {OPERATION: "retrieval", DATA_SOURCE: store}) as span:
        if span.takes_texts:
            span.set({QUERY_TEXT: question})
        yield span


def rerank(reranker: str) -> contextlib.AbstractContextManager[Span]:
    return _span(f"rerank {reranker}", "INTERNAL", {MODEL: reranker})


def embeddings(model: str, dimensions: int) -> contextlib.AbstractContextManager[Span]:
    attributes: SpanAttributes = {OPERATION: "embeddings", MODEL: model, DIMENSIONS: dimensions}
    return _span(f"embeddings {model}", "INTERNAL", attributes)


def record_search_stages(encode_ms: float, search_ms: float) -> None:
    """Spans of the stages `encode` and `search`, which have just ended, the latter in Milvus."""
    if _state.tracer is None:
        return
    ended = time.time_ns()
    encoded = ended - int(search_ms * 1e6)
    started = encoded - int(encode_ms * 1e6)
    _state.tracer.start_span("encode", start_time=started).end(encoded)
    search: SpanAttributes = {"db.system.name": "milvus", "db.operation.name": "search"}
    _state.tracer.start_span("search", kind=_kind("CLIENT"), attributes=search, start_time=encoded).end(ended)


def start_chat(model: str, provider: str, request: SpanAttributes) -> Span:
    """The span of a generated text. It does not become the current one; the caller closes it."""
    if _state.tracer is None:
        return _NOTHING
    attributes = {OPERATION: "chat", PROVIDER: provider, MODEL: model, **request}
    return Span(_state.tracer.start_span(f"chat {model}", kind=_kind("INTERNAL"), attributes=attributes))


def message(role: str, text: str) -> str:
    """A list with one message, as `gen_ai.input.messages` and `gen_ai.output.messages` hold it."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


@contextlib.contextmanager
def _span(name: str, kind: Kind, attributes: SpanAttributes) -> Iterator[Span]:
    if _state.tracer is None:
        yield _NOTHING
        return
    with _ended(Span(_state.tracer.start_span(name, kind=_kind(kind), attributes=attributes))) as span:
        yield span


@contextlib.contextmanager
def _ended(span: Span) -> Iterator[Span]:
    """Make the span the current one, and end it."""
    with contextlib.closing(span), span.failing(), span.as_current():
        yield span


def _kind(kind: Kind) -> trace.SpanKind:
    from opentelemetry.trace import SpanKind

    return SpanKind[kind]
