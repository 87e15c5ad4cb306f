"""Schemas of server-sent events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from rag.types import JsonObject

EVENT_STREAM = "text/event-stream"
_COMPONENTS = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class EventModel:
    """One kind of event in a stream."""

    data: type[BaseModel]
    """The event's data, sent as JSON text."""
    name: str = ""
    """The `event` field; empty if the stream's events have no names."""


def stream_schema(events: Sequence[EventModel], last: str = "") -> JsonObject:
    """Schema of each event of a stream.

    Args:
        last: Data of the final event if it is not JSON, such as `[DONE]`.
    """
    kinds = [_event(event.name, _json_text(event.data)) for event in events]
    final = [_event("", {"type": "string", "const": last})] if last else []
    return {"description": "Each event of the stream.", "anyOf": [*kinds, *final]}


def _event(name: str, data: JsonObject) -> JsonObject:
    named: JsonObject = {"event": {"type": "string", "const": name}} if name else {}
    return {"type": "object", "properties": {**named, "data": data}, "required": [*named, "data"]}


def _json_text(model: type[BaseModel]) -> JsonObject:
    reference = {"$ref": _COMPONENTS + model.__name__}
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": reference}
