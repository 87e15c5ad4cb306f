"""The dependencies of the edge's `/v1` routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rag.generate.pipeline import AnswerPipeline
from rag.http.clients.served_models import ServedModels
from rag.http.clients.upstream_services import UpstreamServices
from rag.http.streaming.event_stream import StreamLimits
from rag.http.v1.text_generation.image_options import ImageOptions
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.ports import Generator


@dataclass(frozen=True, slots=True)
class EdgeParts:
    dependencies: UpstreamServices
    """Clients of the services `Retriever` and `LLM`."""
    models: ServedModels
    answers: AnswerPipeline
    generator: Generator
    stream_options: StreamLimits
    may_store: bool = True
    """Whether responses may be kept."""
    wake_background: Callable[[], None] = lambda: None
    """Called when a background response was queued."""
    tools: ToolOptions = field(default_factory=ToolOptions)
    """How tools that the service runs are used."""
    images: ImageOptions = field(default_factory=ImageOptions)
    """How images are read."""

    @property
    def answer_timeout_s(self) -> float:
        """Time limit of an answer, whether it is streamed or not."""
        return self.stream_options["timeout_s"]
