"""Builds chat completions and their chunks from the events of an answer, with OpenAI's own types.

Streamed and non-streamed answers are built from the same events, so they cannot differ.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice, ChoiceLogprobs
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from openai.types.chat.chat_completion_chunk import ChoiceLogprobs as ChunkLogprobs
from openai.types.completion_usage import CompletionTokensDetails, CompletionUsage, PromptTokensDetails

from rag.errors import InternalError
from rag.generate.citations import Citation
from rag.generate.events import AnswerStream, CompletedText, Done, SourcesFound
from rag.http.bodies.hits import sources_to_wire
from rag.http.streaming.answer_events import citation_fields, style_fields
from rag.http.streaming.event_stream import Event
from rag.http.v1.text_generation.finish_reason import finish_fields
from rag.http.v1.text_generation.openai_stream import CHUNK, DONE
from rag.http.v1.text_generation.token_logprobs import chat_logprobs, prompt_logprobs
from rag.types import Hit, JsonObject, ReasoningDelta, TextDelta, TokenLogprob, Usage

FileUrl: TypeAlias = Callable[[str], str]
"""URL at which the file with an id can be downloaded."""


@dataclass(frozen=True, slots=True)
class ChatMetadata:
    """The metadata that all chunks of a completion share."""

    model: str
    """Its name in the request."""
    file_url: FileUrl
    """For annotations that cite a file."""
    texts: int = 1
    note: str = ""
    """Fields of the request that were ignored, and why."""
    only_calls: bool = False
    """Whether the model must call functions: the messages have no content then."""
    has_form: bool = False
    """Whether the request prescribes the form of the text. "Nothing was found" is then a `refusal`, which OpenAI's
    clients do not parse.
    """
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def common(self) -> JsonObject:
        return {"id": self.id, "created": self.created, "model": self.model}


def usage_object(usage: Usage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=usage.reasoning_tokens),
    )


async def chunk_events(
    answer: AnswerStream, reply: ChatMetadata, *, includes_usage: bool
) -> AsyncGenerator[Event, None]:
    """The chunks of a stream. Each text's first chunk has the role, its last one the finish reason."""
    chunks, usage, is_first = _Chunks(reply, includes_usage=includes_usage), Usage(0, 0), True
    async for event in answer:
        if is_first:
            is_first = False
            for chunk in chunks.first(event if isinstance(event, SourcesFound) else None):
                yield chunk
        match event:
            case ReasoningDelta():
                yield chunks.reasoning(event)
            case TextDelta():
                for chunk in chunks.deltas(event):
                    yield chunk
            case Usage():
                usage = event
            case Done():
                for chunk in chunks.last(event, usage):
                    yield chunk
                yield DONE


class _Chunks:
    def __init__(self, reply: ChatMetadata, *, includes_usage: bool) -> None:
        self._reply = reply
        self._includes_usage = includes_usage
        common: JsonObject = {**reply.common(), "object": "chat.completion.chunk"}
        self._common: JsonObject = {**common, "usage": None} if includes_usage else common
        self._sources: Sequence[Hit] | None = None
        self._refuses = False

    def first(self, search: SourcesFound | None) -> list[Event]:
        self._refuses = search is not None and _refuses(search, self._reply)
        is_empty = self._reply.only_calls or self._refuses
        role: JsonObject = {"role": "assistant", "content": None if is_empty else ""}
        if search is not None:
            self._sources = search.hits
            role |= _sources_fields(search.hits)
        return [self._chunk(index, ChoiceDelta(**role)) for index in range(self._reply.texts)]

    def deltas(self, delta: TextDelta) -> list[Event]:
        """The text, and each part of a call in a chunk of its own: some clients read only the first part of a chunk."""
        fields: list[JsonObject] = [{"tool_calls": [part]} for part in delta.tool_calls]
        if delta.text or not fields:
            fields.insert(0, {"refusal" if self._refuses else "content": delta.text})
        scores = [delta.logprobs, *[()] * len(fields)]
        return [
            self._chunk(delta.index, ChoiceDelta(**each), logprobs)
            for each, logprobs in zip(fields, scores, strict=False)
        ]

    def reasoning(self, delta: ReasoningDelta) -> Event:
        return self._chunk(delta.index, ChoiceDelta(**_reasoning_fields(delta.text)))

    def last(self, done: Done, usage: Usage) -> list[Event]:
        chunks = []
        for index, text in enumerate(done.texts):
            fields = _last_fields(text, done, self._sources, self._reply)
            chunks.append(self._chunk(index, ChoiceDelta(**fields), finish=finish_fields(text)))
        if self._includes_usage:
            chunks.append(self._event(choices=[], usage=usage_object(usage)))
        return chunks

    def _chunk(
        self,
        index: int,
        delta: ChoiceDelta,
        logprobs: Sequence[TokenLogprob] = (),
        finish: JsonObject | None = None,
    ) -> Event:
        scores = ChunkLogprobs(content=chat_logprobs(logprobs), refusal=None) if logprobs else None
        ending = finish or {"finish_reason": None}
        return self._event(choices=[ChunkChoice(index=index, delta=delta, logprobs=scores, **ending)])

    def _event(self, **fields: object) -> Event:
        chunk = ChatCompletionChunk(**{**self._common, **fields})
        return CHUNK, chunk.model_dump(mode="json", exclude_unset=True)


async def completion_object(answer: AnswerStream, reply: ChatMetadata) -> JsonObject:
    """The whole completion."""
    messages = [_Message() for _ in range(reply.texts)]
    usage, sources = Usage(0, 0), None
    async for event in answer:
        match event:
            case SourcesFound():
                sources = event.hits
                for message in messages:
                    message.refuses = _refuses(event, reply)
            case ReasoningDelta():
                messages[event.index].reasoning.append(event.text)
            case TextDelta():
                messages[event.index].add(event)
            case Usage():
                usage = event
            case Done():
                choices = [
                    messages[index].choice(index, text, _message_fields(text, event, sources, reply))
                    for index, text in enumerate(event.texts)
                ]
                return _completion(choices, usage, event, reply)
    raise InternalError("the answer ended before it was complete")


@dataclass(slots=True)
class _Message:
    """Collects what a text's deltas contain besides text."""

    reasoning: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: list[JsonObject] = field(default_factory=list)
    refuses: bool = False

    def add(self, delta: TextDelta) -> None:
        self.logprobs += delta.logprobs
        for call in delta.tool_calls:
            self._add_call(call)

    def _add_call(self, call: JsonObject) -> None:
        """Joins the parts of streamed calls as OpenAI's clients do."""
        function = call.get("function") or {}
        if call["index"] >= len(self.calls):
            whole = {"name": function.get("name", ""), "arguments": function.get("arguments") or ""}
            self.calls.append({"id": call["id"], "type": "function", "function": whole})
        else:
            self.calls[call["index"]]["function"]["arguments"] += function.get("arguments") or ""

    def choice(self, index: int, text: CompletedText, fields: JsonObject) -> Choice:
        calls: JsonObject = {"tool_calls": self.calls} if self.calls else {}
        content = text.text if text.text or not calls else None
        if self.reasoning:
            fields = {**_reasoning_fields("".join(self.reasoning)), **fields}
        texts: JsonObject = {"content": content, "refusal": None}
        if self.refuses:
            texts = {"content": None, "refusal": text.text}
        message = ChatCompletionMessage(role="assistant", **texts, **calls, **fields)
        logprobs = ChoiceLogprobs(content=chat_logprobs(self.logprobs), refusal=None) if self.logprobs else None
        return Choice(index=index, message=message, logprobs=logprobs, **finish_fields(text))


def _completion(choices: list[Choice], usage: Usage, done: Done, reply: ChatMetadata) -> JsonObject:
    logprobs = done.texts[0].prompt_logprobs
    extra: JsonObject = {"prompt_logprobs": prompt_logprobs(logprobs)} if logprobs else {}
    completion = ChatCompletion(
        **reply.common(), object="chat.completion", choices=choices, usage=usage_object(usage), **extra
    )
    return completion.model_dump(mode="json", exclude_unset=True)


def _message_fields(text: CompletedText, done: Done, sources: Sequence[Hit] | None, reply: ChatMetadata) -> JsonObject:
    """Our own fields of a complete message: those of a stream's first and last chunk together."""
    fields = _citations_fields(text, done, sources, reply)
    if sources is None:
        return fields
    return {**fields, "rag": {**_sources_fields(sources)["rag"], **fields["rag"]}}


def _last_fields(text: CompletedText, done: Done, sources: Sequence[Hit] | None, reply: ChatMetadata) -> JsonObject:
    """Our own fields of the last chunk. The sources are repeated, because OpenAI's client for Node keeps only the last
    `rag`; under another name, because its client for Python would merge two lists of the same name.
    """
    fields = _citations_fields(text, done, sources, reply)
    if sources is None:
        return fields
    return {**fields, "rag": {**fields["rag"], "sources_repeated": sources_to_wire(sources)}}


def _refuses(search: SourcesFound, reply: ChatMetadata) -> bool:
    return reply.has_form and not search.hits


def _reasoning_fields(text: str) -> JsonObject:
    """Under both names that clients know: DeepSeek's and vLLM's."""
    return {"reasoning_content": text, "reasoning": text}


def _sources_fields(sources: Sequence[Hit]) -> JsonObject:
    return {"rag": {"sources": sources_to_wire(sources)}}


def _citations_fields(
    text: CompletedText, done: Done, sources: Sequence[Hit] | None, reply: ChatMetadata
) -> JsonObject:
    """The citations of a text and the notes. If no documents were searched, only the note on the request."""
    if sources is None:
        return {"rag": _note_field(reply.note)} if reply.note else {}
    annotations = [_annotation(citation, sources[citation.index - 1], reply.file_url) for citation in text.citations]
    note = _note_field(reply.note, done.note)
    return {"annotations": annotations, "rag": {**style_fields(done), **citation_fields(text), **note}}


def _note_field(*notes: str) -> JsonObject:
    note = "; ".join(filter(None, notes))
    return {"note": note} if note else {}


def _annotation(citation: Citation, source: Hit, file_url: FileUrl) -> JsonObject:
    """A citation of the file's URL, because OpenAI's chat completions can only cite URLs. The file's id and the
    source's number are added.
    """
    chunk = source.chunk
    cited = {
        "start_index": citation.start,
        "end_index": citation.end,
        "title": chunk.filename,
        "url": file_url(chunk.file_id),
        "file_id": chunk.file_id,
        "index": citation.index,
        **({} if citation.quote is None else {"quote": asdict(citation.quote)}),
    }
    return {"type": "url_citation", "url_citation": cited}
