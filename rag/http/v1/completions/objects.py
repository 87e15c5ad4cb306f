"""Completions and their chunks, made with OpenAI's own types."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai.types import Completion, CompletionChoice
from openai.types.completion_choice import Logprobs

from rag.errors import InternalError
from rag.http.streaming.event_stream import Event
from rag.http.v1.chat.objects import usage_object
from rag.http.v1.chat.parts import End, Ended, Part, Parts
from rag.http.v1.openai_stream import CHUNK, DONE
from rag.http.v1.token_logprobs import bounded, prompt_logprobs
from rag.types import JsonObject, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class CompletionMetadata:
    model: str
    """As the request has it."""
    choices: int
    shows_prompt: bool = False
    """Whether the logprobs of the prompt come in a field of their own, as vLLM's server gives them."""
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def common(self) -> JsonObject:
        own = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}
        return {**own, "system_fingerprint": None}


async def completion_events(
    parts: Parts, reply: CompletionMetadata, *, includes_usage: bool
) -> AsyncGenerator[Event, None]:
    """Of a stream. Each text's last chunk tells why it ended."""
    lengths = [0] * reply.choices
    usage: Any = {"usage": None} if includes_usage else {}
    async for part in parts:
        if isinstance(part, Part):
            logprobs = legacy_logprobs(part.logprobs, lengths[part.index])
            lengths[part.index] += sum(len(one.token) for one in part.logprobs)
            yield _chunk(reply, usage, _choice(part.index, part.text, logprobs, None))
        elif isinstance(part, Ended):
            for index, end in enumerate(part.ends):
                yield _chunk(reply, usage, _choice(index, "", None, end))
            if includes_usage:
                yield _chunk(reply, {"usage": usage_object(part.usage)})
            yield DONE
            return


def _chunk(reply: CompletionMetadata, usage: Mapping[str, Any], *choices: CompletionChoice) -> Event:
    whole = Completion.model_construct(**{**reply.common(), "choices": list(choices), **usage})
    return CHUNK, whole.model_dump(mode="json", exclude_unset=True)


def _choice(index: int, text: str, logprobs: Logprobs | None, end: End | None) -> CompletionChoice:
    """Not validated: in mid-stream there is no reason yet why it ended, and OpenAI's type has no room for that."""
    stopped: Any = {"stop_reason": end.stop_reason} if end is not None and end.stop_reason is not None else {}
    reason: Any = None if end is None else end.finish_reason
    return CompletionChoice.model_construct(index=index, text=text, logprobs=logprobs, finish_reason=reason, **stopped)


async def completion_object(parts: Parts, reply: CompletionMetadata, echoed: Sequence[str | None]) -> JsonObject:
    """The completion, once its last part has come.

    Args:
        echoed: By choice the prompt whose tokens stand before the text's in its logprobs; None: none.
    """
    texts: list[list[str]] = [[] for _ in range(reply.choices)]
    logprobs: list[list[TokenLogprob]] = [[] for _ in range(reply.choices)]
    async for part in parts:
        if isinstance(part, Part):
            texts[part.index].append(part.text)
            logprobs[part.index] += part.logprobs
        elif isinstance(part, Ended):
            choices = []
            for index, end in enumerate(part.ends):
                told = _logprobs(echoed[index], end.prompt_logprobs, logprobs[index])
                choices.append(_whole_choice(reply, index, "".join(texts[index]), told, end))
            return _whole(reply, choices, part.usage)
    raise InternalError("the text ended before it was complete")


def _whole(reply: CompletionMetadata, choices: Iterable[CompletionChoice], usage: Usage) -> JsonObject:
    common: Any = reply.common()
    whole = Completion(**common, choices=list(choices), usage=usage_object(usage))
    return whole.model_dump(mode="json", exclude_unset=True)


def _whole_choice(
    reply: CompletionMetadata, index: int, text: str, logprobs: Logprobs | None, end: End
) -> CompletionChoice:
    more: Any = {} if end.stop_reason is None else {"stop_reason": end.stop_reason}
    if reply.shows_prompt:
        more["prompt_logprobs"] = prompt_logprobs(end.prompt_logprobs)
    reason: Any = end.finish_reason
    return CompletionChoice(index=index, text=text, logprobs=logprobs, finish_reason=reason, **more)


def _logprobs(
    echoed: str | None, of_prompt: Sequence[TokenLogprob | None], of_text: Sequence[TokenLogprob]
) -> Logprobs | None:
    if echoed is None:
        return legacy_logprobs(of_text, 0)
    known = [one for one in of_prompt if one is not None]
    return legacy_logprobs([*known, *of_text], 0, first=echoed.removesuffix("".join(one.token for one in known)))


def legacy_logprobs(logprobs: Sequence[TokenLogprob], offset: int, first: str | None = None) -> Logprobs | None:
    """OpenAI's older shape.

    Args:
        offset: Where the first token begins in the choice's text.
        first: A token before them that has no logprob: the first of a prompt.
    """
    if not logprobs and first is None:
        return None
    tokens = [one.token for one in logprobs]
    scores: list[Any] = [bounded(one.logprob) for one in logprobs]
    tops: list[Any] = [{top.token: bounded(top.logprob) for top in (*one.top, one)} for one in logprobs]
    if first is not None:
        tokens, scores, tops = [first, *tokens], [None, *scores], [None, *tops]
    offsets = [offset]
    for token in tokens[:-1]:
        offsets.append(offsets[-1] + len(token))
    return Logprobs.model_construct(text_offset=offsets, token_logprobs=scores, tokens=tokens, top_logprobs=tops)
