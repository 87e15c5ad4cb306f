"""Requests between services about responses in the background. `rag.http.clients.remote_background` sends them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from rag.http.validation.wire_model import WireModel
from rag.records import NewResponse, NewWork, ResponseEvent, WrittenPart
from rag.types import JsonObject


class QueueResponseRequest(WireModel):
    """A response that is to be generated, and the input items that it answers. The caller is that of the request."""

    response: JsonObject
    input: list[JsonObject]
    request: JsonObject
    caller: str
    request_id: str
    events: list[list[Any]] | None = None
    """None: events are not kept."""

    def parsed(self) -> tuple[NewResponse, NewWork]:
        body = {name: value for name, value in self.response.items() if name != "output"}
        streams, events = self.events is not None, _events(self.events or ())
        work = NewWork(body["id"], self.request, self.caller, self.request_id, streams, events)
        return NewResponse(body["id"], body, self.input, [], body["previous_response_id"]), work


class LeaseResponseRequest(WireModel):
    """For the next response that is to be generated."""


class WriteResponseRequest(WireModel):
    """What the holder of a lease has generated."""

    response_id: str
    lease: str
    events: list[list[Any]] = Field(default_factory=list)
    last_number: int = -1
    final: JsonObject | None = None
    retry_after_s: float | None = None
    is_counted: bool = True

    def parsed(self) -> WrittenPart:
        return WrittenPart(
            self.response_id,
            self.lease,
            _events(self.events),
            self.last_number,
            self.final,
            self.retry_after_s,
            self.is_counted,
        )


def _events(wire: Iterable[Sequence[Any]]) -> list[ResponseEvent]:
    return [(name, body) for name, body in wire]
