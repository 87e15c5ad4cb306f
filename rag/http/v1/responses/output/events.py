"""The events of an answer as the events of a response, in OpenAI's order. The final one contains the whole response."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseErrorEvent,
    ResponseFailedEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseIncompleteEvent,
    ResponseInProgressEvent,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseQueuedEvent,
)
from pydantic import BaseModel

from rag.errors import DependencyUnavailable, RagError
from rag.generate.citations import Citation
from rag.generate.events import AnswerEvent, Done, SourcesFound
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.answer_events import citation_fields, style_fields
from rag.http.streaming.event_stream import Event, StreamFormat
from rag.http.streaming.sse import format_event
from rag.http.v1.responses.output.objects import (
    ItemStatus,
    ResponseMetadata,
    annotation,
    dumped,
    new_id,
    with_whole_seconds,
)
from rag.http.v1.responses.output.output_items import (
    ItemStep,
    MessageEnded,
    NewEvent,
    OpenCall,
    OpenItem,
    OpenMessage,
    OpenRefusal,
    SourcesNumbered,
)
from rag.http.v1.responses.output.reasoning_item import OpenReasoning
from rag.http.v1.text_generation.finish_reason import CUT
from rag.types import Hit, JsonObject, ReasoningDelta, TextDelta, Usage

SourceEvent: TypeAlias = AnswerEvent | ItemStep | SourcesNumbered | MessageEnded
ResponseSource: TypeAlias = AsyncIterator[SourceEvent]
"""An answer, in which tools that the service runs may write items of their own."""
FAILED = "failed"
"""Represents two events: see `ResponseWriter.form`."""
FINAL = ("response.completed", "response.incomplete", FAILED)
"""The events that end a stream."""


class ResponseWriter:
    """Turns the events of one answer into the events of one response.

    It collects what was sent, because the final event repeats all of it, even if the answer fails.
    """

    def __init__(self, reply: ResponseMetadata) -> None:
        self._reply = reply
        self._numbers = itertools.count()
        self._hits: Sequence[Hit] = ()
        self._output: list[ResponseOutputItem] = []
        self._open: OpenItem | None = None
        """The current item."""
        self._calls = 0
        """Number of functions that have been called."""
        self._usage: Usage | None = None
        self._refuses = False
        """Whether the text is a refusal: nothing was found, and the request prescribes the form of an answer."""

    @property
    def form(self) -> StreamFormat:
        """The format of a stream of `events`. A failure is written as two events, `response.failed` and `error`."""
        return StreamFormat(_write, FINAL, self._failed)

    def queued(self) -> Sequence[Event]:
        """The events of a response that is to be generated later. Those of `events` follow them, without the first."""
        response = self._reply.response("queued")
        return (
            self._event(ResponseCreatedEvent, "response.created", response=response),
            self._event(ResponseQueuedEvent, "response.queued", response=response),
        )

    async def events(self, answer: ResponseSource) -> AsyncGenerator[Event, None]:
        waits = self._reply.searches and not self._reply.runs_tools
        first = await anext(answer, None) if waits else None
        if isinstance(first, SourcesFound):
            self._reply = replace(self._reply, top_k=first.top_k)
        response = self._reply.response("in_progress")
        yield self._event(ResponseCreatedEvent, "response.created", response=response)
        yield self._event(ResponseInProgressEvent, "response.in_progress", response=response)
        if first is not None:
            for response_event in self._response_events(first):
                yield response_event
        async for event in answer:
            for response_event in self._response_events(event):
                yield response_event

    def _response_events(self, event: SourceEvent) -> Iterable[Event]:
        match event:
            case ReasoningDelta():
                return self._reasoning(event)
            case ItemStep():
                return self._step(event)
            case MessageEnded():
                return self._message_ended(event)
            case SourcesNumbered():
                self._hits = event.hits
                self._reply = replace(self._reply, top_k=event.top_k)
                return ()
            case TextDelta() if self._refuses:
                return self._refusal(event)
            case TextDelta():
                return self._delta(event)
            case SourcesFound():
                return self._file_search_call(event)
            case Usage():
                self._usage = event
                return ()
            case Done():
                return self._done(event)

    def _step(self, step: ItemStep) -> Iterator[Event]:
        if step.item is not self._open:
            yield from self._close("completed")
            step.item.output_index = len(self._output)
            yield from self._begin(step.item)
        yield from self._numbered(step.events())
        if step.is_done:
            yield from self._close("completed")

    def _message_ended(self, end: MessageEnded) -> Iterator[Event]:
        self._annotate(end.citations)
        yield from self._close("completed")

    def _annotate(self, citations: Iterable[Citation]) -> None:
        if isinstance(self._open, OpenMessage):
            self._open.annotations = [annotation(citation, self._hits[citation.index - 1]) for citation in citations]

    def _file_search_call(self, search: SourcesFound) -> Iterator[Event]:
        self._hits = search.hits
        self._refuses = not search.hits and self._reply.has_form
        self._reply = replace(self._reply, top_k=search.top_k)
        index, item_id, call = len(self._output), new_id("fs"), self._reply.search_call
        place: JsonObject = {"output_index": index, "item_id": item_id}
        added = call(item_id, "in_progress", search.queries, ())
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", output_index=index, item=added)
        kinds: tuple[tuple[type[BaseModel], str], ...] = (
            (ResponseFileSearchCallInProgressEvent, "in_progress"),
            (ResponseFileSearchCallSearchingEvent, "searching"),
            (ResponseFileSearchCallCompletedEvent, "completed"),
        )
        for kind, name in kinds:
            yield self._event(kind, f"response.file_search_call.{name}", **place)
        yield self._item_done(call(item_id, "completed", search.queries, search.hits))

    def _reasoning(self, delta: ReasoningDelta) -> Iterator[Event]:
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            yield from self._close("completed")
            reasoning = OpenReasoning(len(self._output))
            yield from self._begin(reasoning)
        yield from self._numbered(reasoning.delta(delta.text))

    def _refusal(self, delta: TextDelta) -> Iterator[Event]:
        refusal = self._open
        if not isinstance(refusal, OpenRefusal):
            yield from self._close("completed")
            refusal = OpenRefusal(len(self._output))
            yield from self._begin(refusal)
        yield from self._numbered(refusal.delta(delta.text))

    def _delta(self, delta: TextDelta) -> Iterator[Event]:
        if delta.text or not delta.tool_calls:
            message = self._open
            if not isinstance(message, OpenMessage):
                yield from self._close("completed")
                message = OpenMessage(len(self._output))
                yield from self._begin(message)
            yield from self._numbered(message.delta(delta.text, delta.logprobs))
        for part in delta.tool_calls:
            yield from self._call_delta(part)

    def _call_delta(self, part: JsonObject) -> Iterator[Event]:
        function, call = part.get("function") or {}, self._open
        if part["index"] >= self._calls:
            self._calls += 1
            yield from self._close("completed")
            call = OpenCall(len(self._output), part["id"], function.get("name", ""))
            yield from self._begin(call)
        if not isinstance(call, OpenCall) or part["index"] != self._calls - 1:
            raise DependencyUnavailable("the language model's function calls arrived mixed; ask for one at a time")
        yield from self._numbered(call.delta(function.get("arguments") or ""))

    def _begin(self, item: OpenItem) -> Iterator[Event]:
        self._open = item
        fields: JsonObject = {"output_index": item.output_index, "item": item.item("in_progress")}
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", **fields)
        yield from self._numbered(item.added())

    def _close(self, status: ItemStatus) -> Iterator[Event]:
        if self._open is None:
            return
        yield from self._numbered(self._open.done())
        done, self._open = self._item_done(self._open.item(status)), None
        yield done

    def _done(self, done: Done) -> Iterator[Event]:
        written = done.texts[0]
        is_incomplete = written.finish_reason in CUT
        thinks = isinstance(self._open, OpenReasoning)
        is_empty = self._open is None or (thinks and not is_incomplete)
        if is_empty and written.finish_reason != "tool_calls":  # the model wrote nothing
            yield from self._close("completed")
            yield from self._begin(OpenMessage(len(self._output)))
        self._annotate(written.citations)
        yield from self._close("incomplete" if is_incomplete else "completed")
        response = self._reply.response(
            "incomplete" if is_incomplete else "completed",
            self._output,
            usage=self._usage,
            more=_rag_fields(done, self._reply),
        )
        kind: type[BaseModel] = ResponseIncompleteEvent if is_incomplete else ResponseCompletedEvent
        yield self._event(kind, f"response.{response.status}", response=response)

    def _item_done(self, item: ResponseOutputItem) -> Event:
        index = len(self._output)
        self._output.append(item)
        return self._event(ResponseOutputItemDoneEvent, "response.output_item.done", output_index=index, item=item)

    def _failed(self, error: RagError) -> Event:
        """The incomplete response, and the error that OpenAI's clients raise."""
        unfinished = [] if self._open is None else [self._open.item("incomplete")]
        output = [*self._output, *unfinished]
        response = self._reply.response("failed", output, usage=self._usage, error=error)
        _, failed = self._event(ResponseFailedEvent, "response.failed", response=response)
        fields: JsonObject = {"code": error.code, "message": error.message, "param": error.param}
        _, last = self._event(ResponseErrorEvent, "error", **fields)
        # OpenAI's type has no field `error`, but its client raises if an event has one.
        return FAILED, {"response.failed": failed, "error": last | error_body(error, current_request_id.get())}

    def _numbered(self, events: Iterable[NewEvent]) -> Iterator[Event]:
        for kind, name, fields in events:
            yield self._event(kind, name, **fields)

    def _event(self, kind: type[BaseModel], name: str, **fields: object) -> Event:
        event = kind(type=name, sequence_number=next(self._numbers), **fields)
        data = dumped(event)
        return name, {**data, "response": with_whole_seconds(data["response"])} if "response" in data else data


def _write(name: str, data: JsonObject) -> bytes:
    if name == FAILED:
        return b"".join(format_event(event, fields) for event, fields in data.items())
    return format_event(name, data)


def _rag_fields(done: Done, reply: ResponseMetadata) -> JsonObject:
    """Our own fields, if documents were searched; otherwise only the notes."""
    notes = "; ".join(filter(None, (*reply.notes, done.note)))
    note = {"note": notes} if notes else {}
    if not reply.searches:
        return {"rag": note} if note else {}
    fields = {name: value for name, value in citation_fields(done.texts[0]).items() if name != "citations"}
    return {"rag": {"finish_reason": done.finish_reason, **style_fields(done), **fields, **note}}
