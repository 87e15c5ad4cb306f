"""Splits text that was read from JSON into units: a short record, or one value of a longer record with its key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.chunkers.headers import JSON_PATH, record_headers
from rag.chunkers.sentences import sentence_spans
from rag.retrieve.quoting.unit import Unit
from rag.retrieve.quoting.window import TextWindow

_MAX_RECORD_CHARS = 360
"""A record that is not longer is quoted as a whole."""
_MAX_VALUE_CHARS = 300
"""A longer value is split into sentences."""
_RECORD_PATH = re.compile(r".*\]\.(?=[^\]]*$)")


@dataclass(slots=True)
class _Value:
    """A line `path: value`, with the further lines of the value."""

    start: int
    key: tuple[str, ...]
    """The lines that identify its record."""
    lines: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether its beginning, with the path, is there."""
        return JSON_PATH.match(self.lines[0]) is not None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def record_units(window: TextWindow) -> list[Unit]:
    """The units of the window's text, in their order."""
    units: list[Unit] = []
    record: list[_Value] = []
    for value in _values(window.text, window.header_chars):
        if record and record[0].key != value.key:
            units += _units(record, window.start)
            record = []
        record.append(value)
    return units + _units(record, window.start)


def _values(text: str, header_chars: int) -> Iterator[_Value]:
    """The values below the window's header. The first one may lack its beginning, and its path."""
    headers = record_headers(text)
    value: _Value | None = None
    start = header_chars
    for line in text[header_chars:].split("\n"):
        if line.strip() and (value is None or JSON_PATH.match(line)):
            if value is not None:
                yield value
            value = _Value(start, tuple(filter(None, headers.at(start + 1).split("\n"))), [line])
        elif value is not None and line.strip():
            value.lines.append(line)
        start += len(line) + 1
    if value is not None:
        yield value


def _units(record: Sequence[_Value], offset: int) -> list[Unit]:
    if not record:
        return []
    key = record[0].key
    whole = _joined([*key, *(value.text for value in record)])
    if record[0].is_whole and len(whole) <= _MAX_RECORD_CHARS:
        return [Unit("record", whole, offset + record[0].start, offset + record[-1].end, whole)]
    return [unit for value in record if value.text not in key for unit in _value_units(value, offset)]


def _value_units(value: _Value, offset: int) -> Iterator[Unit]:
    if value.is_whole and len(value.text) <= _MAX_VALUE_CHARS:
        text = _joined([*value.key, value.text])
        yield Unit("record", text, offset + value.start, offset + value.end, text)
        return
    for start, end in sentence_spans(value.text):
        sentence = _joined([value.text[start:end]])
        yield Unit("sentence", sentence, offset + value.start + start, offset + value.start + end, sentence)


def _joined(lines: Sequence[str]) -> str:
    """Lines of a record on one line, each once, without the record's path."""
    return "; ".join(dict.fromkeys(_RECORD_PATH.sub("", " ".join(line.split()), count=1) for line in lines))
