"""The items of a response that the model writes piece by piece: messages and function calls, with OpenAI's events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from openai.types.responses import (
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from openai.types.responses.response_output_text import AnnotationFileCitation
from pydantic import BaseModel

from rag.generate.citations import Citation
from rag.http.v1.responses.output.objects import (
    ItemStatus,
    function_call,
    logprob_objects,
    message,
    new_id,
    output_text,
)
from rag.types import Hit, JsonObject, TokenLogprob

NewEvent: TypeAlias = tuple[type[BaseModel], str, JsonObject]
"""OpenAI's type of an event, its name and its fields, without the sequence number."""


class OpenItem(Protocol):
    """An item that is being generated. Its events do not include those that every item has."""

    output_index: int
    """Its position in the output."""

    def item(self, status: ItemStatus) -> ResponseOutputItem:
        """The item with what has been written so far."""
        ...

    def added(self) -> Iterator[NewEvent]:
        """The events after the item was added."""
        ...

    def done(self) -> Iterator[NewEvent]:
        """The events before the item is done."""
        ...


@dataclass(frozen=True, slots=True)
class ItemStep:
    """A step of an item that the service writes. The first step begins the item, which gets its position then."""

    item: OpenItem
    events: Callable[[], Iterable[NewEvent]] = tuple
    """Called once the item has begun."""
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class SourcesNumbered:
    """The passages that the answer may cite from now on, by number, and the maximum number of each search."""

    hits: Sequence[Hit]
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class MessageEnded:
    """The end of a message that is not the last item."""

    citations: Sequence[Citation] = ()


@dataclass(slots=True)
class OpenMessage:
    """A message with one text."""

    output_index: int
    annotations: Sequence[AnnotationFileCitation] = ()
    _id: str = field(default_factory=lambda: new_id("msg"))
    _text: list[str] = field(default_factory=list)
    _logprobs: list[TokenLogprob] = field(default_factory=list)

    def item(self, status: ItemStatus) -> ResponseOutputMessage:
        if status == "in_progress":
            return message(self._id, status, ())
        return message(self._id, status, [output_text("".join(self._text), self.annotations, self._logprobs)])

    def added(self) -> Iterator[NewEvent]:
        fields = {"part": output_text(""), **self._place}
        yield ResponseContentPartAddedEvent, "response.content_part.added", fields

    def delta(self, text: str, logprobs: Sequence[TokenLogprob]) -> Iterator[NewEvent]:
        self._text.append(text)
        self._logprobs += logprobs
        fields = {**self._place, "delta": text, "logprobs": _dumped(logprob_objects(logprobs))}
        yield ResponseTextDeltaEvent, "response.output_text.delta", fields

    def done(self) -> Iterator[NewEvent]:
        part = output_text("".join(self._text), self.annotations, self._logprobs)
        for index, cited in enumerate(self.annotations):
            fields = {**self._place, "annotation_index": index, "annotation": cited.model_dump()}
            yield ResponseOutputTextAnnotationAddedEvent, "response.output_text.annotation.added", fields
        whole = {**self._place, "text": part.text, "logprobs": _dumped(part.logprobs or ())}
        yield ResponseTextDoneEvent, "response.output_text.done", whole
        yield ResponseContentPartDoneEvent, "response.content_part.done", {**self._place, "part": part}

    @property
    def _place(self) -> JsonObject:
        """The position of the message's text in the response."""
        return {"item_id": self._id, "output_index": self.output_index, "content_index": 0}


@dataclass(slots=True)
class OpenRefusal:
    """A refusal: there is no answer in the form that the request prescribes."""

    output_index: int
    _id: str = field(default_factory=lambda: new_id("msg"))
    _text: list[str] = field(default_factory=list)

    def item(self, status: ItemStatus) -> ResponseOutputMessage:
        return message(self._id, status, () if status == "in_progress" else [self._part])

    def added(self) -> Iterator[NewEvent]:
        empty = ResponseOutputRefusal(type="refusal", refusal="")
        yield ResponseContentPartAddedEvent, "response.content_part.added", {**self._place, "part": empty}

    def delta(self, text: str) -> Iterator[NewEvent]:
        self._text.append(text)
        yield ResponseRefusalDeltaEvent, "response.refusal.delta", {**self._place, "delta": text}

    def done(self) -> Iterator[NewEvent]:
        part = self._part
        yield ResponseRefusalDoneEvent, "response.refusal.done", {**self._place, "refusal": part.refusal}
        yield ResponseContentPartDoneEvent, "response.content_part.done", {**self._place, "part": part}

    @property
    def _part(self) -> ResponseOutputRefusal:
        return ResponseOutputRefusal(type="refusal", refusal="".join(self._text))

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index, "content_index": 0}


@dataclass(slots=True)
class OpenCall:
    """A call of a function."""

    output_index: int
    call_id: str
    name: str
    _id: str = field(default_factory=lambda: new_id("fc"))
    _arguments: list[str] = field(default_factory=list)

    def item(self, status: ItemStatus) -> ResponseFunctionToolCall:
        return function_call(self._id, status, self.call_id, self.name, "".join(self._arguments))

    def added(self) -> Iterator[NewEvent]:
        return iter(())

    def delta(self, arguments: str) -> Iterator[NewEvent]:
        if arguments:
            self._arguments.append(arguments)
            fields = {**self._place, "delta": arguments}
            yield ResponseFunctionCallArgumentsDeltaEvent, "response.function_call_arguments.delta", fields

    def done(self) -> Iterator[NewEvent]:
        fields = {**self._place, "arguments": "".join(self._arguments)}
        yield ResponseFunctionCallArgumentsDoneEvent, "response.function_call_arguments.done", fields

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index}


def _dumped(models: Sequence[BaseModel]) -> list[JsonObject]:
    return [model.model_dump() for model in models]
