"""A response for which the language model may call tools that the service runs."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from rag.auth.caller import require
from rag.errors import InvalidRequest
from rag.generate.events import AnswerStream, Done
from rag.http.clients.remote_tools import RemoteTools
from rag.http.clients.served_models import ModelTarget
from rag.http.middleware.request_id import current_request_id
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.function_calling.functions import FunctionIn
from rag.http.v1.function_calling.generation import calling_parameters, chat_answer, conversation, supported_use
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.http.v1.responses.memory import RequestedTurns
from rag.http.v1.responses.output.events import ResponseSource, SourceEvent
from rag.http.v1.responses.output.objects import ResponseMetadata
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.request.mcp_turns import Approved, approved_calls, as_turns
from rag.http.v1.responses.request.turns import chat_messages, question_of
from rag.http.v1.responses.tools.budget import Budget
from rag.http.v1.responses.tools.loop import RoundKind, ToolConversation, ToolLoop
from rag.http.v1.responses.tools.mcp_session import McpSession
from rag.http.v1.responses.tools.search_tool import NAME, SearchTool
from rag.http.v1.responses.tools.tool import ToolOutput
from rag.http.v1.responses.tools.tool_plan import ToolPlan, round_use
from rag.llm.images import text_of
from rag.telemetry import answers as metrics
from rag.types import JsonMapping, JsonObject

_REPETITION = "repetition_detection"


@dataclass(slots=True)
class ToolResponse:
    """One response, from its request to its last event."""

    parts: EdgeParts
    body: ResponsesBody
    turns: RequestedTurns
    target: ModelTarget
    plan: ToolPlan
    reply: ResponseMetadata
    _notes: list[str] = field(default_factory=list)
    _functions: Mapping[str, FunctionIn] = field(default_factory=dict)
    """Those of the client that may be called, by the names of their fields."""
    _remote: RemoteTools = field(init=False)
    _search: SearchTool | None = field(init=False)
    _conversation: ToolConversation = field(init=False)
    _budget: Budget = field(init=False)
    _mcp: McpSession | None = field(init=False)
    _approved: Sequence[Approved] = field(init=False)

    def __post_init__(self) -> None:
        parts, body = self.parts, self.body
        self._remote = RemoteTools(parts.dependencies.clients["Retriever"], parts.tools.retrieve_timeout_s)
        self._search = self._search_tool()
        self._approved = approved_calls(self.turns.input, self.turns.history)
        if self.plan.choice.functions.calling != "none":
            self._functions = body.functions
        names = [function.name for function in self._functions.values()]
        if self.plan.search == "model" and NAME in names:
            raise InvalidRequest(f"tools: {NAME} is the name of the search; give the function another", param="tools")
        self._conversation = ToolConversation(self._messages(), {}, names)
        if self._search is not None and self.plan.search == "model":
            self._conversation.tools[NAME] = self._search
        self._budget = Budget(
            parts.tools.max_rounds,
            body.max_tool_calls,
            body.max_output_tokens or parts.answers.max_tokens,
            parts.dependencies.require("LLM")["context_tokens"],
            parts.answer_timeout_s,
        )
        self._mcp = self._mcp_session()

    def open(self) -> AbstractAsyncContextManager[ResponseSource]:
        """See `ToolLoop.open`."""
        require("generate")
        needs_preparation = self._mcp is not None or self._searches_first
        prepare = self._prepare if needs_preparation else None
        return ToolLoop(self._conversation, self._budget, self._generate, self._complete, prepare).open()

    def _search_tool(self) -> SearchTool | None:
        if self.plan.search is None:
            return None
        require("ask")
        tool, options = self.body.file_search, self.body.rag
        explain = bool(options and options.explain)
        return SearchTool(self._remote, self.reply, tool.search() if tool else {}, explain=explain)

    def _mcp_session(self) -> McpSession | None:
        labels = {tool.server_label for tool in self.plan.mcp.values()}
        for each in self._approved:
            if each.server_label not in labels:
                message = f"tools: the approved call needs the MCP server {each.server_label!r}; add it"
                raise InvalidRequest(message, param="tools")
        if not self.plan.mcp or self.parts.tools.servers is None:
            return None
        items = (*self.turns.history, *self.turns.input)
        return McpSession(self.parts.tools.servers, self.parts.tools, self._remote, self.plan, items)

    def _messages(self) -> list[JsonObject]:
        history, items = self.turns.history, self.turns.input
        earlier = as_turns(history)
        own = as_turns(items, history)
        if self._approved or not own:  # the calls that were approved follow the conversation
            return list(chat_messages([*earlier, *own], self.body.instructions))
        return list(chat_messages(own, self.body.instructions, earlier))

    @property
    def _searches_first(self) -> bool:
        """Whether documents are searched before the language model begins: it does not search itself, and does not only
        continue a call.
        """
        return self.plan.search == "always" and self.turns.input[-1].type == "message"

    async def _prepare(self) -> AsyncGenerator[SourceEvent, None]:
        if self._mcp is not None:
            async for event in self._mcp.list_tools(self._conversation):
                yield event
        if self._searches_first or self._approved:
            self._budget.length = await self._remote.count(self._countable(), self.body.template_values)
        if self._mcp is not None and self._approved:
            tools = {tool.server_label: tool for tool in self.plan.mcp.values()}
            async for event in self._mcp.run_approved(self._approved, self._conversation, self._budget, tools):
                yield event
        if self._searches_first:
            async for event in self._search_first():
                yield event

    async def _search_first(self) -> AsyncGenerator[SourceEvent, None]:
        """One search with the question, as if the language model had asked for it."""
        assert self._search is not None
        items, earlier = as_turns(self.turns.input, self.turns.history), as_turns(self.turns.history)
        query, history, _ = question_of(items, None, earlier)
        call_id = f"call_{uuid.uuid4().hex[:24]}"
        function = {"name": NAME, "arguments": json.dumps({"queries": [query]}, ensure_ascii=False)}
        call = {"id": call_id, "type": "function", "function": function}
        async for event in self._search.search([query], self._budget.room, history):
            if isinstance(event, ToolOutput):
                self._budget.add(event.tokens)
                self._conversation.messages += [
                    {"role": "assistant", "content": "", "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": call_id, "content": event.text},
                ]
            else:
                yield event  # type: ignore[misc]

    def _countable(self) -> list[JsonMapping]:
        """The conversation with the descriptions of the tools, as messages of text alone."""
        tools = json.dumps([tool.function.for_model() for tool in self._conversation.tools.values()])
        messages = [*self._conversation.messages, {"role": "user", "content": tools}]
        texts = [f"{text_of(each.get('content'))}{json.dumps(each.get('tool_calls') or '')}" for each in messages]
        return [{"role": "user", "content": "\n".join(texts)}]

    def _generate(
        self, messages: Sequence[JsonObject], kind: RoundKind, max_tokens: int
    ) -> AbstractAsyncContextManager[AnswerStream]:
        use = self._use(kind)
        defaults: dict[str, Any] = dict(self.parts.answers.sampling)
        sampling = {**defaults, **self.body.sampling(), "max_tokens": max_tokens}
        sampling = calling_parameters(sampling, use, self.body.form_field)
        if sampling.get("structured_outputs") is not None and _REPETITION not in self.body.sampling():
            sampling = {name: value for name, value in sampling.items() if name != _REPETITION}
        chat = conversation(messages, use, self.body.template_values)
        generation = self.parts.generator.generate(chat, sampling, current_request_id.get(), model=self.target.adapter)
        return chat_answer(generation, use, self._sources(use), has_fence=self._search is not None)

    def _sources(self, use: ToolUse) -> Sequence[Any] | None:
        """What the text may cite; None if citations are not checked."""
        is_free = use.schema is None and not self.body.sampling().get("structured_outputs")
        checks = is_free and self.parts.answers.citations != "off"
        return self._search.sources if self._search is not None and checks else None

    def _use(self, kind: RoundKind) -> ToolUse:
        facts = self.parts.dependencies.facts("LLM")
        has_form = "structured_outputs" in self.body.sampling()
        parallel = self.body.parallel_tool_calls is not False
        use = round_use(kind, self.plan, self._functions, self._own_functions(), parallel)
        use, note = supported_use(use, facts, from_documents=False, has_form=has_form)
        if note and note not in self._notes:
            self._notes.append(note)
        has_parser = (facts or {}).get("tool_parser", "") is not None
        return replace(use, is_written=True) if use.calling == "none" and not has_parser else use

    def _own_functions(self) -> Mapping[str, FunctionIn]:
        """The tools that the service runs, by the names of their fields."""
        fields = {NAME: self.body.file_search_field, **(self._mcp.fields if self._mcp is not None else {})}
        return {fields[name]: tool.function for name, tool in self._conversation.tools.items()}

    def _count(self) -> None:
        """Counts the response as an answer from documents if it has searched them."""
        if self._search is not None and self._search.has_searched:
            metrics.ANSWERS.labels("answered" if self._search.sources else "refused").inc()
            metrics.DURATION.observe(self._budget.elapsed_s)

    async def _complete(self, done: Done) -> Done:
        self._count()
        texts, sources = done.texts, self._search.sources if self._search is not None else []
        notes = [*self._notes, *(self._search.notes if self._search is not None else [])]
        if sources and self.parts.answers.citations == "verify":
            texts, failure = await self.parts.answers.verifier.verify(texts, sources)
            notes.append(failure)
        note = "; ".join(dict.fromkeys(filter(None, notes)))
        return replace(done, texts=tuple(texts), note=note, style=None if self._search is None else "written")
