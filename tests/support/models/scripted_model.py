"""A language model that follows a script: in each round it writes a text, or calls functions."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, TypeAlias

from rag.http.v1.function_calling.written_calls import plain_messages
from rag.ports import TokenStream
from rag.types import (
    Chat,
    JsonMapping,
    JsonObject,
    ModelInput,
    ReasoningDelta,
    SamplingParameters,
    StreamEnd,
    StreamItem,
    TextDelta,
    Usage,
)
from tests.fakes import FakeGenerator

Call: TypeAlias = tuple[str, JsonMapping | str]
"""The name of a function and its arguments."""
Turn: TypeAlias = str | Sequence[Call | str]
"""A text, or texts and calls in their order."""


ENDLESS = "..."
"""A text that is never complete."""


def searching(*queries: str) -> list[Call]:
    return [("file_search", {"queries": list(queries)})]


class ScriptedModel(FakeGenerator):
    """Args:
    turns: One for each request; the last one is repeated.
    is_written: Whether it writes calls as blocks of code, as a model without a parser does.
    prompt_tokens: Reported for each request.
    thinks: What it thinks at the beginning of each round.
    """

    def __init__(
        self, *turns: Turn, is_written: bool = False, prompt_tokens: int = 10, thinks: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._turns = list(turns)
        self._is_written = is_written
        self._prompt_tokens = prompt_tokens
        self._thinks = thinks
        self.chats: list[Chat] = []
        self.sampling: list[SamplingParameters] = []

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        assert isinstance(prompt, Chat)
        turn = self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]
        self.chats.append(prompt)
        if not (prompt.tools or self._is_written or sampling.get("structured_outputs") or isinstance(turn, str)):
            turn = "I must answer."
        self.sampling.append(sampling)
        self.running += 1
        try:
            async with contextlib.aclosing(self._deltas_of(turn, sampling)) as deltas:
                yield deltas
        finally:
            self.running -= 1

    async def _deltas_of(self, turn: Turn, sampling: SamplingParameters) -> AsyncGenerator[StreamItem, None]:
        words, number = len(self._thinks), 0
        for word in self._thinks:
            yield ReasoningDelta(word)
        if turn == ENDLESS:
            yield TextDelta("Well, ")
            await asyncio.Event().wait()
        for part in [turn] if isinstance(turn, str) else turn:
            for delta in self._part(part, number):
                if words == sampling.get("max_tokens"):
                    yield StreamEnd("length", Usage(self._prompt_tokens, words))
                    return
                words += 1
                yield delta
            number += not isinstance(part, str)
        yield StreamEnd("stop", Usage(self._prompt_tokens, words, reasoning_tokens=len(self._thinks)))

    def _part(self, part: Call | str, number: int) -> list[TextDelta]:
        if isinstance(part, str):
            return [TextDelta(word) for word in part.split(" ") for word in (f"{word} ",)]
        name, given = part
        arguments = given if isinstance(given, str) else json.dumps(given)
        if self._is_written:
            call: JsonObject = {"function": {"name": name, "arguments": arguments}}
            block = plain_messages([{"role": "assistant", "content": "", "tool_calls": [call]}])[0]["content"]
            return [TextDelta(f"{line}\n") for line in block.split("\n")]
        half = len(arguments) // 2
        first: Any = {"index": number, "id": f"call_{len(self.chats)}_{number}", "type": "function"}
        return [
            TextDelta("", tool_calls=({**first, "function": {"name": name, "arguments": arguments[:half]}},)),
            TextDelta("", tool_calls=({"index": number, "function": {"arguments": arguments[half:]}},)),
        ]
