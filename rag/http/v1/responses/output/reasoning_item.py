"""The item of a response that contains what the model thought, with OpenAI's events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from openai.types.responses import (
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseReasoningItem,
    ResponseReasoningTextDeltaEvent,
    ResponseReasoningTextDoneEvent,
)
from openai.types.responses.response_reasoning_item import Content

from rag.http.v1.responses.output.objects import ItemStatus, new_id
from rag.http.v1.responses.output.output_items import NewEvent
from rag.types import JsonObject


@dataclass(slots=True)
class OpenReasoning:
    """A reasoning item, without a summary, because models do not write one."""

    output_index: int
    _id: str = field(default_factory=lambda: new_id("rs"))
    _text: list[str] = field(default_factory=list)

    def item(self, status: ItemStatus) -> ResponseReasoningItem:
        content = [] if status == "in_progress" else [self._part]
        return ResponseReasoningItem(id=self._id, type="reasoning", summary=[], content=content, status=status)

    def added(self) -> Iterator[NewEvent]:
        fields = {"part": {"type": "reasoning_text", "text": ""}, **self._place}
        yield ResponseContentPartAddedEvent, "response.content_part.added", fields

    def delta(self, text: str) -> Iterator[NewEvent]:
        self._text.append(text)
        yield ResponseReasoningTextDeltaEvent, "response.reasoning_text.delta", {**self._place, "delta": text}

    def done(self) -> Iterator[NewEvent]:
        part = self._part
        yield ResponseReasoningTextDoneEvent, "response.reasoning_text.done", {**self._place, "text": part.text}
        yield ResponseContentPartDoneEvent, "response.content_part.done", {**self._place, "part": part.model_dump()}

    @property
    def _part(self) -> Content:
        return Content(type="reasoning_text", text="".join(self._text))

    @property
    def _place(self) -> JsonObject:
        return {"item_id": self._id, "output_index": self.output_index, "content_index": 0}
