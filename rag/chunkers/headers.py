"""Finds what a passage depends on if it begins inside a table, a list or a record: the words that stand above it.

A passage that holds only the row `| PX-037 | pump | 230 |` means little without the table's column names, and the line
`pressure: 4 bar` of a JSON file belongs to nothing without the record's key.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rag.types import Extract

_MAX_CHARS = 1_000
"""Longest header of a table; of a wider one, no more than this."""
_MAX_CAPTION_CHARS = 200
_ROW = re.compile(r"[ \t]*\|.*")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_EMPTY_FIRST_CELL = re.compile(r"[ \t]*\|[ \t]*\|")
_MAX_HEADER_ROWS = 4
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]")
_RECORD_LINE = re.compile(r"- ([^:;\n]{1,80}: [^;\n]{1,120}); [^:;\n]{1,80}: ")
_LONG_LINE_CHARS = 200
"""Shorter lines are seldom cut."""
_JSON_TYPES = ("application/json", "application/jsonl")
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


@dataclass(frozen=True, slots=True)
class Header:
    """Text that a passage needs if it begins after `start` and before `end`. Offsets are those of the document."""

    start: int
    end: int
    text: str
    is_record: bool = False


class Headers:
    """The headers of a document. Those of nested records are nested as well."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self._headers = sorted(headers, key=lambda header: (header.start, -header.end))
        self._parents: list[int] = []
        open_headers: list[int] = []
        for number, header in enumerate(self._headers):
            while open_headers and self._headers[open_headers[-1]].end <= header.start:
                open_headers.pop()
            self._parents.append(open_headers[-1] if open_headers else -1)
            open_headers.append(number)

    def at(self, offset: int) -> str:
        """What a passage that begins at this offset depends on, outermost first; empty if it depends on nothing."""
        texts = list(dict.fromkeys(header.text for header in self._around(offset)))
        return "\n".join(reversed(texts))[:_MAX_CHARS]

    def split_at_records(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The spans, of which those that begin inside a record end with it: what follows is about something else."""
        for start, end in spans:
            while (record_end := self._record_end(start)) and record_end < end:
                yield start, record_end
                start = record_end
            yield start, end

    def _record_end(self, offset: int) -> int | None:
        return next((header.end for header in self._around(offset) if header.is_record), None)

    def _around(self, offset: int) -> Iterator[Header]:
        """The headers that something at this offset needs, innermost first."""
        number = bisect.bisect_left(self._headers, offset, key=lambda header: header.start) - 1
        while number >= 0:
            header = self._headers[number]
            if offset < header.end:
                yield header
            number = self._parents[number]


def record_headers(text: str) -> Headers:
    """The keys of the records in text that was read from JSON."""
    return Headers(_json_headers(text))


def headers_of(extract: Extract) -> Headers:
    """The headers of tables, lists and records, found in the text as readers write it."""
    if extract.media_type in _JSON_TYPES:
        return record_headers(extract.text)
    lines = list(_lines(extract.text))
    return Headers(itertools.chain(_table_headers(lines), _list_headers(lines), _row_keys(lines)))


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        yield _Line(start, line)
        start += len(line) + 1


def _table_headers(lines: list[_Line]) -> Iterator[Header]:
    """The column names of each Markdown table, and its caption: a short line directly above it."""
    position = 1
    while position < len(lines):
        names, rule = lines[position - 1], lines[position]
        if not (_is_row(names.text) and "-" in rule.text and "|" in rule.text and _RULE.fullmatch(rule.text)):
            position += 1
            continue
        last = position
        while last + 1 < len(lines) and _is_row(lines[last + 1].text):
            last += 1
        if last > position:
            end = lines[last].end
            first = _first_row(lines, position + 1, last)
            rows = "\n".join(line.text.strip() for line in lines[position - 1 : first])
            yield Header(names.start, end, rows)
            if caption := _caption(lines, position - 2):
                yield Header(caption.start, end, caption.text.strip())
        position = last + 1


def _first_row(lines: list[_Line], position: int, last: int) -> int:
    """The first row with values: those above it with an empty first cell, such as `| | 2019 | 2018 |`, are names."""
    end = min(position + _MAX_HEADER_ROWS - 1, last)
    return next((n for n in range(position, end) if not _EMPTY_FIRST_CELL.match(lines[n].text)), end)


def _is_row(line: str) -> bool:
    return bool(_ROW.match(line)) or ("|" in line.strip("| ") and not line.isspace())


def _caption(lines: list[_Line], position: int) -> _Line | None:
    """The line above a table, or above an empty line above it, if it looks like a caption."""
    if position > 0 and not lines[position].text.strip():
        position -= 1
    if position < 0:
        return None
    line = lines[position]
    text = line.text.strip()
    stands_alone = position == 0 or not lines[position - 1].text.strip()
    is_caption = text and stands_alone and len(text) <= _MAX_CAPTION_CHARS and not text.startswith(("#", "|", "```"))
    return line if is_caption else None


def _list_headers(lines: list[_Line]) -> Iterator[Header]:
    """The line that introduces a list: it ends with a colon."""
    position = 0
    while position < len(lines):
        lead = lines[position]
        position += 1
        text = lead.text.strip()
        if not text.endswith((":", "：")) or len(text) > _MAX_CAPTION_CHARS or _ITEM.match(lead.text):
            continue
        first = position + (position < len(lines) and not lines[position].text.strip())
        last = _list_end(lines, first)
        if last > first:
            yield Header(lead.start, lines[last - 1].end, text)
            position = last


def _list_end(lines: list[_Line], first: int) -> int:
    """The index after the last line of the list that begins at `first`; `first` if there is none."""
    position = end = first
    while position < len(lines):
        text = lines[position].text
        if _ITEM.match(text) or (position > first and text.startswith((" ", "\t")) and text.strip()):
            end = position + 1
        elif text.strip() or position == first:
            break
        position += 1
    return end


def _row_keys(lines: list[_Line]) -> Iterator[Header]:
    """The first cell of each long row that is written as `- Name: value; Name: value`."""
    for line in lines:
        if len(line.text) > _LONG_LINE_CHARS and (match := _RECORD_LINE.match(line.text)):
            yield Header(line.start, line.end, f"- {match[1]}")


@dataclass(slots=True)
class _Record:
    start: int
    end: int
    path: str
    first: str = ""
    identity: list[str] = field(default_factory=list)

    def add(self, line: _Line, name: str) -> None:
        """Add a line, whose value has this name in the record; values of records inside it do not identify it."""
        if "[" in name:
            return
        text = line.text[:_MAX_IDENTITY_CHARS]
        self.first = self.first or text
        if name.casefold().rpartition(".")[2] in _IDENTITY and len(self.identity) < _MAX_IDENTITY_LINES:
            self.identity.append(text)

    def header(self) -> Header:
        return Header(self.start, self.end, "\n".join(self.identity) or self.first, is_record=True)


def _json_headers(text: str) -> Iterator[Header]:
    """The identity of each record: an object in a list, or a line of a JSON Lines file."""
    for block in _blocks(text):
        yield from (header for header in _record_headers(block) if header.text)


def _blocks(text: str) -> Iterator[list[_Line]]:
    """The lines between empty lines."""
    for is_blank, lines in itertools.groupby(_lines(text), key=lambda line: not line.text.strip()):
        if not is_blank:
            yield list(lines)


def _record_headers(block: list[_Line]) -> Iterator[Header]:
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
