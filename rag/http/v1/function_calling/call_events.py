"""Parses function calls from the text of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from rag.errors import DependencyUnavailable
from rag.generate.events import AnswerEvent, AnswerStream, CompletedText, Done, SourcesFound
from rag.http.v1.function_calling.call_reader import CallList, CallReader, NamedCall, ReadText
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.http.v1.function_calling.written_calls import WrittenCalls
from rag.http.v1.text_generation.finish_reason import openai_finish
from rag.types import ReasoningDelta, TextDelta, TokenLogprob, Usage


async def call_events(answer: AnswerStream, use: ToolUse) -> AsyncGenerator[AnswerEvent, None]:
    """The answer, with text that represents function calls replaced by those calls. An answer that says that the
    documents contain nothing stays as it is.

    Raises:
        DependencyUnavailable: the text is not the function call that the model had to write.
    """
    texts: dict[int, _Text] = {}
    found_nothing = False
    async for event in answer:
        match event:
            case SourcesFound():
                found_nothing = not event.hits
                yield event
            case ReasoningDelta():
                yield event
            case _ if found_nothing:
                yield event
            case TextDelta():
                text = texts.setdefault(event.index, _Text(use))
                if (read := text.read(event)) is not None:
                    yield read
            case Usage():  # follows the last delta
                for index, text in texts.items():
                    if (rest := text.close(index)) is not None:
                        yield rest
                yield event
            case Done():
                completed = (texts.get(index, _Text(use)).completed(text) for index, text in enumerate(event.texts))
                yield replace(event, texts=tuple(completed))


class _Text:
    """One text of the answer.

    Log probabilities of text that the reader holds back are sent with what it reads next.
    """

    def __init__(self, use: ToolUse) -> None:
        self._use = use
        self._reader = _reader(use)
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._sent: list[str] = []
        self._has_calls = False

    def read(self, delta: TextDelta) -> TextDelta | None:
        """What can be sent now; None if nothing can."""
        read = ReadText(delta.text, delta.tool_calls)
        if self._reader is not None:
            try:
                read = self._reader.feed(delta.text)
            except ValueError:
                raise DependencyUnavailable("the language model's text is not a valid function call") from None
        return self._delta(read, delta.index, delta.logprobs)

    def close(self, index: int) -> TextDelta | None:
        """What was held back, after the last delta."""
        return None if self._reader is None else self._delta(self._reader.close(), index, ())

    def completed(self, text: CompletedText) -> CompletedText:
        finish_reason, stop_reason = openai_finish(text.finish_reason, text.stop_reason)
        if finish_reason == "stop" and self._use.calling == "required" and not self._has_calls:
            raise DependencyUnavailable("the language model wrote no function call, although tool_choice requires one")
        if finish_reason == "stop" and self._has_calls and self._use.calling != "named":
            finish_reason = "tool_calls"  # for a named function, OpenAI's API returns `stop`
        return replace(text, text="".join(self._sent), finish_reason=finish_reason, stop_reason=stop_reason)

    def _delta(self, read: ReadText, index: int, logprobs: tuple[TokenLogprob, ...]) -> TextDelta | None:
        calls = tuple(call for call in read.calls if self._use.parallel or call["index"] == 0)
        self._logprobs += logprobs
        if not (read.text or calls or (self._logprobs and self._reader is None)):
            return None
        sent, self._logprobs = self._logprobs, ()
        self._sent.append(read.text)
        self._has_calls = self._has_calls or bool(calls)
        return TextDelta(read.text, index, sent, calls)


def _reader(use: ToolUse) -> CallReader | None:
    """The reader of calls in text; None if the engine's parser finds the calls."""
    if use.calling == "named":
        return NamedCall(use.name)
    if use.is_written:
        return WrittenCalls()
    return CallList() if use.calling == "required" else None
