"""Streams in OpenAI's format: events without a name, and `[DONE]` after the last one of a complete stream."""

from __future__ import annotations

import json

from rag.errors import RagError
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.event_stream import Event, StreamFormat
from rag.types import JsonObject

CHUNK = "chunk"
DONE: Event = ("done", {})
"""The last event of every complete stream."""


def _write(event: str, data: JsonObject) -> bytes:
    """ASCII only, so that no proxy can split a character (docs/bentoml_issues.md#b4)."""
    if event == DONE[0]:
        return b"data: [DONE]\n\n"
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


def _failure(error: RagError) -> Event:
    """OpenAI's clients raise when they read an object with `error`; `[DONE]` does not follow it."""
    return "error", error_body(error, current_request_id.get())


OPENAI = StreamFormat(_write, (DONE[0], "error"), _failure)
