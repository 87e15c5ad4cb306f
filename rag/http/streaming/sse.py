"""Server-sent events: `format_event` writes what `EventParser` reads."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field

from rag.types import JsonObject

KEEP_ALIVE = b": keep-alive\n\n"


def format_event(event: str, data: JsonObject) -> bytes:
    """One event with one line of data. It is ASCII, so no proxy can split a character (docs/bentoml_issues.md#b4)."""
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


@dataclass(slots=True)
class EventParser:
    """An incremental parser of server-sent events; the bytes may be split anywhere.

    As in the WHATWG standard, an event without data is ignored, and one without a name is a `message`.
    """

    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _rest: str = ""
    _event: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events, as (name, data), that `chunk` completes."""
        events: list[tuple[str, str]] = []
        for line in self._lines(self._decoder.decode(chunk)):
            if line:
                self._field(line)
            elif event := self._complete():
                events.append(event)
        return events

    def _lines(self, text: str) -> list[str]:
        """The complete lines. A `\\r` at the end is held back: its `\\n` may be in the next chunk."""
        text = self._rest + text
        held = "\r" if text.endswith("\r") else ""
        body = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        *lines, last = body.split("\n")
        self._rest = last + held
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)

    def _complete(self) -> tuple[str, str] | None:
        event = (self._event or "message", "\n".join(self._data)) if self._data else None
        self._event, self._data = "", []
        return event
