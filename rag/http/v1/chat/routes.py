"""`POST /v1/chat/completions`: a model that writes, or model `rag`, which answers from documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InvalidRequest
from rag.http.answering import AnswerRequest
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.error_responses import Error
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import EventStream
from rag.http.v1.chat.body import ChatBody
from rag.http.v1.chat.messages import question_of
from rag.http.v1.chat.objects import ChatMetadata, chunk_events, completion_object
from rag.http.v1.chat.parts import FileUrl, Parts, plain_parts, rag_parts
from rag.http.v1.chat.response_models import ChatAnswer, ChatChunk
from rag.http.v1.chat.tool_choice import ToolUse
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.field_names import fields_named
from rag.http.v1.openai_stream import OPENAI
from rag.http.v1.route import V1Route
from rag.types import Chat

_OF_CHAT = {"prompt": "messages", "tokens": "messages"}
_OF_RAG = {
    **dict.fromkeys(("question", "history", "system", "prompt"), "messages"),
    **{name: f"rag.{name}" for name in ("vector_store", "top_k", "filters", "retrieval")},
}
"""Fields of the services behind, as the request here calls them."""


COMPLETE = Operation(
    id="create_chat_completion",
    tag="Language model",
    summary="Complete a chat; model `rag` answers from documents",
    body=ChatBody,
    response=ChatAnswer,
    response_description='The completion. With `"stream": true`, events; the last one is `[DONE]`.',
    events=[EventModel(ChatChunk), EventModel(Error)],
    last_event="[DONE]",
    errors=[400, 404, 409, 413, 504],
)


@dataclass(frozen=True, slots=True)
class _Begun:
    """An answer that is being written; to be closed, also when not one part was taken."""

    parts: Parts
    close: Callable[[], Awaitable[None]]


class ChatRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/chat/completions", self.complete, COMPLETE)]

    async def complete(self, request: Request) -> Response:
        body = (await read_body(ChatBody, request)).checked()
        writer = await self._parts.models.writer(body.model)
        use = body.tool_use()
        reply = ChatMetadata(body.model, body.texts, calls=use.schema is not None)
        if body.stream:
            begun = await self._begin(body, writer, use, request)
            events = chunk_events(begun.parts, reply, includes_usage=body.includes_usage)
            return EventStream(events, close=begun.close, form=OPENAI, **self._parts.stream_options)
        async with in_time(self._parts.answer_timeout_s):
            begun = await self._begin(body, writer, use, request)
            try:
                return JSONResponse(await completion_object(begun.parts, reply))
            finally:
                await begun.parts.aclose()
                await begun.close()

    async def _begin(self, body: ChatBody, writer: ModelTarget, use: ToolUse, request: Request) -> _Begun:
        """Raises all that can be refused with a status."""
        form = {} if body.response_format is None else {"structured_outputs": "response_format"}
        if writer.is_rag:
            asked = _asked(body, writer)
            with fields_named(_OF_RAG | form):
                answer = await self._parts.answering.begin(asked)
            return _Begun(rag_parts(answer.events, _file_url(request)), answer.aclose)
        chat, sampling = _chat(body, use), _sampling(body, use)
        with fields_named(_OF_CHAT | form):
            request_id = current_request_id.get()
            pieces = await self._parts.generator.generate(chat, sampling, request_id, model=writer.adapter)
        return _Begun(plain_parts(pieces, use), pieces.aclose)


def _file_url(request: Request) -> FileUrl:
    return lambda file_id: f"{request.base_url}v1/files/{file_id}/content"


def _chat(body: ChatBody, use: ToolUse) -> Chat:
    if body.rag is not None:
        raise InvalidRequest("rag: is for model rag, which answers from documents", param="rag")
    messages = tuple(message.for_model() for message in body.messages)
    return Chat(messages, use.tools, body.chat_template_kwargs or {}, calls_tools=use.calling == "auto")


def _sampling(body: ChatBody, use: ToolUse) -> dict[str, Any]:
    sampling = body.sampling()
    if use.calling == "none":
        return sampling
    if "structured_outputs" in sampling:
        param = "response_format" if body.structured_outputs is None else "structured_outputs"
        raise InvalidRequest(f"{param}: says what the text must be, so no tools can be called; give one", param=param)
    return sampling if use.schema is None else {**sampling, "structured_outputs": {"json": use.schema}}


def _asked(body: ChatBody, writer: ModelTarget) -> AnswerRequest:
    for name in ("tools", "chat_template_kwargs", "prompt_logprobs"):
        if getattr(body, name):
            raise InvalidRequest(f"{name}: is not for model rag, whose prompt is made here", param=name)
    question, history, system = question_of(body.messages)
    options = body.rag.model_dump(exclude_none=True, exclude={"citations"}) if body.rag else {}
    search = {**options, "history": history, **({"system": system} if system else {})}
    citations = body.rag.citations if body.rag else None
    return AnswerRequest(question, search, body.sampling(), writer.adapter, citations)
