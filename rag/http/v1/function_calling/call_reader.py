"""Incremental parsers that find function calls in text while the model writes it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Protocol

from rag.types import JsonObject

_WHITESPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class ReadText:
    """What was found in new text."""

    text: str = ""
    """Text that is not part of a call."""
    calls: tuple[JsonObject, ...] = ()
    """Parts of calls, as OpenAI's API streams them."""


class CallReader(Protocol):
    """Parses the text of one choice."""

    def feed(self, text: str) -> ReadText: ...

    def close(self) -> ReadText:
        """What was held back at the end of the text."""
        ...


def new_call(index: int, name: str, arguments: str = "") -> JsonObject:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


def more_arguments(index: int, arguments: str) -> JsonObject:
    return {"index": index, "function": {"arguments": arguments}}


class NamedCall:
    """The whole text is the JSON arguments of the function that `tool_choice` names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._has_started = False

    def feed(self, text: str) -> ReadText:
        start = () if self._has_started else (new_call(0, self._name),)
        self._has_started = True
        return ReadText(calls=(*start, more_arguments(0, text)) if text else start)

    def close(self) -> ReadText:
        return ReadText()


@dataclass(slots=True)
class CallList:
    """The text is `[{"name": ..., "parameters": {...}}, ...]`; structured output guarantees that.

    The parameters are passed on exactly as written, as soon as the model writes them.
    """

    arguments_key: str = "parameters"
    _depth: int = 0
    _quoted: bool = False
    _escaped: bool = False
    _key: str | None = None
    """Key of the value that is being read; None while reading a key."""
    _buffer: list[str] = field(default_factory=list)
    _index: int = -1
    _name: str | None = None
    _arguments: list[str] = field(default_factory=list)
    """Characters that have not been emitted yet."""
    _parts: list[JsonObject] = field(default_factory=list)

    def feed(self, text: str) -> ReadText:
        for char in text:
            self._read_char(char)
        self._flush()
        parts, self._parts = self._parts, []
        return ReadText(calls=tuple(parts))

    def close(self) -> ReadText:
        return ReadText()

    def _read_char(self, char: str) -> None:
        if self._quoted:
            self._read_quoted(char)
        elif char == '"':
            self._quoted = True
            self._append(char)
        elif char in "{[":
            self._depth += 1
            self._begin_call() if self._depth == 2 else self._append(char)
        elif char in "}]":
            self._end_value() if self._depth == 2 else self._append(char)
            self._depth -= 1
        elif self._depth == 2 and char == ":":
            self._key, self._buffer = json.loads("".join(self._buffer)), []
        elif self._depth == 2 and char == ",":
            self._end_value()
        elif self._depth > 2 or char not in _WHITESPACE:
            self._append(char)

    def _read_quoted(self, char: str) -> None:
        self._append(char)
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char == '"':
            self._quoted = False

    def _append(self, char: str) -> None:
        if self._depth >= 2:
            (self._arguments if self._key == self.arguments_key else self._buffer).append(char)

    def _begin_call(self) -> None:
        self._flush()
        self._index, self._name, self._key, self._buffer, self._arguments = self._index + 1, None, None, [], []

    def _end_value(self) -> None:
        if self._key == "name":
            name = json.loads("".join(self._buffer))
            self._name = name
            self._parts.append(new_call(self._index, name))
        self._key, self._buffer = None, []

    def _flush(self) -> None:
        """Passes the arguments on, once the name is known: it may follow them."""
        if self._name is not None and self._arguments:
            self._parts.append(more_arguments(self._index, "".join(self._arguments)))
            self._arguments = []
