"""Server-sent events, both ways: `format_event` writes what `EventParser` reads."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field

from rag.types import JsonObject

KEEP_ALIVE = b": keep-alive\n\n"


def format_event(event: str, data: JsonObject) -> bytes:
    """One event with one data line. ASCII only (docs/bentoml_issues.md#b4)."""
    return f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


@dataclass(slots=True)
class EventParser:
    """Takes bytes as they come, cut anywhere, and gives each event once its empty line has come.

    An event without data is dropped, one without a name is a `message`, as the WHATWG standard says.
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
        """Whole lines; a `\\r` at the end waits, for its `\\n` may be in the next chunk."""
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
