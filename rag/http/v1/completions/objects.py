"""Builds completions and their chunks from the events of an answer, with OpenAI's own types."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai.types import Completion, CompletionChoice
from openai.types.completion_choice import Logprobs

from rag.errors import InternalError
from rag.generate.events import AnswerStream, CompletedText, Done
from rag.http.streaming.event_stream import Event
from rag.http.v1.chat.objects import usage_object
from rag.http.v1.text_generation.finish_reason import finish_fields
from rag.http.v1.text_generation.openai_stream import CHUNK, DONE
from rag.http.v1.text_generation.token_logprobs import bounded, prompt_logprobs
from rag.types import JsonObject, TextDelta, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class CompletionMetadata:
    model: str
    """Its name in the request."""
    choices: int
    shows_prompt: bool = False
    """Whether choices have the field `prompt_logprobs`, as in vLLM's server."""
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def common(self) -> JsonObject:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}


async def completion_events(
    answer: AnswerStream, reply: CompletionMetadata, *, includes_usage: bool
) -> AsyncGenerator[Event, None]:
    """The chunks of a stream. Each text's last chunk has its finish reason."""
    lengths = [0] * reply.choices
    no_usage: JsonObject = {"usage": None} if includes_usage else {}
    usage = Usage(0, 0)
    async for event in answer:
        match event:
            case TextDelta():
                logprobs = legacy_logprobs(event.logprobs, lengths[event.index])
                lengths[event.index] += sum(len(logprob.token) for logprob in event.logprobs)
                yield _chunk(reply, no_usage, _chunk_choice(event.index, event.text, logprobs, {"finish_reason": None}))
            case Usage():
                usage = event
            case Done():
                for index, text in enumerate(event.texts):
                    yield _chunk(reply, no_usage, _chunk_choice(index, "", None, finish_fields(text)))
                if includes_usage:
                    yield _chunk(reply, {"usage": usage_object(usage)})
                yield DONE


def _chunk(reply: CompletionMetadata, usage: JsonObject, *choices: CompletionChoice) -> Event:
    chunk = Completion.model_construct(**{**reply.common(), "choices": list(choices), **usage})
    return CHUNK, chunk.model_dump(mode="json", exclude_unset=True)


def _chunk_choice(index: int, text: str, logprobs: Logprobs | None, finish: JsonObject) -> CompletionChoice:
    """Not validated, because the finish reason is null until the text ends, which OpenAI's type does not allow."""
    return CompletionChoice.model_construct(index=index, text=text, logprobs=logprobs, **finish)


async def completion_object(
    answer: AnswerStream, reply: CompletionMetadata, echoed: Sequence[str | None]
) -> JsonObject:
    """The whole completion.

    Args:
        echoed: For each choice, the prompt whose tokens come first in its logprobs; None: no prompt tokens.
    """
    logprobs: list[list[TokenLogprob]] = [[] for _ in range(reply.choices)]
    usage = Usage(0, 0)
    async for event in answer:
        match event:
            case TextDelta():
                logprobs[event.index] += event.logprobs
            case Usage():
                usage = event
            case Done():
                choices = []
                for index, text in enumerate(event.texts):
                    scores = _logprobs(echoed[index], text.prompt_logprobs, logprobs[index])
                    choices.append(_choice(reply, index, text, scores))
                completion = Completion(**reply.common(), choices=choices, usage=usage_object(usage))
                return completion.model_dump(mode="json", exclude_unset=True)
    raise InternalError("the text ended before it was complete")


def _choice(reply: CompletionMetadata, index: int, text: CompletedText, logprobs: Logprobs | None) -> CompletionChoice:
    fields = finish_fields(text)
    if reply.shows_prompt:
        fields["prompt_logprobs"] = prompt_logprobs(text.prompt_logprobs)
    return CompletionChoice(index=index, text=text.text, logprobs=logprobs, **fields)


def _logprobs(
    echoed: str | None, prompt: Sequence[TokenLogprob | None], text: Sequence[TokenLogprob]
) -> Logprobs | None:
    if echoed is None:
        return legacy_logprobs(text, 0)
    known = [logprob for logprob in prompt if logprob is not None]
    first_token = echoed.removesuffix("".join(logprob.token for logprob in known))
    return legacy_logprobs([*known, *text], 0, first=first_token)


def legacy_logprobs(logprobs: Sequence[TokenLogprob], offset: int, first: str | None = None) -> Logprobs | None:
    """Log probabilities in the format of OpenAI's completions, which differs from that of chat completions.

    Args:
        offset: Where the first token begins in the choice's text.
        first: A token before the others that has no logprob: the first token of a prompt.
    """
    if not logprobs and first is None:
        return None
    tokens = [logprob.token for logprob in logprobs]
    values: list[Any] = [bounded(logprob.logprob) for logprob in logprobs]
    tops: list[Any] = [{top.token: bounded(top.logprob) for top in (*logprob.top, logprob)} for logprob in logprobs]
    if first is not None:
        tokens, values, tops = [first, *tokens], [None, *values], [None, *tops]
    offsets = [offset]
    for token in tokens[:-1]:
        offsets.append(offsets[-1] + len(token))
    return Logprobs.model_construct(text_offset=offsets, token_logprobs=values, tokens=tokens, top_logprobs=tops)
