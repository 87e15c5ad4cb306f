"""The events of a response that is being written, in OpenAI's order; the last of them holds the whole of it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

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
from rag.generate.pipeline import AnswerEvent, Done, SourcesFound
from rag.generate.text_assembler import CompletedText
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.event_stream import Event, StreamFormat
from rag.http.streaming.sse import format_event
from rag.http.v1.responses.objects import ResponseMetadata, annotation, logprob_objects, message, new_id, output_text
from rag.ports import TokenStream
from rag.types import Hit, JsonObject, StreamEnd, TextDelta, TokenLogprob, Usage

LAST = ("response.completed", "response.incomplete", "failed")
"""After these nothing comes."""
ResponseEvents = AsyncGenerator[Event, None]


async def plain_events(pieces: TokenStream) -> AsyncGenerator[AnswerEvent, None]:
    """What a language model writes by itself, as an answer without sources."""
    text: list[str] = []
    async for piece in pieces:
        if isinstance(piece, TextDelta):
            text.append(piece.text)
            yield piece
        elif isinstance(piece, StreamEnd):
            yield piece.usage
            (end,) = piece.all_ends()
            yield Done((CompletedText("".join(text), end.finish_reason, end.stop_reason),), {})
            return


class ResponseWriter:
    """Args:
    queries: What was searched for, where documents were searched.
    """

    def __init__(self, reply: ResponseMetadata, queries: Sequence[str] = ()) -> None:
        self._reply = reply
        self._queries = queries
        self._numbers = itertools.count()
        self._hits: Sequence[Hit] = ()
        self._done: list[ResponseOutputItem] = []
        self._message_id = ""
        self._text: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._usage: Usage | None = None

    @property
    def form(self) -> StreamFormat:
        """Of a stream of `events`."""
        return StreamFormat(_write, LAST, self._failed)

    async def events(self, answer: AsyncGenerator[AnswerEvent, None]) -> ResponseEvents:
        begun = self._reply.response("in_progress")
        yield self._event(ResponseCreatedEvent, "response.created", response=begun)
        yield self._event(ResponseInProgressEvent, "response.in_progress", response=begun)
        async for event in answer:
            match event:
                case SourcesFound(hits):
                    for found in self._searched(hits):
                        yield found
                case TextDelta():
                    for more in self._more(event):
                        yield more
                case Usage():
                    self._usage = event
                case Done():
                    for last in self._ended(event):
                        yield last

    def _searched(self, hits: Sequence[Hit]) -> Iterator[Event]:
        self._hits = hits
        item_id, call = new_id("fs"), self._reply.search_call
        place: Any = {"output_index": 0, "item_id": item_id}
        added = call(item_id, "in_progress", self._queries, ())
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", output_index=0, item=added)
        kinds: tuple[tuple[type[BaseModel], str], ...] = (
            (ResponseFileSearchCallInProgressEvent, "in_progress"),
            (ResponseFileSearchCallSearchingEvent, "searching"),
            (ResponseFileSearchCallCompletedEvent, "completed"),
        )
        for kind, name in kinds:
            yield self._event(kind, f"response.file_search_call.{name}", **place)
        yield self._item_done(call(item_id, "completed", self._queries, hits))

    def _more(self, piece: TextDelta) -> Iterator[Event]:
        yield from self._opened()
        self._text.append(piece.text)
        self._logprobs += piece.logprobs
        delta: Any = {"delta": piece.text, "logprobs": _plain(logprob_objects(piece.logprobs))}
        yield self._event(ResponseTextDeltaEvent, "response.output_text.delta", **self._part, **delta)

    def _opened(self) -> Iterator[Event]:
        if self._message_id:
            return
        self._message_id = new_id("msg")
        added, index = message(self._message_id, "in_progress", ()), len(self._done)
        yield self._event(ResponseOutputItemAddedEvent, "response.output_item.added", output_index=index, item=added)
        part = output_text("")
        yield self._event(ResponseContentPartAddedEvent, "response.content_part.added", part=part, **self._part)

    @property
    def _part(self) -> Any:
        """Where the text is."""
        return {"item_id": self._message_id, "output_index": len(self._done), "content_index": 0}

    def _ended(self, done: Done) -> Iterator[Event]:
        yield from self._opened()
        written = done.texts[0]
        annotations = [annotation(citation, self._hits[citation.index - 1]) for citation in written.citations]
        part = output_text(written.text, annotations, self._logprobs)
        for index, one in enumerate(annotations):
            place: Any = {**self._part, "annotation_index": index, "annotation": one.model_dump()}
            yield self._event(ResponseOutputTextAnnotationAddedEvent, "response.output_text.annotation.added", **place)
        told: Any = {"text": written.text, "logprobs": _plain(part.logprobs or ())}
        yield self._event(ResponseTextDoneEvent, "response.output_text.done", **self._part, **told)
        yield self._event(ResponseContentPartDoneEvent, "response.content_part.done", part=part, **self._part)
        is_cut = written.finish_reason == "length"
        yield self._item_done(message(self._message_id, "incomplete" if is_cut else "completed", [part]))
        response = self._reply.response(
            "incomplete" if is_cut else "completed", self._done, usage=self._usage, more=_ours(done, self._reply)
        )
        kind: type[BaseModel] = ResponseIncompleteEvent if is_cut else ResponseCompletedEvent
        yield self._event(kind, f"response.{response.status}", response=response)

    def _item_done(self, item: Any) -> Event:
        index = len(self._done)
        self._done.append(item)
        return self._event(ResponseOutputItemDoneEvent, "response.output_item.done", output_index=index, item=item)

    def _failed(self, error: RagError) -> Event:
        """Both events in one: the response as far as it came, and what makes OpenAI's clients raise."""
        output = list(self._done)
        if self._message_id and not (output and output[-1].type == "message"):
            part = output_text("".join(self._text), (), self._logprobs)
            output.append(message(self._message_id, "incomplete", [part]))
        response = self._reply.response("failed", output, usage=self._usage, error=error)
        _, failed = self._event(ResponseFailedEvent, "response.failed", response=response)
        said: Any = {"code": error.code, "message": error.message, "param": error.param}
        _, last = self._event(ResponseErrorEvent, "error", **said)
        # The types have no `error`; the openai package looks for it, and raises.
        return "failed", {"response.failed": failed, "error": last | error_body(error, current_request_id.get())}

    def _event(self, kind: type[BaseModel], name: str, **values: Any) -> Event:
        event = kind(type=name, sequence_number=next(self._numbers), **values)
        return name, event.model_dump(mode="json", exclude_unset=True, by_alias=True, warnings=False)


def _write(name: str, data: JsonObject) -> bytes:
    if name == "failed":
        return b"".join(format_event(one, part) for one, part in data.items())
    return format_event(name, data)


def _plain(models: Sequence[BaseModel]) -> list[JsonObject]:
    return [model.model_dump() for model in models]


def _ours(done: Done, reply: ResponseMetadata) -> JsonObject:
    """Beside OpenAI's fields, of an answer from documents: what became of its marks, and what it had to do without."""
    if not reply.searches:
        return {}
    weak = {} if done.weakly_supported is None else {"weakly_supported": done.weakly_supported}
    note = {"note": done.note} if done.note else {}
    return {"rag": {"finish_reason": done.finish_reason, "citations_removed": done.removed, **weak, **note}}
