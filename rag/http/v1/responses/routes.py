"""`POST /v1/responses`: the language model itself, or answers from documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.errors import InternalError, InvalidRequest, NotFound, RagError, VectorStoreNotFound
from rag.generate.events import AnswerStream
from rag.generate.pipeline import AnswerRequest
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
from rag.http.openapi.events import EventModel
from rag.http.openapi.route import Operation
from rag.http.streaming.event_stream import Event, EventStream
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.field_names import renamed
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
from rag.http.v1.responses.body import FileSearch, ResponsesBody
from rag.http.v1.responses.events import FINAL, ResponseWriter
from rag.http.v1.responses.memory import RequestedTurns, ResponseMemory
from rag.http.v1.responses.objects import ResponseMetadata
from rag.http.v1.responses.response_models import ResponseEvent, ResponseOut
from rag.http.v1.responses.turns import chat_messages, question_of
from rag.http.v1.route import V1Route
from rag.ports import TokenStream
from rag.types import JsonObject

_PARAMS = {
    "max_tokens": "max_output_tokens",
    **dict.fromkeys(("prompt", "messages", "question"), "input"),
}
"""Field names of the inner services -> of this route."""

_NOT_OFFERED = ("compact", "input_tokens")
"""Routes of OpenAI's API that are not response ids."""


CREATE = Operation(
    id="create_response",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Create a response; the tool `file_search` answers from documents",
    description="The response is kept, so that `previous_response_id` can continue it, unless `store` is false or the "
    "service keeps none.",
    body=ResponsesBody,
    response=ResponseOut,
    response_description='The response. With `"stream": true`, OpenAI\'s events; the last one holds the response.',
    events=[EventModel(ResponseEvent)],
    errors=[400, 404, 409, 413, 504],
)


class ResponseRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            V1Route("POST", "/responses", self.create, CREATE),
            *(
                Route(f"/responses/{name}", self.not_offered, methods=["GET", "POST", "DELETE"])
                for name in _NOT_OFFERED
            ),
        ]

    async def create(self, request: Request) -> Response:
        body = (await read_body(ResponsesBody, request)).checked()
        target = await self._parts.models.target(body.model)
        searches = target.is_rag or body.file_search is not None
        facts = self._parts.dependencies.facts("LLM")
        has_form = "structured_outputs" in body.sampling()
        use, note = supported_use(body.tool_use(), facts, from_documents=searches, has_form=has_form)
        retriever = self._parts.dependencies.clients["Retriever"]
        memory = ResponseMemory(RemoteResponses(retriever), may_store=self._parts.may_store)
        is_stored, turns = memory.stores(body), await memory.turns(body)
        notes = (note, turns.note if searches else "")
        writer = ResponseWriter(ResponseMetadata(body, searches=searches, stored=is_stored, notes=notes))
        source = self._answer(body, turns, target, use)

        def events(answer: AnswerStream) -> AsyncGenerator[Event, None]:
            written = writer.events(answer)
            return memory.kept(written, turns) if is_stored else written

        if body.stream:
            return await EventStream.open(source, events, form=writer.form, **self._parts.stream_options)
        async with in_time(self._parts.answer_timeout_s), source as answer:
            response = await _final_response(events(answer))
            return JSONResponse(response)

    async def not_offered(self, request: Request) -> Response:
        raise NotFound(f"there is no route {request.url.path}; the routes are listed at /")

    @asynccontextmanager
    async def _answer(
        self, body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse
    ) -> AsyncIterator[AnswerStream]:
        """Errors that entering it raises have the field names of this route."""
        async with AsyncExitStack() as stack:
            try:
                if target.is_rag or body.file_search is not None:
                    request = _answer_request(body, turns, target, use)
                    source = document_answer(self._parts.answers.answer(request, current_request_id.get()), use)
                else:
                    source = chat_answer(self._generate(body, turns, target, use), use)
                answer = await stack.enter_async_context(source)
            except RagError as error:
                names = {"filters": f"{body.file_search_field}.filters", **structure_field(use, body.form_field)}
                raise _renamed(error, names) from error
            yield answer

    def _generate(
        self, body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse
    ) -> AbstractAsyncContextManager[TokenStream]:
        if body.style is not None:
            raise InvalidRequest("style: is only allowed for answers from documents", param="style")
        if body.truncation == "auto":
            message = (
                "truncation: auto is only allowed for answers from documents; leave the oldest messages out of input"
            )
            raise InvalidRequest(message, param="truncation")
        messages = chat_messages(turns.input, body.instructions, turns.history)
        chat = conversation(messages, use, body.chat_template_kwargs)
        sampling = calling_parameters(body.sampling(), use, body.form_field)
        return self._parts.generator.generate(chat, sampling, current_request_id.get(), model=target.adapter)


def _answer_request(body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse) -> AnswerRequest:
    if body.chat_template_kwargs:
        reason = "is not supported for answers from documents, because this service builds their prompt"
        raise InvalidRequest(f"chat_template_kwargs: {reason}", param="chat_template_kwargs")
    if target.is_rag and body.tool_choice == "none" and not body.functions:
        raise InvalidRequest(f"tool_choice: model {target.name} always searches; choose another", param="tool_choice")
    question, history, system = question_of(turns.input, body.instructions, turns.history)
    tool: FileSearch | None = body.file_search
    search: JsonObject = {**(tool.search() if tool else {}), "history": history}
    if system := instructions(system, use):
        search["system"] = system
    sampling = calling_parameters(body.sampling(), use, body.form_field)
    return AnswerRequest(question, search, sampling, target.adapter, style=body.style)


def _renamed(error: RagError, names: Mapping[str, str]) -> RagError:
    """The error with the fields of the inner services renamed to those of this route."""
    if isinstance(error, VectorStoreNotFound):
        return VectorStoreNotFound(error.message, param="tools")
    new = renamed(error, {**_PARAMS, **names})
    message = new.message if new is error else new.message.replace("max_tokens", _PARAMS["max_tokens"])
    return type(error)(message, param=new.param)


async def _final_response(events: AsyncGenerator[Event, None]) -> JsonObject:
    """The response in the final event, which is also the last one of a stream."""
    async with aclosing(events):
        async for name, data in events:
            if name in FINAL:
                response: JsonObject = data["response"]
                return response
    raise InternalError("the answer ended before it was complete")
