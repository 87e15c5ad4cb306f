"""Random characters in the events of a stream, so that the sizes of packets do not reveal the text."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

from rag.http.streaming.event_stream import StreamFormat
from rag.types import JsonObject

_BLOCK = 32
"""A text and its padding together have a multiple of this many bytes."""


def padded(form: StreamFormat) -> StreamFormat:
    """The format with OpenAI's field `obfuscation` in each event that has a piece of text."""
    return replace(form, write=lambda name, data: form.write(name, _padded(name, data)))


def _padded(name: str, data: JsonObject) -> JsonObject:
    if not name.endswith(".delta"):
        return data
    missing = _BLOCK - len(json.dumps(data["delta"])) % _BLOCK
    return {**data, "obfuscation": secrets.token_urlsafe(_BLOCK)[:missing]}
