"""Function calls as part of the text, in our own format, for models whose format no parser of vLLM knows.

A call is a block of code:

    ```tool_call
    {"name": "add", "arguments": {"a": 1, "b": 2}}
    ```

A system message tells the model so. A grammar allows any text, but after the first line of such a block only a valid
call.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

from rag.http.v1.function_calling.call_reader import CallList, ReadText
from rag.types import JsonMapping, JsonObject

_BEGIN, _END = "```tool_call\n", "\n```"
"""In JSON, a line break is never part of a text, so the end cannot be part of a call."""
_INSTRUCTIONS = """You have these functions:

{functions}

To call a function, answer only with its name and arguments in this form:

{example}

Call a function only if the request needs it. Otherwise answer the request in plain words."""
_SYSTEM = "You are a helpful assistant."
"""Precedes the instructions if the conversation has no system message."""


def call_or_text(tools: Iterable[JsonMapping]) -> JsonObject:
    """vLLM's `structured_outputs`: any text, in which blocks of code that begin as calls are valid calls."""
    structures = [_structure(tool["function"]) for tool in tools]
    return {"structural_tag": {"structures": structures, "triggers": [_BEGIN.rstrip()]}}


def _structure(function: JsonMapping) -> JsonObject:
    begin = f'{_BEGIN}{{"name": {json.dumps(function["name"])}, "arguments": '
    return {"begin": begin, "schema": function.get("parameters") or {"type": "object"}, "end": f"}}{_END}"}


def described(tools: Sequence[JsonMapping]) -> str:
    """The functions, one in each line."""
    return "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)


def written_messages(messages: Sequence[JsonObject], tools: Sequence[JsonMapping]) -> list[JsonObject]:
    """The conversation with the instructions, and with calls and their outputs as texts."""
    example = _block({"name": tools[0]["function"]["name"], "arguments": "{...}"})
    rest = list(messages)
    system = rest.pop(0)["content"] if rest and rest[0]["role"] == "system" else _SYSTEM
    instructions = _INSTRUCTIONS.format(functions=described(tools), example=example)
    return [{"role": "system", "content": f"{system}\n\n{instructions}"}, *plain_messages(rest)]


def plain_messages(messages: Sequence[JsonObject]) -> list[JsonObject]:
    """The conversation with calls and their outputs as texts."""
    written: list[JsonObject] = []
    for is_output, group in itertools.groupby(messages, key=lambda message: message["role"] == "tool"):
        if is_output:  # one message, because some chat templates refuse two of the user in a row
            outputs = [f"The function returned:\n{message['content']}" for message in group]
            written.append({"role": "user", "content": "\n\n".join(outputs)})
        else:
            written += [_without_calls(message) for message in group]
    return written


def _without_calls(message: JsonObject) -> JsonObject:
    blocks = [_block(call["function"]) for call in message.get("tool_calls", ())]
    if not blocks:
        return {"role": message["role"], "content": message["content"]}
    return {"role": message["role"], "content": "\n".join(filter(None, (message["content"], *blocks)))}


def _block(call: JsonMapping) -> str:
    return f'{_BEGIN}{{"name": {json.dumps(call["name"])}, "arguments": {call["arguments"] or "{}"}}}{_END}'


class WrittenCalls:
    """A `CallReader` of text that contains calls."""

    def __init__(self) -> None:
        self._calls = CallList(arguments_key="arguments")
        self._calls.feed("[")
        self._is_call = False
        self._has_calls = False
        self._pending = ""
        """The end of the text, as far as it may be the beginning of a mark, or space before a call."""

    def feed(self, text: str) -> ReadText:
        self._pending += text
        texts: list[str] = []
        calls: list[JsonObject] = []
        while (mark := _END if self._is_call else _BEGIN) in self._pending:
            before, _, self._pending = self._pending.partition(mark)
            if self._is_call:
                calls += self._calls.feed(before).calls
            else:
                texts.append(before.rstrip())
            self._is_call, self._has_calls = not self._is_call, True
        length = self._safe_length(mark)
        safe, self._pending = self._pending[:length], self._pending[length:]
        if self._is_call:
            calls += self._calls.feed(safe).calls
        else:
            texts.append(safe)
        return ReadText("".join(texts), tuple(calls))

    def close(self) -> ReadText:
        if self._is_call:
            return self._calls.feed(self._pending)
        return ReadText(self._pending.rstrip() if self._has_calls else self._pending)

    def _safe_length(self, mark: str) -> int:
        """How many of the pending characters can be passed on. The rest may be the beginning of the mark, or white
        space before a call.
        """
        longest = min(len(mark) - 1, len(self._pending))
        partial = next((size for size in range(longest, 0, -1) if self._pending.endswith(mark[:size])), 0)
        length = len(self._pending) - partial
        return length if self._is_call else len(self._pending[:length].rstrip())
