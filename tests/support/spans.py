"""Records the spans of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rag.telemetry import tracing


class RecordedSpans:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        found = [span for span in self.all if span.name == name]
        assert len(found) == 1, [span.name for span in self.all]
        return found[0]

    def attributes(self, name: str) -> dict[str, object]:
        return dict(self.named(name).attributes or {})

    def parent(self, name: str) -> str:
        """The name of its parent, or the parent's id if that is not recorded; empty for a root."""
        parent = self.named(name).parent
        if parent is None:
            return ""
        known = {span.context.span_id: span.name for span in self.all if span.context}
        return known.get(parent.span_id, f"{parent.span_id:016x}")


@contextlib.contextmanager
def recorded_spans(*, with_texts: bool = False) -> Iterator[RecordedSpans]:
    exporter = InMemorySpanExporter()
    tracing.start_tracing_with("Test", SimpleSpanProcessor(exporter), with_texts=with_texts)
    try:
        yield RecordedSpans(exporter)
    finally:
        tracing.stop_tracing()
