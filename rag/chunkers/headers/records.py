"""The headers of records in text that was read from JSON: the fields that tell which record it is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.chunkers.headers.header import Header
from rag.chunkers.headers.line import Line, lines_of

JSON_PATH = re.compile(r"(?P<path>[^\s:](?:[^:\n]|:(?! )){0,299}): ")
"""The beginning of a line that was read from JSON: where its value stands."""
_LIST_INDEX = re.compile(r"\[\d+\]")
_IDENTITY = frozenset(
    {
        *("id", "_id", "uid", "uuid", "key", "code", "sku", "name", "title", "label"),
        *("number", "no", "ref", "reference", "slug", "symbol", "email", "isbn", "doi"),
    }
)
"""Names of the fields that tell which record it is."""
_MAX_IDENTITY_LINES = 3
_MAX_IDENTITY_CHARS = 200


@dataclass(slots=True)
class _Record:
    start: int
    end: int
    path: str
    first: str = ""
    identity: list[str] = field(default_factory=list)

    def add(self, line: Line, name: str) -> None:
        """Add a line, whose value has this name in the record; values of records inside it do not identify it."""
        if "[" in name:
            return
        text = line.text[:_MAX_IDENTITY_CHARS]
        self.first = self.first or text
        if name.casefold().rpartition(".")[2] in _IDENTITY and len(self.identity) < _MAX_IDENTITY_LINES:
            self.identity.append(text)

    def header(self) -> Header:
        return Header(self.start, self.end, "\n".join(self.identity) or self.first, is_record=True)


def json_headers(text: str) -> Iterator[Header]:
    """The identity of each record: an object in a list, or a line of a JSON Lines file."""
    for block in _blocks(text):
        yield from (header for header in _record_headers(block) if header.text)


def _blocks(text: str) -> Iterator[list[Line]]:
    """The lines between empty lines."""
    for is_blank, lines in itertools.groupby(lines_of(text), key=lambda line: not line.text.strip()):
        if not is_blank:
            yield list(lines)


def _record_headers(block: list[Line]) -> Iterator[Header]:
    records: dict[str, _Record] = {}
    current: list[_Record] = []
    """The records that the line is in, outermost first. Further lines of a value belong to them as well."""
    first = JSON_PATH.match(block[0].text)
    in_list = bool(first and _LIST_INDEX.search(first["path"]))
    for line in block:
        if match := JSON_PATH.match(line.text):
            current = []
            for path in _record_paths(match["path"], in_list=in_list):
                record = records.setdefault(path, _Record(line.start, line.end, path))
                record.add(line, match["path"][len(path) :].lstrip("."))
                current.append(record)
        for record in current:
            record.end = line.end
    return (record.header() for record in records.values())


def _record_paths(path: str, *, in_list: bool) -> Iterator[str]:
    """The paths of the records that hold a value: the whole block, unless that is in a list, and objects in lists."""
    if not in_list:
        yield ""
    for found in _LIST_INDEX.finditer(path):
        if found.end() < len(path):
            yield path[: found.end()]
