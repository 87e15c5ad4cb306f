"""What the `/v1` routes of the edge work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.http.answering import AnswerService
from rag.http.clients.remote import RemoteGenerator
from rag.http.clients.served_models import ServedModels
from rag.http.clients.upstream_services import UpstreamServices


@dataclass(frozen=True, slots=True)
class EdgeParts:
    dependencies: UpstreamServices
    """Clients named `Retriever` and `LLM`."""
    models: ServedModels
    answering: AnswerService
    generator: RemoteGenerator
    keep_alive_s: float
    """Seconds of silence after which a stream sends a comment."""
    answer_timeout_s: float
    """Seconds that an answer may take."""

    @property
    def stream_options(self) -> Any:
        """Of `EventStream`."""
        return {"keep_alive_s": self.keep_alive_s, "timeout_s": self.answer_timeout_s}
