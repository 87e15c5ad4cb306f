"""`POST /v1/responses`: a model that writes, or one that answers from documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InternalError, InvalidRequest, NotFound, RagError, VectorStoreNotFound
from rag.generate.pipeline import AnswerEvent
from rag.http.answering import AnswerRequest
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import EventStream
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.field_names import renamed
from rag.http.v1.responses.body import FileSearch, ResponsesBody
from rag.http.v1.responses.events import LAST, ResponseEvents, ResponseWriter, plain_events
from rag.http.v1.responses.input import chat_messages, question_of
from rag.http.v1.responses.objects import ResponseMetadata
from rag.http.v1.responses.response_models import ResponseEvent, ResponseOut
from rag.http.v1.route import V1Route
from rag.types import Chat, JsonObject

_PARAMS = {"max_tokens": "max_output_tokens", "prompt": "input", "question": "input", "filters": "tools.0.filters"}
"""Fields of the services behind, as the request here calls them."""

_NOT_OFFERED = ("compact", "input_tokens")
"""Routes of OpenAI's that are no ids of responses."""


CREATE = Operation(
    id="create_response",
    tag="Language model",
    summary="Create a response; the tool `file_search` answers from documents",
    description="Responses are not stored, so they cannot be retrieved or continued by ID.",
    body=ResponsesBody,
    response=ResponseOut,
    response_description='The response. With `"stream": true`, OpenAI\'s events; the last one holds the response.',
    events=[EventModel(ResponseEvent)],
    errors=[400, 404, 409, 413, 504],
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A response that is being written; to be closed, also when not one event was taken."""

    writer: ResponseWriter
    answer: AsyncGenerator[AnswerEvent, None]
    close: Callable[[], Awaitable[None]]

    def events(self) -> ResponseEvents:
        return self.writer.events(self.answer)


class ResponseRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            V1Route("POST", "/responses", self.create, CREATE),
            Route("/responses/{rest:path}", self.not_kept, methods=["GET", "POST", "DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        body = (await read_body(ResponsesBody, request)).checked()
        writer = await self._parts.models.writer(body.model)
        if body.stream:
            begun = await self._begin(body, writer)
            return EventStream(begun.events(), close=begun.close, form=begun.writer.form, **self._parts.stream_options)
        async with in_time(self._parts.answer_timeout_s):
            begun = await self._begin(body, writer)
            try:
                return JSONResponse(await _whole(begun.events()))
            finally:
                await begun.close()

    async def not_kept(self, request: Request) -> Response:
        if (path := request.path_params["rest"]) in _NOT_OFFERED:
            raise NotFound(f"there is no route /v1/responses/{path}; the routes are listed at /")
        raise NotFound("response: none is kept here; what create() returned is all there is", param="response_id")

    async def _begin(self, body: ResponsesBody, writer: ModelTarget) -> _Begun:
        """Raises all that can be refused with a status."""
        try:
            if writer.is_rag or body.file_search is not None:
                return await self._begin_answer(body, writer)
            return await self._begin_text(body, writer)
        except RagError as error:
            _raise_in_our_words(error, body)

    async def _begin_answer(self, body: ResponsesBody, writer: ModelTarget) -> _Begun:
        answer = await self._parts.answering.begin(_asked(body, writer))
        return _Begun(
            ResponseWriter(ResponseMetadata(body, searches=True), answer.queries), answer.events, answer.aclose
        )

    async def _begin_text(self, body: ResponsesBody, writer: ModelTarget) -> _Begun:
        if body.truncation == "auto":
            message = "truncation: auto is for answers from documents; leave the oldest messages out of input"
            raise InvalidRequest(message, param="truncation")
        chat = Chat(chat_messages(body.input, body.instructions), template_values=body.chat_template_kwargs or {})
        request_id = current_request_id.get()
        pieces = await self._parts.generator.generate(chat, body.sampling(), request_id, model=writer.adapter)
        return _Begun(ResponseWriter(ResponseMetadata(body, searches=False)), plain_events(pieces), pieces.aclose)


def _asked(body: ResponsesBody, writer: ModelTarget) -> AnswerRequest:
    if body.chat_template_kwargs:
        message = "chat_template_kwargs: is not for answers from documents, whose prompt is made here"
        raise InvalidRequest(message, param="chat_template_kwargs")
    if writer.is_rag and body.tool_choice == "none":
        raise InvalidRequest(f"tool_choice: model {writer.name} always searches; choose another", param="tool_choice")
    question, history, system = question_of(body.input, body.instructions)
    search: FileSearch | None = body.file_search
    found: dict[str, Any] = {**(search.search() if search else {}), "history": history}
    return AnswerRequest(question, {**found, **({"system": system} if system else {})}, body.sampling(), writer.adapter)


def _raise_in_our_words(error: RagError, body: ResponsesBody) -> NoReturn:
    if isinstance(error, VectorStoreNotFound):
        raise VectorStoreNotFound(error.message, param="tools") from error
    form = "structured_outputs" if body.structured_outputs is not None else "text.format"
    ours = renamed(error, {**_PARAMS, "structured_outputs": form})
    message = ours.message if ours is error else ours.message.replace("max_tokens", _PARAMS["max_tokens"])
    raise type(error)(message, param=ours.param) from error


async def _whole(events: ResponseEvents) -> JsonObject:
    """The response that the last event holds: the same that a stream ends with."""
    async with aclosing(events):
        async for name, data in events:
            if name in LAST:
                response: JsonObject = data["response"]
                return response
    raise InternalError("the answer ended before it was complete")
