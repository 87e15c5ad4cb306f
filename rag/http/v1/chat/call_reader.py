"""Function calls in what a language model writes, told while it writes them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rag.http.v1.chat.tool_choice import ToolUse
from rag.types import JsonObject

_BLANK = " \t\r\n"


class CallReader(Protocol):
    """Takes the text of one choice as it comes."""

    def feed(self, text: str) -> Sequence[JsonObject]:
        """Parts of calls, as OpenAI's API streams them."""
        ...


def call_reader(use: ToolUse) -> CallReader | None:
    """None where the text is text, or the language model's own parser tells the calls."""
    if use.calling == "named":
        return NamedCall(use.name)
    return CallList() if use.calling == "required" else None


def new_call(index: int, name: str, arguments: str = "") -> JsonObject:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


def more_arguments(index: int, arguments: str) -> JsonObject:
    return {"index": index, "function": {"arguments": arguments}}


class NamedCall:
    """All that is written is the arguments of one function."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = False

    def feed(self, text: str) -> Sequence[JsonObject]:
        begin = [] if self._begun else [new_call(0, self._name)]
        self._begun = True
        return [*begin, more_arguments(0, text)] if text else begin


@dataclass(slots=True)
class CallList:
    """What is written is `[{"name": ..., "parameters": {...}}, ...]`, as a schema makes sure.

    The parameters are passed on as they come, letter by letter as the model writes them.
    """

    _depth: int = 0
    _quoted: bool = False
    _escaped: bool = False
    _key: str | None = None
    """Of the value that is being read; None: a key is."""
    _read: list[str] = field(default_factory=list)
    _index: int = -1
    _name: str | None = None
    _arguments: list[str] = field(default_factory=list)
    """Not passed on yet."""
    _parts: list[JsonObject] = field(default_factory=list)

    def feed(self, text: str) -> Sequence[JsonObject]:
        for char in text:
            self._take(char)
        self._flush()
        parts, self._parts = self._parts, []
        return parts

    def _take(self, char: str) -> None:
        if self._quoted:
            self._take_quoted(char)
        elif char == '"':
            self._quoted = True
            self._keep(char)
        elif char in "{[":
            self._depth += 1
            self._begin_call() if self._depth == 2 else self._keep(char)
        elif char in "}]":
            self._end_value() if self._depth == 2 else self._keep(char)
            self._depth -= 1
        elif self._depth == 2 and char == ":":
            self._key, self._read = json.loads("".join(self._read)), []
        elif self._depth == 2 and char == ",":
            self._end_value()
        elif self._depth > 2 or char not in _BLANK:
            self._keep(char)

    def _take_quoted(self, char: str) -> None:
        self._keep(char)
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = False

    def _keep(self, char: str) -> None:
        if self._depth >= 2:
            (self._arguments if self._key == "parameters" else self._read).append(char)

    def _begin_call(self) -> None:
        self._flush()
        self._index, self._name, self._key, self._read, self._arguments = self._index + 1, None, None, [], []

    def _end_value(self) -> None:
        if self._key == "name":
            name = json.loads("".join(self._read))
            self._name = name
            self._parts.append(new_call(self._index, name))
        self._key, self._read = None, []

    def _flush(self) -> None:
        """Arguments wait for the name, should it come behind them."""
        if self._name is not None and self._arguments:
            self._parts.append(more_arguments(self._index, "".join(self._arguments)))
            self._arguments = []
