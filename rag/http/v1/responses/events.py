"""The events of an answer as the events of a response, in OpenAI's order. The final one contains the whole response."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import replace

from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
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
    ResponseOutputTextAnnotationAddedEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from pydantic import BaseModel

from rag.errors import RagError
from rag.generate.events import AnswerEvent, AnswerStream, Done, SourcesFound
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.answer_events import citation_fields, style_fields
from rag.http.streaming.event_stream import Event, StreamFormat
from rag.http.streaming.sse import format_event
from rag.http.v1.finish_reason import CUT
from rag.http.v1.responses.objects import ResponseMetadata, annotation, logprob_objects, message, new_id, output_text
from rag.types import Hit, JsonObject, TextDelta, TokenLogprob, Usage

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
        self._message_id = ""
        self._text: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._usage: Usage | None = None

    @property
    def form(self) -> StreamFormat:
        """The format of a stream of `events`. A failure is written as two events, `response.failed` and `error`."""
        return StreamFormat(_write, FINAL, self._failed)

    async def events(self, answer: AnswerStream) -> AsyncGenerator[Event, None]:
        first = await anext(answer, None) if self._reply.searches else None
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

    def _response_events(self, event: AnswerEvent) -> Iterable[Event]:
        match event:
            case TextDelta():
                return self._text_delta(event)
            case SourcesFound():
                return self._file_search_call(event)
            case Usage():
                self._usage = event
                return ()
            case Done():
                return self._done(event)

    def _file_search_call(self, search: SourcesFound) -> Iterator[Event]:
        self._hits = search.hits
        item_id, call = new_id("fs"), self._reply.search_call
        place: JsonObject = {"output_index": 0, "item_id": item_id}
        added = call(item_id, "in_progress", search.queries, ())
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", output_index=0, item=added)
        kinds: tuple[tuple[type[BaseModel], str], ...] = (
            (ResponseFileSearchCallInProgressEvent, "in_progress"),
            (ResponseFileSearchCallSearchingEvent, "searching"),
            (ResponseFileSearchCallCompletedEvent, "completed"),
        )
        for kind, name in kinds:
            yield self._event(kind, f"response.file_search_call.{name}", **place)
        yield self._item_done(call(item_id, "completed", search.queries, search.hits))

    def _text_delta(self, delta: TextDelta) -> Iterator[Event]:
        yield from self._message_added()
        self._text.append(delta.text)
        self._logprobs += delta.logprobs
        fields: JsonObject = {"delta": delta.text, "logprobs": _dumped(logprob_objects(delta.logprobs))}
        yield self._event(ResponseTextDeltaEvent, "response.output_text.delta", **self._place, **fields)

    def _message_added(self) -> Iterator[Event]:
        if self._message_id:
            return
        self._message_id = new_id("msg")
        added, index = message(self._message_id, "in_progress", ()), len(self._output)
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", output_index=index, item=added)
        part = output_text("")
        yield self._event(ResponseContentPartAddedEvent, "response.content_part.added", part=part, **self._place)

    @property
    def _place(self) -> JsonObject:
        """The position of the message's text in the response."""
        return {"item_id": self._message_id, "output_index": len(self._output), "content_index": 0}

    def _done(self, done: Done) -> Iterator[Event]:
        yield from self._message_added()
        written = done.texts[0]
        annotations = [annotation(citation, self._hits[citation.index - 1]) for citation in written.citations]
        part = output_text(written.text, annotations, self._logprobs)
        for index, cited in enumerate(annotations):
            place = {**self._place, "annotation_index": index, "annotation": cited.model_dump()}
            yield self._event(ResponseOutputTextAnnotationAddedEvent, "response.output_text.annotation.added", **place)
        whole: JsonObject = {"text": written.text, "logprobs": _dumped(part.logprobs or ())}
        yield self._event(ResponseTextDoneEvent, "response.output_text.done", **self._place, **whole)
        yield self._event(ResponseContentPartDoneEvent, "response.content_part.done", part=part, **self._place)
        is_incomplete = written.finish_reason in CUT
        yield self._item_done(message(self._message_id, "incomplete" if is_incomplete else "completed", [part]))
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
        output = list(self._output)
        if self._message_id and not (output and output[-1].type == "message"):
            part = output_text("".join(self._text), (), self._logprobs)
            output.append(message(self._message_id, "incomplete", [part]))
        response = self._reply.response("failed", output, usage=self._usage, error=error)
        _, failed = self._event(ResponseFailedEvent, "response.failed", response=response)
        fields: JsonObject = {"code": error.code, "message": error.message, "param": error.param}
        _, last = self._event(ResponseErrorEvent, "error", **fields)
        # OpenAI's type has no field `error`, but its client raises if an event has one.
        return FAILED, {"response.failed": failed, "error": last | error_body(error, current_request_id.get())}

    def _event(self, kind: type[BaseModel], name: str, **fields: object) -> Event:
        event = kind(type=name, sequence_number=next(self._numbers), **fields)
        data = event.model_dump(mode="json", exclude_unset=True, by_alias=True, warnings=False)
        return name, {**data, "response": _with_whole_seconds(data["response"])} if "response" in data else data


def _write(name: str, data: JsonObject) -> bytes:
    if name == FAILED:
        return b"".join(format_event(event, fields) for event, fields in data.items())
    return format_event(name, data)


def _with_whole_seconds(response: JsonObject) -> JsonObject:
    """OpenAI's Python types write these times as floats, which OpenAI's client for .NET refuses."""
    times = {name: response.get(name) for name in ("created_at", "completed_at")}
    return {**response, **{name: int(value) for name, value in times.items() if value is not None}}


def _dumped(models: Sequence[BaseModel]) -> list[JsonObject]:
    return [model.model_dump() for model in models]


def _rag_fields(done: Done, reply: ResponseMetadata) -> JsonObject:
    """Our own fields, if documents were searched."""
    if not reply.searches:
        return {}
    fields = {name: value for name, value in citation_fields(done.texts[0]).items() if name != "citations"}
    note = {"note": done.note} if done.note else {}
    return {"rag": {"finish_reason": done.finish_reason, **style_fields(done), **fields, **note}}
