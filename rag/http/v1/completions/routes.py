"""`POST /v1/completions`: texts that continue prompts, without a chat template."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InvalidRequest
from rag.generate.events import AnswerEvent, AnswerStream, CompletedText, Done
from rag.generate.text_assembler import TextAssembler
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.error_responses import Error
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import EventStream
from rag.http.v1.completions.body import CompletionBody, OnePrompt
from rag.http.v1.completions.objects import CompletionMetadata, completion_events, completion_object
from rag.http.v1.completions.response_models import CompletionChunk, CompletionTexts
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.route import V1Route
from rag.http.v1.text_generation.concurrent_streams import enter_all, merge
from rag.http.v1.text_generation.openai_stream import OPENAI
from rag.ports import TokenStream
from rag.types import Insertion, ModelInput, StreamEnd, TextDelta, Usage

COMPLETE = Operation(
    id="create_completion",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Continue one or several texts",
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
        target = await self._parts.models.target(body.model)
        if target.is_rag:
            raise InvalidRequest("model: rag answers questions; ask it at /v1/chat/completions", param="model")
        shows_prompt = body.prompt_logprobs is not None
        reply = CompletionMetadata(body.model, len(body.prompt) * body.texts, shows_prompt)
        source = self._answer(body, target)
        if body.stream:
            return await EventStream.open(
                source,
                lambda answer: completion_events(answer, reply, includes_usage=body.includes_usage),
                form=OPENAI,
                **self._parts.stream_options,
            )
        async with in_time(self._parts.answer_timeout_s), source as answer:
            return JSONResponse(await completion_object(answer, reply, _echoed(body)))

    @asynccontextmanager
    async def _answer(self, body: CompletionBody, target: ModelTarget) -> AsyncIterator[AnswerStream]:
        prompts: Sequence[OnePrompt] = body.prompt
        request_id = current_request_id.get()
        ids = [f"{request_id}-{number}" for number in range(len(prompts))] if len(prompts) > 1 else [request_id]
        requests = [self._generate(prompt, body, id_, target) for prompt, id_ in zip(prompts, ids, strict=True)]
        async with enter_all(requests) as streams, aclosing(_events(streams, body)) as events:
            yield events

    @asynccontextmanager
    async def _generate(
        self, prompt: OnePrompt, body: CompletionBody, request_id: str, target: ModelTarget
    ) -> AsyncIterator[TokenStream]:
        # Each prompt's request is entered in its own task, so this request id is valid for this prompt only. If prompts
        # shared an id, ending one of them would end the others.
        current_request_id.set(request_id)
        given: ModelInput = prompt if not body.suffix else Insertion(str(prompt), body.suffix)
        async with self._parts.generator.generate(given, body.sampling(), request_id, model=target.adapter) as stream:
            yield stream


def _echoed(body: CompletionBody) -> Sequence[str | None]:
    """For each choice the prompt whose tokens are part of its logprobs; None if they are not."""
    shown = bool(body.echo) and body.logprobs is not None
    return [str(prompt) if shown else None for prompt in body.prompt for _ in range(body.texts)]


async def _events(streams: Sequence[TokenStream], body: CompletionBody) -> AsyncGenerator[AnswerEvent, None]:
    """One answer from all prompts: choice `i` of prompt `p` becomes text number `p * n + i`."""
    texts = [TextAssembler(None) for _ in streams]
    if body.echo:
        for number, prompt in enumerate(body.prompt):
            for index in range(body.texts):
                if (sent := texts[number].add(TextDelta(str(prompt), index))) is not None:
                    yield _numbered(sent, number, body)
    ends: dict[int, StreamEnd] = {}
    async with aclosing(merge(streams)) as deltas:
        async for number, delta in deltas:
            if isinstance(delta, StreamEnd):
                ends[number] = delta
            elif (
                isinstance(delta, TextDelta) and body.max_tokens != 0 and (sent := texts[number].add(delta)) is not None
            ):
                yield _numbered(sent, number, body)
    yield _total_usage(ends, body)
    completed = [texts[number].completed(ends[number]) for number in range(len(streams))]
    yield Done(tuple(_ended(text, body) for each in completed for text in each), {})


def _numbered(delta: TextDelta, number: int, body: CompletionBody) -> TextDelta:
    return replace(delta, index=number * body.texts + delta.index) if number else delta


def _ended(text: CompletedText, body: CompletionBody) -> CompletedText:
    """With `max_tokens` 0 one token was generated and dropped, because vLLM generates at least one."""
    return replace(text, finish_reason="length", stop_reason=None) if body.max_tokens == 0 else text


def _total_usage(ends: Mapping[int, StreamEnd], body: CompletionBody) -> Usage:
    usages = [end.usage for end in ends.values()]
    completion_tokens = 0 if body.max_tokens == 0 else sum(usage.completion_tokens for usage in usages)
    prompt_tokens, cached_tokens = (sum(u.prompt_tokens for u in usages), sum(u.cached_tokens for u in usages))
    return Usage(prompt_tokens, completion_tokens, cached_tokens)
