"""`POST /v1/completions`: texts that go on from prompts, without a conversation around them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InvalidRequest
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.error_responses import Error
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import EventStream
from rag.http.v1.chat.parts import End, Ended, Part, Parts, text_end
from rag.http.v1.completions.body import CompletionBody, OnePrompt
from rag.http.v1.completions.objects import CompletionMetadata, completion_events, completion_object
from rag.http.v1.completions.response_models import CompletionChunk, CompletionTexts
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.openai_stream import OPENAI
from rag.http.v1.route import V1Route
from rag.http.v1.several_pieces import Numbered, begin_all, close_all, side_by_side
from rag.ports import TokenStream
from rag.types import StreamEnd, Usage

COMPLETE = Operation(
    id="create_completion",
    tag="Language model",
    summary="Continue one text or several",
    body=CompletionBody,
    response=CompletionTexts,
    response_description='The texts. With `"stream": true`, events; the last one is `[DONE]`.',
    events=[EventModel(CompletionChunk), EventModel(Error)],
    last_event="[DONE]",
    errors=[400, 404, 413, 504],
)


class CompletionRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/completions", self.complete, COMPLETE)]

    async def complete(self, request: Request) -> Response:
        body = (await read_body(CompletionBody, request)).checked()
        writer = await self._parts.models.writer(body.model)
        if writer.is_rag:
            raise InvalidRequest("model: rag answers questions; ask it at /v1/chat/completions", param="model")
        shows_prompt = body.prompt_logprobs is not None
        reply = CompletionMetadata(body.model, len(body.prompt) * body.texts, shows_prompt)
        if body.stream:
            several = await self._begin(body, writer)
            events = completion_events(_parts(several, body), reply, includes_usage=body.includes_usage)
            close = functools.partial(close_all, several)
            return EventStream(events, close=close, form=OPENAI, **self._parts.stream_options)
        async with in_time(self._parts.answer_timeout_s):
            several = await self._begin(body, writer)
            parts = _parts(several, body)
            try:
                return JSONResponse(await completion_object(parts, reply, _echoed(body)))
            finally:
                await parts.aclose()
                await close_all(several)

    async def _begin(self, body: CompletionBody, writer: ModelTarget) -> list[TokenStream]:
        sampling, request_id = body.sampling(), current_request_id.get()

        async def begin(number: int, prompt: OnePrompt) -> TokenStream:
            # Each has a task, and so a request id, of its own: one that leaves must not end the others.
            own = f"{request_id}-{number}" if len(body.prompt) > 1 else request_id
            current_request_id.set(own)
            return await self._parts.generator.generate(prompt, sampling, own, model=writer.adapter)

        prompts: Sequence[OnePrompt] = body.prompt
        return await begin_all([functools.partial(begin, number, prompt) for number, prompt in enumerate(prompts)])


def _echoed(body: CompletionBody) -> Sequence[str | None]:
    """By choice the prompt whose tokens are told with the text's."""
    shown = bool(body.echo) and body.logprobs is not None
    return [str(prompt) if shown else None for prompt in body.prompt for _ in range(body.texts)]


async def _parts(several: Sequence[TokenStream], body: CompletionBody) -> Parts:
    """Of all prompts, their choices one behind the other."""
    if body.echo:
        for number, prompt in enumerate(body.prompt):
            for index in range(body.texts):
                yield Part(number * body.texts + index, str(prompt))
    last: dict[int, StreamEnd] = {}
    pieces: Numbered = side_by_side(several)
    try:
        async for number, piece in pieces:
            if isinstance(piece, StreamEnd):
                last[number] = piece
            elif body.max_tokens != 0 and (piece.text or piece.logprobs):
                yield Part(number * body.texts + piece.index, piece.text, piece.logprobs)
    finally:
        await pieces.aclose()
    ends = (_ends(last[number], body) for number in range(len(several)))
    usages = [last[number].usage for number in range(len(several))]
    yield Ended(tuple(end for each in ends for end in each), _sum(usages, body))


def _ends(last: StreamEnd, body: CompletionBody) -> list[End]:
    if body.max_tokens == 0:
        return [End("length", prompt_logprobs=last.prompt_logprobs)] * body.texts
    ends = (text_end(end.finish_reason, end.stop_reason) for end in last.all_ends())
    return [replace(end, prompt_logprobs=last.prompt_logprobs) for end in ends]


def _sum(usages: Sequence[Usage], body: CompletionBody) -> Usage:
    prompt, written = sum(usage.prompt_tokens for usage in usages), sum(usage.completion_tokens for usage in usages)
    usage = Usage(prompt, written, sum(usage.cached_tokens for usage in usages))
    return replace(usage, completion_tokens=0) if body.max_tokens == 0 else usage
