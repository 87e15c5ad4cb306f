"""Parses function calls from the text that the model writes in a chat."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from rag.errors import DependencyUnavailable
from rag.http.v1.chat.call_reader import CallReader, call_reader
from rag.http.v1.chat.tool_choice import ToolUse
from rag.http.v1.finish_reason import openai_finish
from rag.ports import TokenStream
from rag.types import JsonObject, StreamEnd, TextDelta, TextEnd


async def read_tool_calls(stream: TokenStream, use: ToolUse) -> AsyncGenerator[TextDelta | StreamEnd, None]:
    """The stream, with text that represents function calls replaced by those calls.

    Raises:
        DependencyUnavailable: the text is not the function call that the model had to write.
    """
    calls = _ToolCalls(use)
    async for delta in stream:
        yield calls.end(delta) if isinstance(delta, StreamEnd) else calls.read(delta)


class _ToolCalls:
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

    def end(self, end: StreamEnd) -> StreamEnd:
        ends = tuple(self._text_end(index, text_end) for index, text_end in enumerate(end.all_ends()))
        return replace(end, finish_reason=ends[0].finish_reason, ends=ends)

    def _text_end(self, index: int, end: TextEnd) -> TextEnd:
        finish_reason, stop_reason = openai_finish(end.finish_reason, end.stop_reason)
        has_calls = index in self._with_calls
        if finish_reason == "stop" and self._use.calling == "required" and not has_calls:
            raise DependencyUnavailable("the language model wrote no function call, although tool_choice requires one")
        if finish_reason == "stop" and has_calls and self._use.calling != "named":
            finish_reason = "tool_calls"  # for a named function, OpenAI's API returns `stop`
        return TextEnd(finish_reason, stop_reason)

    def _reader(self, index: int) -> CallReader | None:
        if index not in self._readers and (reader := call_reader(self._use)) is not None:
            self._readers[index] = reader
        return self._readers.get(index)


def _read(reader: CallReader, text: str) -> tuple[JsonObject, ...]:
    try:
        return tuple(reader.feed(text))
    except ValueError:
        raise DependencyUnavailable("the language model's text is not a valid function call") from None
