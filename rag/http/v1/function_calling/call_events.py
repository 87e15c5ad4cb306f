"""Parses function calls from the text of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from rag.errors import DependencyUnavailable
from rag.generate.events import AnswerEvent, AnswerStream, CompletedText, Done
from rag.http.v1.finish_reason import openai_finish
from rag.http.v1.function_calling.call_reader import CallReader, call_reader
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.types import JsonObject, TextDelta


async def call_events(answer: AnswerStream, use: ToolUse) -> AsyncGenerator[AnswerEvent, None]:
    """The answer, with text that represents function calls replaced by those calls.

    Raises:
        DependencyUnavailable: the text is not the function call that the model had to write.
    """
    calls = _FunctionCalls(use)
    async for event in answer:
        match event:
            case TextDelta():
                read = calls.read(event)
                if read.text or read.logprobs or read.tool_calls:
                    yield read
            case Done():
                yield replace(event, texts=tuple(calls.completed(*text) for text in enumerate(event.texts)))
            case _:
                yield event


class _FunctionCalls:
    def __init__(self, use: ToolUse) -> None:
        self._use = use
        self._readers: dict[int, CallReader] = {}
        self._with_calls: set[int] = set()
        """Indices of the texts that call functions."""

    def read(self, delta: TextDelta) -> TextDelta:
        if (reader := self._reader(delta.index)) is not None:
            delta = replace(delta, text="", tool_calls=_read(reader, delta.text))
        if not self._use.parallel:
            delta = replace(delta, tool_calls=tuple(call for call in delta.tool_calls if call["index"] == 0))
        if delta.tool_calls:
            self._with_calls.add(delta.index)
        return delta

    def completed(self, index: int, text: CompletedText) -> CompletedText:
        finish_reason, stop_reason = openai_finish(text.finish_reason, text.stop_reason)
        has_calls = index in self._with_calls
        if finish_reason == "stop" and self._use.calling == "required" and not has_calls:
            raise DependencyUnavailable("the language model wrote no function call, although tool_choice requires one")
        if finish_reason == "stop" and has_calls and self._use.calling != "named":
            finish_reason = "tool_calls"  # for a named function, OpenAI's API returns `stop`
        whole = text.text if self._reader(index) is None else ""
        return replace(text, text=whole, finish_reason=finish_reason, stop_reason=stop_reason)

    def _reader(self, index: int) -> CallReader | None:
        if index not in self._readers and (reader := call_reader(self._use)) is not None:
            self._readers[index] = reader
        return self._readers.get(index)


def _read(reader: CallReader, text: str) -> tuple[JsonObject, ...]:
    try:
        return tuple(reader.feed(text))
    except ValueError:
        raise DependencyUnavailable("the language model's text is not a valid function call") from None
