"""`POST /v1/responses`: the language model itself, or answers from documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.auth.caller import require
from rag.errors import InternalError, InvalidRequest, RagError, VectorStoreNotFound
from rag.generate.events import AnswerStream
from rag.generate.pipeline import AnswerRequest
from rag.http.clients.remote_compaction import RemoteCompaction
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.clients.remote_token_count import count_tokens
from rag.http.clients.served_models import ModelTarget
from rag.http.clients.service_client import ServiceClient
from rag.http.fields.thinking_fields import check_effort
from rag.http.middleware.deadline import in_time
from rag.http.middleware.request_id import current_request_id
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
from rag.http.v1.model_response import model_response
from rag.http.v1.responses.attachments import read_attachments
from rag.http.v1.responses.background.accepting import BackgroundQueue
from rag.http.v1.responses.compaction.automatic import AutomaticCompaction, Begin
from rag.http.v1.responses.memory import RequestedTurns, ResponseMemory, history_field
from rag.http.v1.responses.operations import COUNT_INPUT, CREATE
from rag.http.v1.responses.output.events import FINAL, ResponseSource, ResponseWriter, SourceEvent
from rag.http.v1.responses.output.objects import ResponseMetadata
from rag.http.v1.responses.output.padding import padded
from rag.http.v1.responses.output.request_fields import DefaultSampling
from rag.http.v1.responses.prepared_answer import PreparedAnswer
from rag.http.v1.responses.request.body import FileSearch, ResponsesBody
from rag.http.v1.responses.request.mcp_turns import as_turns
from rag.http.v1.responses.request.turns import chat_messages, question_of
from rag.http.v1.responses.response_models import InputTokens
from rag.http.v1.responses.tools.response import ToolResponse
from rag.http.v1.responses.tools.tool_plan import ToolPlan, tool_plan
from rag.http.v1.route import V1Route
from rag.http.v1.text_generation.file_parts import attached_files, refuse_files
from rag.http.v1.text_generation.image_parts import NO_IMAGES, attached_images, refuse_images
from rag.http.validation.validation_errors import parsed
from rag.ports import TokenStream
from rag.records import LeasedResponse
from rag.types import Chat, JsonObject

_PARAMS = {
    "max_tokens": "max_output_tokens",
    **dict.fromkeys(("prompt", "messages", "question"), "input"),
}
"""Field names of the inner services -> of this route."""


class ResponseRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [
            V1Route("POST", "/responses", self.create, CREATE),
            V1Route("POST", "/responses/input_tokens", self.count_input, COUNT_INPUT),
        ]

    async def create(self, request: Request) -> Response:
        body = (await read_body(ResponsesBody, request)).checked()
        prepared = await self._prepared(body)
        if body.background:
            queue = BackgroundQueue(self._retriever, self._parts.wake_background)
            return await queue.accept(request, body, prepared)
        source, writer = prepared.source, prepared.writer

        def events(answer: ResponseSource) -> AsyncGenerator[Event, None]:
            written = writer.events(answer)
            return self._memory().kept(written, prepared.turns, body, is_stored=prepared.is_stored)

        if body.stream:
            form = padded(writer.form) if body.is_padded else writer.form
            return await EventStream.open(source, events, form=form, **self._parts.stream_options)
        async with in_time(self._parts.answer_timeout_s), source as answer:
            response = await _final_response(events(answer))
            return JSONResponse(response)

    async def prepare_leased(self, leased: LeasedResponse) -> PreparedAnswer:
        """The answer of a response in the background, from the request that was queued.

        Raises:
            RagError: it cannot be answered any more, for instance because the previous response was deleted.
        """
        body = parsed(ResponsesBody, leased.request).checked()
        return await self._prepared(body, id=leased.response_id, created_at=leased.response["created_at"])

    async def _prepared(self, body: ResponsesBody, **identity: Any) -> PreparedAnswer:
        """Everything that is known about the answer before it is generated.

        Args:
            identity: Id and time of creation of a response that exists already.
        """
        target = await self._parts.models.target(body.model)
        searches = target.is_rag or body.file_search is not None
        plan = tool_plan(body, target, self._parts.tools)
        if plan.runs_tools:
            return await self._prepared_with_tools(body, target, plan, identity)
        use, note = self._tool_use(body, searches=searches)
        memory = self._memory()
        is_stored = memory.stores(body)
        turns = await memory.turns(body, is_kept=is_stored or body.conversation is not None)
        if not searches:
            await read_attachments(self._parts, body, turns)
        if body.background or body.context_management:  # what can be refused now is not to fail later
            _check(body, turns, target, use)
        notes = (note, turns.note if searches else "")
        reply = ResponseMetadata(body, searches, self._default_sampling(), stored=is_stored, notes=notes, **identity)

        def begin(asked: RequestedTurns) -> AbstractAsyncContextManager[ResponseSource]:
            return self._answer(body, asked, target, use)

        return PreparedAnswer(ResponseWriter(reply), self._compacting(body, turns, begin), turns, is_stored)

    async def _prepared_with_tools(
        self, body: ResponsesBody, target: ModelTarget, plan: ToolPlan, identity: Mapping[str, Any]
    ) -> PreparedAnswer:
        memory = self._memory()
        is_stored = memory.stores(body)
        turns = await memory.turns(body, is_kept=is_stored or body.conversation is not None)
        await read_attachments(self._parts, body, turns)
        defaults, searches = self._default_sampling(), plan.search is not None
        reply = ResponseMetadata(body, searches, defaults, stored=is_stored, runs_tools=True, **identity)
        response = ToolResponse(self._parts, body, turns, target, plan, reply)

        def begin(asked: RequestedTurns) -> AbstractAsyncContextManager[ResponseSource]:
            return self._with_field_names(body, replace(response, turns=asked).open())

        return PreparedAnswer(ResponseWriter(reply), self._compacting(body, turns, begin), turns, is_stored)

    def _compacting(
        self, body: ResponsesBody, turns: RequestedTurns, begin: Begin
    ) -> AbstractAsyncContextManager[ResponseSource]:
        """The answer, after a compaction if the request wants one."""
        answer = begin(turns)  # raises what can be refused now
        if not body.context_management:
            return answer
        context_tokens = int(self._parts.dependencies.require("LLM")["context_tokens"])
        return AutomaticCompaction(self._retriever, self._compaction, body, context_tokens).open(turns, begin)

    @asynccontextmanager
    async def _with_field_names(
        self, body: ResponsesBody, source: AbstractAsyncContextManager[ResponseSource]
    ) -> AsyncIterator[ResponseSource]:
        """Errors have the field names of this route."""
        form = body.form_field if "structured_outputs" in body.sampling() else "tools"
        names = {"filters": f"{body.file_search_field}.filters", "structured_outputs": form}

        async def named(answer: ResponseSource) -> AsyncGenerator[SourceEvent, None]:
            try:
                async for event in answer:
                    yield event
            except RagError as error:
                raise _renamed(error, names) from error

        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(source)
            except RagError as error:
                raise _renamed(error, names) from error
            yield await stack.enter_async_context(aclosing(named(answer)))

    async def count_input(self, request: Request) -> Response:
        body = (await read_body(ResponsesBody, request)).checked()
        target = await self._parts.models.target(body.model)
        if tool_plan(body, target, self._parts.tools).runs_tools:
            name = "tools" if body.mcp_tools else "rag"
            message = f"{name}: the number of tokens is not known, because the language model decides what it reads"
            raise InvalidRequest(message, param=name)
        turns = await self._memory().turns(body, is_kept=False)
        use, _ = self._tool_use(body, searches=target.is_rag or body.file_search is not None)
        try:
            tokens = await self._input_tokens(body, turns, target, use)
        except RagError as error:
            raise _renamed(error, _field_names(body, use)) from error
        return model_response(InputTokens(object="response.input_tokens", input_tokens=tokens))

    def _tool_use(self, body: ResponsesBody, *, searches: bool) -> tuple[ToolUse, str]:
        facts = self._parts.dependencies.facts("LLM")
        check_effort(body.effort, facts, "reasoning.effort")
        has_form = "structured_outputs" in body.sampling()
        return supported_use(body.tool_use(), facts, from_documents=searches, has_form=has_form)

    async def _input_tokens(self, body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse) -> int:
        if target.is_rag or body.file_search is not None:
            prompt = (await self._parts.answers.prepare(_answer_request(body, turns, target, use))).prompt
            if not prompt.messages or not prompt.sources:  # without sources, nothing is sent to the language model
                return len(prompt.token_ids) if prompt.sources else 0
            messages = [asdict(message) for message in prompt.messages]
            return await count_tokens(self._retriever, messages, body.template_values)
        require("generate")
        images = {**attached_images(turns.history, history_field(body)), **attached_images(turns.input, "input")}
        refuse_images(images, "the number of tokens of an image is not known")
        await read_attachments(self._parts, body, turns)
        chat = _chat(body, turns, use)
        if chat.tools:
            raise InvalidRequest("tools: the effect on the number of tokens is not known", param="tools")
        return await count_tokens(self._retriever, chat.messages, chat.template_values)

    def _memory(self) -> ResponseMemory:
        return ResponseMemory(RemoteResponses(self._retriever), self._compaction, may_store=self._parts.may_store)

    @property
    def _retriever(self) -> ServiceClient:
        return self._parts.dependencies.clients["Retriever"]

    @property
    def _compaction(self) -> RemoteCompaction:
        return RemoteCompaction(self._retriever, self._parts.answer_timeout_s)

    def _default_sampling(self) -> DefaultSampling:
        sampling, engine = self._parts.answers.sampling, self._parts.dependencies.require("LLM")
        return DefaultSampling(sampling["max_tokens"], sampling["temperature"], engine["context_tokens"])

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
                raise _renamed(error, _field_names(body, use)) from error
            yield answer

    def _generate(
        self, body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse
    ) -> AbstractAsyncContextManager[TokenStream]:
        chat = _chat(body, turns, use)
        sampling = {"temperature": self._parts.answers.sampling["temperature"]}
        sampling |= calling_parameters(body.sampling(), use, body.form_field)
        return self._parts.generator.generate(chat, sampling, current_request_id.get(), model=target.adapter)


def _check(body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse) -> None:
    """Raises the errors that can be detected before an answer begins."""
    try:
        if target.is_rag or body.file_search is not None:
            require("ask")
            _answer_request(body, turns, target, use)
        else:
            require("generate")
            _chat(body, turns, use)
            calling_parameters(body.sampling(), use, body.form_field)
    except RagError as error:
        raise _renamed(error, _field_names(body, use)) from error


def _chat(body: ResponsesBody, turns: RequestedTurns, use: ToolUse) -> Chat:
    if body.style is not None:
        raise InvalidRequest("style: is only allowed for answers from documents", param="style")
    if body.truncation == "auto":
        message = "truncation: auto is only allowed for answers from documents; leave the oldest messages out of input"
        raise InvalidRequest(message, param="truncation")
    earlier = as_turns(turns.history)
    messages = chat_messages(as_turns(turns.input, turns.history), body.instructions, earlier)
    return conversation(messages, use, body.template_values)


def _answer_request(body: ResponsesBody, turns: RequestedTurns, target: ModelTarget, use: ToolUse) -> AnswerRequest:
    if target.is_rag and body.tool_choice == "none" and not body.functions:
        raise InvalidRequest(f"tool_choice: model {target.name} always searches; choose another", param="tool_choice")
    refuse_files([*attached_files(turns.input, "input"), *attached_files(turns.history, history_field(body))])
    refuse_images(attached_images(turns.input, "input"), NO_IMAGES)
    earlier = as_turns(turns.history)
    question, history, system = question_of(as_turns(turns.input, turns.history), body.instructions, earlier)
    tool: FileSearch | None = body.file_search
    search: JsonObject = {**(tool.search() if tool else {}), "history": history}
    if system := instructions(system, use):
        search["system"] = system
    sampling = calling_parameters(body.sampling(), use, body.form_field)
    return AnswerRequest(question, search, sampling, target.adapter, None, body.style, body.template_values)


def _field_names(body: ResponsesBody, use: ToolUse) -> Mapping[str, str]:
    """Names of fields of the inner services that depend on the request -> of this route."""
    return {"filters": f"{body.file_search_field}.filters", **structure_field(use, body.form_field)}


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
