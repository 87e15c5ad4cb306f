"""The headers of tables: Markdown tables, and long rows that are written as `- Name: value; Name: value`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.chunkers.headers.header import Header
from rag.chunkers.headers.line import Line

_MAX_CAPTION_CHARS = 200
_ROW = re.compile(r"[ \t]*\|.*")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_EMPTY_FIRST_CELL = re.compile(r"[ \t]*\|[ \t]*\|")
_MAX_HEADER_ROWS = 4
_RECORD_LINE = re.compile(r"- ([^:;\n]{1,80}: [^;\n]{1,120}); [^:;\n]{1,80}: ")
_MIN_RECORDS = 2
_LONG_LINE_CHARS = 200
"""Shorter lines are seldom cut."""


def table_headers(lines: list[Line]) -> Iterator[Header]:
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
            if caption := caption_above(lines, position - 2):
                yield Header(caption.start, end, caption.text.strip())
        position = last + 1


def _first_row(lines: list[Line], position: int, last: int) -> int:
    """The first row with values: those above it with an empty first cell, such as `| | 2019 | 2018 |`, are names."""
    end = min(position + _MAX_HEADER_ROWS - 1, last)
    return next((n for n in range(position, end) if not _EMPTY_FIRST_CELL.match(lines[n].text)), end)


def _is_row(line: str) -> bool:
    return bool(_ROW.match(line)) or ("|" in line.strip("| ") and not line.isspace())


def record_captions(lines: list[Line]) -> Iterator[Header]:
    """The caption of each table whose rows are written as `- Name: value; Name: value`."""
    position = 0
    while position < len(lines):
        last = position
        while last < len(lines) and _RECORD_LINE.match(lines[last].text):
            last += 1
        if last - position >= _MIN_RECORDS and (caption := caption_above(lines, position - 1)):
            yield Header(caption.start, lines[last - 1].end, caption.text.strip())
        position = max(last, position + 1)


def caption_above(lines: list[Line], position: int) -> Line | None:
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


def row_keys(lines: list[Line]) -> Iterator[Header]:
    """The first cell of each long row that is written as `- Name: value; Name: value`."""
    for line in lines:
        if len(line.text) > _LONG_LINE_CHARS and (match := _RECORD_LINE.match(line.text)):
            yield Header(line.start, line.end, f"- {match[1]}")
