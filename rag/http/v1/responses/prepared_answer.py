"""A validated request whose answer can begin."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from rag.http.v1.responses.memory import RequestedTurns
from rag.http.v1.responses.output.events import ResponseSource, ResponseWriter


@dataclass(frozen=True, slots=True)
class PreparedAnswer:
    writer: ResponseWriter
    source: AbstractAsyncContextManager[ResponseSource]
    """Entering it begins the answer; leaving it stops the language model."""
    turns: RequestedTurns
    is_stored: bool
