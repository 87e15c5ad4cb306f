"""What the language model writes in one round: text, and calls of functions and of tools that the service runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rag.generate.events import Done
from rag.http.v1.responses.output.output_items import ItemStep
from rag.http.v1.responses.tools.tool import ModelCall, ServiceTool
from rag.types import REASONING, JsonMapping, JsonObject, ReasoningDelta, TextDelta

Held: TypeAlias = TextDelta | ModelCall


@dataclass(slots=True)
class Round:
    """Passes on what can be sent at once, and holds back the rest until the round has ended.

    An item must be complete before the next one begins, and the item of a call is only complete when the call has been
    run. So what follows such a call is held back. So are calls after text, because the citations of the text are only
    known at the end.

    Args:
        tools: Those that the service runs, by the names that the model knows.
        functions: Names of the client's functions.
        may_run: Whether tools may be run at all.
    """

    tools: Mapping[str, ServiceTool]
    functions: frozenset[str]
    may_run: bool
    forwarded: int = 0
    """Calls of the client's functions so far, in all rounds."""
    calls: list[ModelCall] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    sent: int = 0
    """Characters of text that were sent before anything was held back."""
    done: Done | None = None
    _by_index: dict[int, ModelCall] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    """Of calls of the client's functions, by their ids."""

    def think(self, delta: ReasoningDelta) -> Sequence[ReasoningDelta]:
        """What can be sent. Thinking after a call is only for the next round."""
        self.thoughts.append(delta.text)
        return () if self.held else (delta,)

    @property
    def thought(self) -> JsonObject:
        """The field of the assistant's message with what the model thought; empty if it did not."""
        return {REASONING: "".join(self.thoughts)} if self.thoughts else {}

    def read(self, delta: TextDelta) -> Iterator[TextDelta | ItemStep]:
        if delta.text or not delta.tool_calls:
            self.text.append(delta.text)
            text = TextDelta(delta.text, delta.index, delta.logprobs)
            if self.held:
                self.held.append(text)
            else:
                self.sent += len(delta.text)
                yield text
        for part in delta.tool_calls:
            yield from self._read_part(part)

    def _read_part(self, part: JsonMapping) -> Iterator[TextDelta | ItemStep]:
        function = part.get("function") or {}
        call = self._by_index.get(part["index"])
        is_new = call is None
        if call is None:
            call = ModelCall(part["id"], function.get("name") or "")
            self._by_index[part["index"]] = call
            self.calls.append(call)
        arguments = function.get("arguments") or ""
        call.parts.append(arguments)
        is_held = bool(self.held) or any(self.text)
        if self.is_service_call(call):
            yield from self._service_part(call, arguments, is_new=is_new, is_held=is_held)
        elif not is_held:
            yield self._function_part(call, arguments, is_new=is_new)
        elif is_new:
            self.held.append(call)

    def _service_part(self, call: ModelCall, arguments: str, *, is_new: bool, is_held: bool) -> Iterator[ItemStep]:
        tool = self.tools.get(call.name)
        if is_new:
            self.held.append(call)
            step = None if tool is None or is_held or not self.may_run else tool.begin(call)
            if step is not None:
                call.is_open = True
                yield step
        if call.is_open and arguments and tool is not None:
            yield tool.written(call, arguments)

    def is_service_call(self, call: ModelCall) -> bool:
        """Whether the service handles the call. It also does if there is no such function at all."""
        return call.name not in self.functions

    def function_call(self, call: ModelCall) -> TextDelta:
        """A call of the client's function as a whole, with its number among all of them."""
        return self._function_part(call, call.arguments, is_new=True)

    def _function_part(self, call: ModelCall, arguments: str, *, is_new: bool) -> TextDelta:
        if is_new:
            self._positions[call.id] = self.forwarded
            self.forwarded += 1
            function = {"name": call.name, "arguments": arguments}
            part = {"index": self._positions[call.id], "id": call.id, "type": "function", "function": function}
            return TextDelta("", tool_calls=(part,))
        part = {"index": self._positions[call.id], "function": {"arguments": arguments}}
        return TextDelta("", tool_calls=(part,))
