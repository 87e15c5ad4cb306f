"""What becomes a chat completion, streamed or whole: parts of its texts, and how they ended.

Both ways take the same parts, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

from rag.errors import DependencyUnavailable
from rag.generate.pipeline import AnswerEvent, Done, SourcesFound
from rag.generate.text_assembler import CompletedText
from rag.http.hits import sources_to_wire
from rag.http.streaming.answer_events import citation_to_wire
from rag.http.v1.chat.call_reader import CallReader, call_reader
from rag.http.v1.chat.tool_choice import ToolUse
from rag.ports import TokenStream
from rag.types import Hit, JsonObject, StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
_KNOWN = ("length", "tool_calls", "content_filter")


@dataclass(frozen=True, slots=True)
class Begun:
    """First, where something is known before the texts."""

    extras: Mapping[str, Any]
    """Fields of each message beside OpenAI's."""


@dataclass(frozen=True, slots=True)
class Part:
    """More of one text."""

    index: int
    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """How one text ended."""

    finish_reason: FinishReason
    stop_reason: str | int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Fields of its message that are known only now."""
    prompt_logprobs: tuple[TokenLogprob | None, ...] = ()
    """Of its prompt, where the request wants them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Last."""

    ends: tuple[End, ...]
    usage: Usage


Parts: TypeAlias = AsyncGenerator[Begun | Part | Ended, None]


async def plain_parts(pieces: TokenStream, use: ToolUse) -> Parts:
    """Of what the language model writes by itself."""
    calls = _Calls(use)
    async for piece in pieces:
        if isinstance(piece, StreamEnd):
            ends = (calls.end(index, end) for index, end in enumerate(piece.all_ends()))
            yield Ended(tuple(replace(end, prompt_logprobs=piece.prompt_logprobs) for end in ends), piece.usage)
            return
        if (part := calls.take(piece)) is not None:
            yield part


class _Calls:
    """Tells calls of functions from text."""

    def __init__(self, use: ToolUse) -> None:
        self._use = use
        self._readers: dict[int, CallReader] = {}
        self._called: set[int] = set()

    def take(self, piece: TextDelta) -> Part | None:
        part = Part(piece.index, piece.text, piece.logprobs, piece.tool_calls)
        if (reader := self._reader(piece.index)) is not None:
            part = replace(part, text="", tool_calls=_read(reader, piece.text))
        if not self._use.parallel:
            part = replace(part, tool_calls=tuple(call for call in part.tool_calls if call["index"] == 0))
        if part.tool_calls:
            self._called.add(piece.index)
        return part if part.text or part.logprobs or part.tool_calls else None

    def end(self, index: int, end: TextEnd) -> End:
        ended, called = text_end(end.finish_reason, end.stop_reason), index in self._called
        if ended.finish_reason == "stop" and self._use.calling == "required" and not called:
            raise DependencyUnavailable("the language model wrote no function call, though it must")
        if ended.finish_reason == "stop" and called and self._use.calling != "named":
            return replace(ended, finish_reason="tool_calls")  # OpenAI keeps `stop` for a function that is named
        return ended

    def _reader(self, index: int) -> CallReader | None:
        if index not in self._readers and (reader := call_reader(self._use)) is not None:
            self._readers[index] = reader
        return self._readers.get(index)


def _read(reader: CallReader, text: str) -> tuple[JsonObject, ...]:
    try:
        return tuple(reader.feed(text))
    except ValueError:
        raise DependencyUnavailable("the language model did not keep to the form of a function call") from None


FileUrl: TypeAlias = Callable[[str], str]
"""Where the file of an id can be fetched."""


async def rag_parts(events: AsyncGenerator[AnswerEvent, None], file_url: FileUrl) -> Parts:
    """Of an answer from documents."""
    usage, hits = Usage(0, 0), tuple[Hit, ...]()
    async for event in events:
        match event:
            case SourcesFound(found):
                hits = found
                yield Begun({"rag": {"sources": sources_to_wire(hits)}})
            case TextDelta():
                yield Part(event.index, event.text, event.logprobs, event.tool_calls)
            case Usage():
                usage = event
            case Done():
                yield Ended(tuple(_rag_end(text, event.note, hits, file_url) for text in event.texts), usage)


def _rag_end(text: CompletedText, note: str, hits: Sequence[Hit], file_url: FileUrl) -> End:
    weak = {} if text.weakly_supported is None else {"weakly_supported": text.weakly_supported}
    told = {
        "citations": [citation_to_wire(citation) for citation in text.citations],
        "citations_removed": text.removed,
        **weak,
        **({"note": note} if note else {}),
    }
    annotations = [
        _annotation(hits[citation.index - 1], citation.index, citation.start, citation.end, file_url)
        for citation in text.citations
    ]
    return replace(text_end(text.finish_reason, text.stop_reason), extras={"annotations": annotations, "rag": told})


def _annotation(hit: Hit, index: int, start: int, end: int, file_url: FileUrl) -> JsonObject:
    """OpenAI's chat knows citations of addresses alone: this is the file's, and what it is comes beside it."""
    file_id, filename = hit.chunk.file_id, hit.chunk.filename
    place = {"start_index": start, "end_index": end, "title": filename, "url": file_url(file_id)}
    return {"type": "url_citation", "url_citation": {**place, "file_id": file_id, "index": index}}


def text_end(reason: str, stop_reason: str | int | None) -> End:
    """In OpenAI's words. What it has none for, such as `repetition`, is a stop whose `stop_reason` says it."""
    if reason == "stop" or reason in _KNOWN:
        return End(cast(FinishReason, reason), stop_reason)
    return End("stop", reason if stop_reason is None else stop_reason)
