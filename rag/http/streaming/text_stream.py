"""Token streams of `/generate`: written as events or as one JSON object, and parsed from events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict

from rag.errors import InternalError
from rag.http.streaming.event_stream import Event
from rag.ports import TokenStream
from rag.types import JsonMapping, JsonObject, ReasoningDelta, StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage


async def tokens_to_wire(stream: TokenStream) -> AsyncGenerator[Event, None]:
    """The events: many `thinking` if the model thinks and many `token`, then `usage`, then `done`."""
    async for delta in stream:
        if isinstance(delta, TextDelta):
            yield "token", _delta_to_wire(delta)
        elif isinstance(delta, ReasoningDelta):
            yield "thinking", {"text": delta.text, "index": delta.index}
        else:
            yield "usage", asdict(delta.usage)
            yield "done", _stream_end_to_wire(delta)


def delta_from_wire(data: JsonMapping) -> TextDelta:
    logprobs = _logprobs_from_wire(data.get("logprobs", ()))
    return TextDelta(data["text"], data.get("index", 0), logprobs, tuple(data.get("tool_calls", ())))


def reasoning_from_wire(data: JsonMapping) -> ReasoningDelta:
    return ReasoningDelta(data["text"], data.get("index", 0))


def stream_end_from_wire(data: JsonMapping, usage: Usage) -> StreamEnd:
    ends = tuple(TextEnd(**end) for end in data.get("texts", ()))
    if not ends and data.get("stop_reason") is not None:
        ends = (TextEnd(data["finish_reason"], data["stop_reason"]),)
    prompt_logprobs = tuple(
        None if logprob is None else _logprob_from_wire(logprob) for logprob in data.get("prompt_logprobs", ())
    )
    return StreamEnd(data["finish_reason"], usage, ends=ends, prompt_logprobs=prompt_logprobs)


async def whole_text(stream: TokenStream) -> JsonObject:
    """The complete text with finish reason and usage.

    Several texts are listed in `texts`; the fields of the first are also those of the object itself.
    """
    texts: dict[int, list[str]] = {}
    logprobs: dict[int, list[TokenLogprob]] = {}
    async for delta in stream:
        if isinstance(delta, StreamEnd):
            return _whole_to_wire(texts, logprobs, delta)
        if isinstance(delta, ReasoningDelta):
            continue
        texts.setdefault(delta.index, []).append(delta.text)
        logprobs.setdefault(delta.index, []).extend(delta.logprobs)
    raise InternalError("the text ended before it was complete")


def _whole_to_wire(
    texts: Mapping[int, Sequence[str]], logprobs: Mapping[int, Sequence[TokenLogprob]], end: StreamEnd
) -> JsonObject:
    objects = [
        {"text": "".join(texts.get(i, ())), **_logprobs_to_wire(logprobs.get(i, ())), **_text_end_to_wire(text_end)}
        for i, text_end in enumerate(end.all_ends())
    ]
    several = {"texts": objects} if len(objects) > 1 else {}
    return {**objects[0], **_stream_end_to_wire(end), "usage": asdict(end.usage), **several}


def _delta_to_wire(delta: TextDelta) -> JsonObject:
    index = {"index": delta.index} if delta.index else {}
    calls = {"tool_calls": list(delta.tool_calls)} if delta.tool_calls else {}
    return {"text": delta.text, **index, **_logprobs_to_wire(delta.logprobs), **calls}


def _stream_end_to_wire(end: StreamEnd) -> JsonObject:
    wire = _text_end_to_wire(end.all_ends()[0])
    if len(end.ends) > 1:
        wire["texts"] = [_text_end_to_wire(text_end) for text_end in end.ends]
    if end.prompt_logprobs:
        wire["prompt_logprobs"] = [
            None if logprob is None else _logprob_to_wire(logprob) for logprob in end.prompt_logprobs
        ]
    return wire


def _text_end_to_wire(end: TextEnd) -> JsonObject:
    stop_reason = {} if end.stop_reason is None else {"stop_reason": end.stop_reason}
    return {"finish_reason": end.finish_reason, **stop_reason}


def _logprobs_to_wire(logprobs: Sequence[TokenLogprob]) -> JsonObject:
    return {"logprobs": [_logprob_to_wire(logprob) for logprob in logprobs]} if logprobs else {}


def _logprob_to_wire(logprob: TokenLogprob) -> JsonObject:
    top = {"top": [_logprob_to_wire(other) for other in logprob.top]} if logprob.top else {}
    return {"token": logprob.token, "token_id": logprob.token_id, "logprob": logprob.logprob, **top}


def _logprobs_from_wire(wire: Sequence[JsonMapping]) -> tuple[TokenLogprob, ...]:
    return tuple(_logprob_from_wire(logprob) for logprob in wire)


def _logprob_from_wire(wire: JsonMapping) -> TokenLogprob:
    return TokenLogprob(wire["token"], wire["token_id"], wire["logprob"], _logprobs_from_wire(wire.get("top", ())))
