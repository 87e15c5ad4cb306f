"""`POST /v1/chat/completions`: the language model itself, or model `rag`, which answers from documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InvalidRequest
from rag.generate.events import AnswerStream
from rag.generate.pipeline import AnswerRequest
from rag.http.clients.remote_files import RemoteFiles
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.clients.served_models import ModelTarget
from rag.http.fields.thinking_fields import check_effort
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.error_responses import Error
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import EventStream
from rag.http.v1.chat.body import ChatBody
from rag.http.v1.chat.memory import CompletionMemory
from rag.http.v1.chat.messages import ignored_calls_note, question_of
from rag.http.v1.chat.objects import ChatMetadata, FileUrl, chunk_events, completion_object
from rag.http.v1.chat.response_models import ChatAnswer, ChatChunk
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.field_names import fields_named
from rag.http.v1.function_calling.generation import (
    calling_parameters,
    chat_answer,
    conversation,
    document_answer,
    instructions,
    structure_field,
    supported_use,
)
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.http.v1.route import V1Route
from rag.http.v1.text_generation.file_parts import Room, attached_files, read_files
from rag.http.v1.text_generation.image_parts import ImageReader, attached_images
from rag.http.v1.text_generation.openai_stream import OPENAI
from rag.types import Chat

_CHAT_FIELDS = {"prompt": "messages", "tokens": "messages"}
_RAG_FIELDS = {
    **dict.fromkeys(("question", "history", "system", "prompt"), "messages"),
    **{name: f"rag.{name}" for name in ("vector_store", "top_k", "filters", "retrieval")},
}
"""Field names of the inner services -> of this route."""


COMPLETE = Operation(
    id="create_chat_completion",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Complete a chat; model `rag` answers from documents",
    description="With `store: true`, the completion is kept, so that it can be retrieved.",
    body=ChatBody,
    response=ChatAnswer,
    response_description='The completion. With `"stream": true`, events; the last one is `[DONE]`.',
    events=[EventModel(ChatChunk), EventModel(Error)],
    last_event="[DONE]",
    errors=[400, 404, 409, 413, 504],
)


class ChatRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/chat/completions", self.complete, COMPLETE)]

    async def complete(self, request: Request) -> Response:
        body = (await read_body(ChatBody, request)).checked()
        target = await self._parts.models.target(body.model)
        facts = self._parts.dependencies.facts("LLM")
        check_effort(body.reasoning_effort, facts)
        has_form = "structured_outputs" in body.sampling()
        use, note = supported_use(body.tool_use(), facts, from_documents=target.is_rag, has_form=has_form)
        if target.is_rag:
            note = "; ".join(filter(None, (note, ignored_calls_note(body.messages))))
        only_calls = use.schema is not None
        reply = ChatMetadata(
            body.model, _file_url(request), body.texts, only_calls=only_calls, has_form=has_form, note=note
        )
        memory = CompletionMemory(
            RemoteResponses(self._parts.dependencies.clients["Retriever"]), may_store=self._parts.may_store
        )
        await memory.check(body)
        if not target.is_rag:
            await self._read_files(body)
            await self._read_images(body)
        source = memory.kept(self._answer(body, target, use), body, reply)
        if body.stream:
            return await EventStream.open(
                source,
                lambda answer: chunk_events(answer, reply, includes_usage=body.includes_usage),
                form=OPENAI,
                **self._parts.stream_options,
            )
        async with in_time(self._parts.answer_timeout_s), source as answer:
            return JSONResponse(await completion_object(answer, reply))

    async def _read_files(self, body: ChatBody) -> None:
        context_tokens = int(self._parts.dependencies.require("LLM")["context_tokens"])
        max_tokens = body.max_completion_tokens or body.max_tokens or 1
        others = [{"role": message.role, "content": message.own_text} for message in body.messages]
        room = Room(context_tokens, max_tokens, body.template_values)
        files = attached_files(body.messages, "messages")
        await read_files(self._parts.dependencies.clients["Retriever"], files, others, room)

    async def _read_images(self, body: ChatBody) -> None:
        facts = self._parts.dependencies.require("LLM")
        files = RemoteFiles(self._parts.dependencies.clients["Retriever"])
        await ImageReader(files, self._parts.images, facts).read(attached_images(body.messages, "messages"))

    def _answer(self, body: ChatBody, target: ModelTarget, use: ToolUse) -> AbstractAsyncContextManager[AnswerStream]:
        form = structure_field(use, _form_field(body))
        if target.is_rag:
            answer = self._parts.answers.answer(_answer_request(body, target, use), current_request_id.get())
            return _renaming_fields(document_answer(answer, use), _RAG_FIELDS | form)
        generation = self._parts.generator.generate(
            _chat(body, use),
            calling_parameters(body.sampling(), use, _form_field(body)),
            current_request_id.get(),
            model=target.adapter,
        )
        return _renaming_fields(chat_answer(generation, use), _CHAT_FIELDS | form)


@asynccontextmanager
async def _renaming_fields(
    source: AbstractAsyncContextManager[AnswerStream], names: Mapping[str, str]
) -> AsyncIterator[AnswerStream]:
    """`source`, with the field names of this route in errors that entering it raises."""
    async with AsyncExitStack() as stack:
        with fields_named(names):
            answer = await stack.enter_async_context(source)
        yield answer


def _file_url(request: Request) -> FileUrl:
    return lambda file_id: f"{request.base_url}v1/files/{file_id}/content"


def _chat(body: ChatBody, use: ToolUse) -> Chat:
    if body.rag is not None:
        raise InvalidRequest("rag: is only allowed with model rag, which answers from documents", param="rag")
    if body.style is not None:
        raise InvalidRequest("style: is only allowed with model rag, which answers from documents", param="style")
    return conversation([message.for_model() for message in body.messages], use, body.template_values)


def _form_field(body: ChatBody) -> str:
    return "response_format" if body.response_format is not None else "structured_outputs"


def _answer_request(body: ChatBody, target: ModelTarget, use: ToolUse) -> AnswerRequest:
    if body.prompt_logprobs:
        reason = "is not supported by model rag, because this service builds its prompt"
        raise InvalidRequest(f"prompt_logprobs: {reason}", param="prompt_logprobs")
    question, history, system = question_of(body.messages)
    system = instructions(system, use)
    options = body.rag.model_dump(exclude_none=True, exclude={"citations"}) if body.rag else {}
    search = {**options, "history": history, **({"system": system} if system else {})}
    citations = body.rag.citations if body.rag else None
    sampling = calling_parameters(body.sampling(), use, _form_field(body))
    return AnswerRequest(question, search, sampling, target.adapter, citations, body.style, body.template_values)
