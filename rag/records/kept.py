"""Stored questions and answers, and background responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rag.types import JsonMapping, JsonObject

LEASE_S = 30.0
"""Seconds without a write after which the lease of a response in the background expires."""


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response that is to be kept. Its items are JSON objects with an `id`."""

    response_id: str
    body: JsonMapping
    """OpenAI's object without `output`."""
    input: Sequence[JsonMapping]
    output: Sequence[JsonMapping]
    previous_id: str | None = None
    conversation_id: str | None = None
    """The conversation that the items are added to."""
    is_kept: bool = True
    """Whether the response itself is kept."""


ResponseEvent: TypeAlias = tuple[str, JsonObject]
"""Name and data of an event of a response's stream."""


@dataclass(frozen=True, slots=True)
class NewWork:
    """A queued background response, with everything that its generation needs."""

    response_id: str
    request: JsonMapping
    """The body of the request."""
    caller: str
    """Who asked, as in the header between services."""
    request_id: str
    streams: bool
    """Whether the events are kept."""
    events: Sequence[ResponseEvent] = ()
    """The events that announce that it is queued."""


@dataclass(frozen=True, slots=True)
class LeasedResponse:
    """A background response that is leased to a process."""

    response_id: str
    lease: str
    response: JsonMapping
    """OpenAI's object, in progress."""
    request: JsonMapping
    caller: str
    request_id: str
    streams: bool
    attempts: int
    """How often it was begun, this time included."""
    last_number: int
    """The sequence number of its last event."""
    refusal: str = ""
    """Why the caller may not ask any more; empty: it may."""


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """Output of an attempt at a background response. Every write renews the lease."""

    response_id: str
    lease: str
    events: Sequence[ResponseEvent] = ()
    last_number: int = -1
    """Sequence number of the event before `events`. Those of them that are stored already are skipped."""
    final: JsonMapping | None = None
    """OpenAI's object, once it is complete or has failed."""
    retry_after_s: float | None = None
    """The attempt is given up; another one may begin after this time."""
    is_counted: bool = True
    """Whether an attempt that is given up counts."""


@dataclass(frozen=True, slots=True)
class NewCompletion:
    """A chat completion that is to be kept."""

    completion_id: str
    model: str
    """Its name in the request."""
    body: JsonMapping
    """OpenAI's object."""
    messages: Sequence[JsonMapping]
    """The messages of the request, each with an `id`."""
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation."""

    conversation_id: str
    created_at: float
    metadata: Mapping[str, str]
