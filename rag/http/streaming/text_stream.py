"""What a language model writes: as events, as one object, and back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag.errors import InternalError
from rag.http.streaming.event_stream import Event
from rag.ports import TokenStream
from rag.types import JsonObject, StreamEnd, TextDelta, TextEnd, TokenLogprob, Usage


async def text_events(pieces: TokenStream) -> AsyncGenerator[Event, None]:
    """Events of the text: many `token`, then `usage`, then `done`."""
    async for piece in pieces:
        if isinstance(piece, TextDelta):
            yield "token", _piece_to_wire(piece)
        else:
            yield "usage", asdict(piece.usage)
            yield "done", _end_to_wire(piece)


def piece_from_wire(data: Mapping[str, Any]) -> TextDelta:
    logprobs = _logprobs_from_wire(data.get("logprobs", ()))
    return TextDelta(data["text"], data.get("index", 0), logprobs, tuple(data.get("tool_calls", ())))


def finished_from_wire(data: Mapping[str, Any], usage: Usage) -> StreamEnd:
    ends = tuple(TextEnd(**end) for end in data.get("texts", ()))
    if not ends and data.get("stop_reason") is not None:
        ends = (TextEnd(data["finish_reason"], data["stop_reason"]),)
    of_prompt = tuple(None if one is None else _logprob_from_wire(one) for one in data.get("prompt_logprobs", ()))
    return StreamEnd(data["finish_reason"], usage, ends=ends, prompt_logprobs=of_prompt)


async def collected(pieces: TokenStream) -> JsonObject:
    """The whole text with its finish reason and usage; closes `pieces`, which stops the engine when cancelled.

    Several texts stand in `texts`; the first of them is the one without.
    """
    texts: dict[int, list[str]] = {}
    logprobs: dict[int, list[TokenLogprob]] = {}
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, StreamEnd):
                return _whole(texts, logprobs, piece)
            texts.setdefault(piece.index, []).append(piece.text)
            logprobs.setdefault(piece.index, []).extend(piece.logprobs)
    raise InternalError("the text ended before it was complete")


def _whole(texts: dict[int, list[str]], logprobs: dict[int, list[TokenLogprob]], last: StreamEnd) -> JsonObject:
    ended = _end_to_wire(last)
    each = [
        {"text": "".join(texts.get(i, ())), **_with_logprobs(logprobs.get(i, ())), **_text_end_to_wire(end)}
        for i, end in enumerate(last.all_ends())
    ]
    return {**each[0], **ended, "usage": asdict(last.usage), **({"texts": each} if len(each) > 1 else {})}


def _piece_to_wire(piece: TextDelta) -> JsonObject:
    index = {"index": piece.index} if piece.index else {}
    calls = {"tool_calls": list(piece.tool_calls)} if piece.tool_calls else {}
    return {"text": piece.text, **index, **_with_logprobs(piece.logprobs), **calls}


def _end_to_wire(last: StreamEnd) -> JsonObject:
    wire = _text_end_to_wire(last.all_ends()[0])
    if len(last.ends) > 1:
        wire["texts"] = [_text_end_to_wire(end) for end in last.ends]
    if last.prompt_logprobs:
        wire["prompt_logprobs"] = [None if one is None else _logprob_to_wire(one) for one in last.prompt_logprobs]
    return wire


def _text_end_to_wire(end: TextEnd) -> JsonObject:
    stopped = {} if end.stop_reason is None else {"stop_reason": end.stop_reason}
    return {"finish_reason": end.finish_reason, **stopped}


def _with_logprobs(logprobs: Sequence[TokenLogprob]) -> JsonObject:
    return {"logprobs": [_logprob_to_wire(one) for one in logprobs]} if logprobs else {}


def _logprob_to_wire(one: TokenLogprob) -> JsonObject:
    top = {"top": [_logprob_to_wire(other) for other in one.top]} if one.top else {}
    return {"token": one.token, "token_id": one.token_id, "logprob": one.logprob, **top}


def _logprobs_from_wire(wire: Sequence[Mapping[str, Any]]) -> tuple[TokenLogprob, ...]:
    return tuple(_logprob_from_wire(one) for one in wire)


def _logprob_from_wire(wire: Mapping[str, Any]) -> TokenLogprob:
    return TokenLogprob(wire["token"], wire["token_id"], wire["logprob"], _logprobs_from_wire(wire.get("top", ())))
