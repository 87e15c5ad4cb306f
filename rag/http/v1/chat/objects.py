"""Chat completions and their chunks, made with OpenAI's own types."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice, ChoiceLogprobs
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from openai.types.chat.chat_completion_chunk import ChoiceLogprobs as ChunkLogprobs
from openai.types.completion_usage import CompletionUsage, PromptTokensDetails

from rag.errors import InternalError
from rag.http.streaming.event_stream import Event
from rag.http.v1.chat.parts import Begun, End, Ended, Part, Parts
from rag.http.v1.openai_stream import CHUNK, DONE
from rag.http.v1.token_logprobs import chat_logprobs, prompt_logprobs
from rag.types import JsonObject, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class ChatMetadata:
    """What all chunks of a completion have in common."""

    model: str
    """As the request has it."""
    texts: int = 1
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    calls: bool = False
    """Whether the message is function calls alone: it has no content then."""

    def common(self) -> JsonObject:
        return {"id": self.id, "created": self.created, "model": self.model, "system_fingerprint": None}


def usage_object(usage: Usage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
    )


async def chunk_events(parts: Parts, reply: ChatMetadata, *, includes_usage: bool) -> AsyncGenerator[Event, None]:
    """Of a stream: each text's first chunk tells the role, its last one why it ended."""
    chunks, begun = _Chunks(reply, includes_usage), False
    async for part in parts:
        if not begun:
            begun = True
            for index in range(reply.texts):
                yield chunks.first(index, part.extras if isinstance(part, Begun) else {})
        if isinstance(part, Part):
            yield chunks.more(part)
        elif isinstance(part, Ended):
            for index, end in enumerate(part.ends):
                yield chunks.last(index, end)
            if includes_usage:
                yield chunks.usage(part.usage)
            yield DONE
            return


class _Chunks:
    def __init__(self, reply: ChatMetadata, includes_usage: bool) -> None:
        self._content = None if reply.calls else ""
        common: Any = {**reply.common(), "object": "chat.completion.chunk"}
        self._common: Any = {**common, "usage": None} if includes_usage else common

    def first(self, index: int, extras: Mapping[str, Any]) -> Event:
        return self._chunk(index, ChoiceDelta(role="assistant", content=self._content, **extras))

    def more(self, part: Part) -> Event:
        calls: Any = {"tool_calls": list(part.tool_calls)} if part.tool_calls else {}
        text: Any = {"content": part.text} if part.text or not calls else {}
        return self._chunk(index=part.index, delta=ChoiceDelta(**text, **calls), logprobs=part.logprobs)

    def last(self, index: int, end: End) -> Event:
        ended: JsonObject = {"finish_reason": end.finish_reason}
        if end.stop_reason is not None:
            ended["stop_reason"] = end.stop_reason
        return self._chunk(index, ChoiceDelta(**end.extras), ended=ended)

    def usage(self, usage: Usage) -> Event:
        return self._event(ChatCompletionChunk(choices=[], **{**self._common, "usage": usage_object(usage)}))

    def _chunk(
        self,
        index: int,
        delta: ChoiceDelta,
        logprobs: Sequence[TokenLogprob] = (),
        ended: Mapping[str, Any] | None = None,
    ) -> Event:
        of_tokens = ChunkLogprobs(content=chat_logprobs(logprobs), refusal=None) if logprobs else None
        choice: Any = {"index": index, "delta": delta, "logprobs": of_tokens, **(ended or {"finish_reason": None})}
        return self._event(ChatCompletionChunk(choices=[ChunkChoice(**choice)], **self._common))

    def _event(self, chunk: ChatCompletionChunk) -> Event:
        return CHUNK, chunk.model_dump(mode="json", exclude_unset=True)


@dataclass(slots=True)
class _Message:
    """One text, as it grows."""

    text: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: list[JsonObject] = field(default_factory=list)

    def add(self, part: Part) -> None:
        self.text.append(part.text)
        self.logprobs += part.logprobs
        for call in part.tool_calls:
            self._add_call(call)

    def _add_call(self, call: JsonObject) -> None:
        """OpenAI's clients put streamed calls together in the same way."""
        function = call.get("function") or {}
        if call["index"] >= len(self.calls):
            whole = {"name": function.get("name", ""), "arguments": function.get("arguments") or ""}
            self.calls.append({"id": call["id"], "type": "function", "function": whole})
        else:
            self.calls[call["index"]]["function"]["arguments"] += function.get("arguments") or ""

    def choice(self, index: int, end: End, extras: Mapping[str, Any]) -> Choice:
        text = "".join(self.text)
        calls: Any = {"tool_calls": self.calls} if self.calls else {}
        content = text if text or not calls else None
        own: Any = {"role": "assistant", "content": content, "refusal": None, **calls}
        message = ChatCompletionMessage(**own, **merged(extras, end.extras))
        logprobs = ChoiceLogprobs(content=chat_logprobs(self.logprobs), refusal=None) if self.logprobs else None
        stopped: Any = {} if end.stop_reason is None else {"stop_reason": end.stop_reason}
        return Choice(index=index, message=message, logprobs=logprobs, finish_reason=end.finish_reason, **stopped)


async def completion_object(parts: Parts, reply: ChatMetadata) -> JsonObject:
    """The completion, once its last part has come."""
    messages = [_Message() for _ in range(reply.texts)]
    extras: Mapping[str, Any] = {}
    async for part in parts:
        if isinstance(part, Begun):
            extras = part.extras
        elif isinstance(part, Part):
            messages[part.index].add(part)
        else:
            choices = [messages[index].choice(index, end, extras) for index, end in enumerate(part.ends)]
            return _whole(choices, part, reply)
    raise InternalError("the answer ended before it was complete")


def _whole(choices: Iterable[Choice], ended: Ended, reply: ChatMetadata) -> JsonObject:
    of_prompt = ended.ends[0].prompt_logprobs
    more: Any = {"prompt_logprobs": prompt_logprobs(of_prompt)} if of_prompt else {}
    usage, kind = usage_object(ended.usage), "chat.completion"
    whole = ChatCompletion(**reply.common(), object=kind, choices=list(choices), usage=usage, **more)
    return whole.model_dump(mode="json", exclude_unset=True)


def merged(first: Mapping[str, Any], last: Mapping[str, Any]) -> JsonObject:
    """Fields that come in two parts, as clients of a stream put them together."""
    both = {name: {**first[name], **last[name]} for name in first.keys() & last.keys()}
    return {**first, **last, **both}
