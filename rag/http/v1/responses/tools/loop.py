"""Lets the language model call tools, round by round, until it answers or its budget is used up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from rag.generate.events import AnswerStream, CompletedText, Done
from rag.http.v1.responses.output.events import ResponseSource, SourceEvent
from rag.http.v1.responses.output.output_items import MessageEnded
from rag.http.v1.responses.tools.budget import Budget
from rag.http.v1.responses.tools.round import Round
from rag.http.v1.responses.tools.tool import ApprovalPending, ModelCall, ServiceTool, ToolEvent, ToolOutput
from rag.http.v1.text_generation.finish_reason import CUT
from rag.types import JsonObject, ReasoningDelta, TextDelta, Usage

ANSWER_NOW = "\n\nNo more functions can be called. Answer the request now."
_NOT_RUN = ToolOutput("Not run: no more calls are allowed.")
_UNKNOWN = ToolOutput("There is no function of this name.")
_TOOL_CALLS = "tool_calls"
"""Finish reason of a response that ends with a call of the client's function, or a request for approval."""


@dataclass(frozen=True, slots=True)
class RoundKind:
    """What the model may call in a round."""

    is_first: bool = False
    """`tool_choice` may require a call."""
    is_last: bool = False
    """Nothing can be called."""


Generate: TypeAlias = Callable[[Sequence[JsonObject], RoundKind, int], AbstractAsyncContextManager[AnswerStream]]
"""Starts a round: the conversation, what may be called, and the maximum number of tokens."""
Steps: TypeAlias = AsyncGenerator[SourceEvent, None]


@dataclass(slots=True)
class ToolConversation:
    """The conversation with the language model, and the tools that it may call."""

    messages: list[JsonObject]
    """In the format of `rag.types.Chat`. Each round is added."""
    tools: dict[str, ServiceTool]
    """Those that the service runs, by the names that the model knows."""
    functions: Collection[str]
    """Names of the client's functions."""


@dataclass(slots=True)
class _Outcome:
    """The results of a round's calls."""

    outputs: list[JsonObject] = field(default_factory=list)
    """Messages for the model."""
    ends: bool = False
    """Whether the client must act before the model can go on."""


class ToolLoop:
    """The rounds of one answer. In each, the language model writes text or calls tools.

    Args:
        generate: Starts a round.
        complete: Returns the end of the answer as it is sent: with verified citations and notes.
        prepare: Runs before the first round: lists the tools of servers, runs approved calls, or searches. It may
            add to the conversation. None: there is nothing to prepare.
    """

    def __init__(
        self,
        conversation: ToolConversation,
        budget: Budget,
        generate: Generate,
        complete: Callable[[Done], Awaitable[Done]],
        prepare: Callable[[], Steps] | None = None,
    ) -> None:
        self._conversation = conversation
        self._budget = budget
        self._generate = generate
        self._complete = complete
        self._prepare = prepare
        self._forwarded = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ResponseSource]:
        """The events of the response. Entering starts the first round, unless something must be prepared before it: it
        raises what can still be sent as an HTTP status. Leaving it stops the language model.
        """
        async with AsyncExitStack() as outer:
            first_round = await outer.enter_async_context(AsyncExitStack())
            answer = None if self._prepare else await self._start(first_round, RoundKind(is_first=True))
            yield await outer.enter_async_context(aclosing(self._events(first_round, answer)))

    async def _start(self, stack: AsyncExitStack, kind: RoundKind) -> AnswerStream:
        source = self._generate(self._conversation.messages, kind, self._budget.tokens_left)
        return await stack.enter_async_context(source)

    async def _events(self, stack: AsyncExitStack, answer: AnswerStream | None) -> Steps:
        if self._prepare is not None:
            async with aclosing(self._prepare()) as steps:
                async for step in steps:
                    yield step
        kind = RoundKind(is_first=True, is_last=self._prepare is not None and self._budget.must_answer)
        while True:
            written = self._round(kind)
            async with stack:
                answer = answer or await self._start(stack, kind)
                async for event in answer:
                    for sent in self._sent(written, event):
                        yield sent
            self._forwarded = written.forwarded
            if (done := written.done) is None:
                return  # whoever sends the events reports that the answer is incomplete
            outcome = _Outcome()
            async with aclosing(self._handled(written, done, outcome)) as handled:
                async for step in handled:
                    yield step
            if not outcome.outputs or outcome.ends or kind.is_last:
                break
            self._add(written, outcome)
            if not self._budget.tokens_left:
                done = _cut(done)
                break
            answer, stack, kind = None, AsyncExitStack(), RoundKind(is_last=self._budget.must_answer)
        yield self._budget.usage
        yield await self._complete(_with_end(done, written, outcome))

    def _round(self, kind: RoundKind) -> Round:
        tools = {} if kind.is_last else self._conversation.tools
        functions = frozenset(self._conversation.functions)
        return Round(tools, functions, may_run=self._budget.may_call, forwarded=self._forwarded)

    def _sent(self, written: Round, event: SourceEvent) -> Sequence[SourceEvent]:
        """The part of the model's events that can be sent at once."""
        match event:
            case ReasoningDelta():
                return written.think(event)
            case TextDelta():
                return list(written.read(event))
            case Usage():
                self._budget.spend(event)
            case Done():
                written.done = event
        return ()

    async def _handled(self, written: Round, done: Done, outcome: _Outcome) -> Steps:
        """Runs the calls of the round in their order, and sends what was held back."""
        is_cut = done.finish_reason in CUT
        if written.held and any(written.text):
            yield MessageEnded([each for each in done.citations if each.end <= written.sent])
        waiting = sum(isinstance(held, ModelCall) and written.is_service_call(held) for held in written.held)
        for held in written.held:
            if isinstance(held, TextDelta):
                yield held
            elif not written.is_service_call(held):
                yield written.function_call(held)
            elif not is_cut:  # a call that was cut is not run
                async with aclosing(self._run(held, self._budget.room // waiting)) as steps:
                    async for step in steps:
                        if isinstance(step, ToolOutput):
                            self._budget.add(step.tokens)
                            outcome.outputs.append({"role": "tool", "tool_call_id": held.id, "content": step.text})
                        elif isinstance(step, ApprovalPending):
                            outcome.ends = True
                        else:
                            yield step
                waiting -= 1
        outcome.ends |= any(not written.is_service_call(call) for call in written.calls)

    async def _run(self, call: ModelCall, max_tokens: int) -> AsyncGenerator[ToolEvent, None]:
        tool = self._conversation.tools.get(call.name)
        if tool is None:
            yield _UNKNOWN
            return
        if not self._budget.may_call:
            yield _NOT_RUN
            return
        self._budget.calls += 1
        async with aclosing(tool.run(call, max_tokens)) as steps:
            async for step in steps:
                yield step

    def _add(self, written: Round, outcome: _Outcome) -> None:
        """Adds the round to the conversation."""
        if self._budget.must_answer:
            last = outcome.outputs[-1]
            outcome.outputs[-1] = {**last, "content": last["content"] + ANSWER_NOW}
        calls = [call.for_model() for call in written.calls]
        self._conversation.messages += [
            {"role": "assistant", "content": "".join(written.text), "tool_calls": calls, **written.thought},
            *outcome.outputs,
        ]


def _cut(done: Done) -> Done:
    """The end of a response whose tokens are used up before the answer."""
    return replace(done, texts=(CompletedText("", "length"),))


def _with_end(done: Done, written: Round, outcome: _Outcome) -> Done:
    if not outcome.ends:
        return done
    text = replace(done.texts[0], finish_reason=_TOOL_CALLS)
    # The citations of a message before the calls have been sent with it.
    return replace(done, texts=(replace(text, citations=()) if written.held else text,))
