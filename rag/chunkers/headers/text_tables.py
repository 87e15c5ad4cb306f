"""The headers of tables that are drawn with characters, as databases print them, and as RST and AsciiDoc have them.

PART     PRESSURE           id | name         +----+------+      |===
-------  --------          ----+------        | id | name |      |Name |Value
VX-001   2 bar               1 | Ada          +----+------+
                                              |  1 | Ada  |      |alpha |17 kPa
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.chunkers.headers.header import Header
from rag.chunkers.headers.line import Line
from rag.chunkers.headers.tables import caption_above

_RULE = re.compile(r"[ \t]*(?:[-=─]{2,}[ \t]+)+[-=─]{2,}[ \t]*|[ \t]*[+├]?(?:[-=─]{2,}[+┼])+(?:[-=─]{2,}[+┤]?)?[ \t]*")
_ASCIIDOC_BORDER = "|==="
_ASCIIDOC_ROW = re.compile(r"\|[^|]+\|")
_MAX_NAME_LINES = 4
_MAX_NAME_CHARS = 400
"""Of a line with column names."""


def text_table_headers(lines: list[Line]) -> Iterator[Header]:
    """The column names of each table, and its caption."""
    position = 0
    while position < len(lines):
        text = lines[position].text
        if text.strip() == _ASCIIDOC_BORDER:
            end, first, last = _asciidoc_table(lines, position)
        elif _RULE.fullmatch(text):
            end, first, last = _ruled_table(lines, position)
        else:
            position += 1
            continue
        if last > first and end > last:
            yield from _headers(lines, first, last, end)
        position = max(end, position + 1)


def _headers(lines: list[Line], first: int, last: int, end: int) -> Iterator[Header]:
    """The header of a table that ends before line `end` and has its column names in lines `first` to `last` - 1."""
    names = "\n".join(line.text.rstrip() for line in lines[first:last])
    yield Header(lines[first].start, lines[end - 1].end, names)
    top = first
    while top > 0 and (_RULE.fullmatch(lines[top - 1].text) or lines[top - 1].text.strip() == _ASCIIDOC_BORDER):
        top -= 1
    if caption := caption_above(lines, top - 1):
        yield Header(caption.start, lines[end - 1].end, caption.text.strip().removeprefix("."))


def _ruled_table(lines: list[Line], rule: int) -> tuple[int, int, int]:
    """Of a table with this first rule: the index after its last line, and the range of its lines of column names."""
    first = rule
    while first > 0 and rule - first < _MAX_NAME_LINES and _can_be_names(lines[first - 1].text):
        first -= 1
    last = rule
    if first == rule or (first > 0 and lines[first - 1].text.strip()):  # the rule is the upper border, or below prose
        first, last = rule + 1, _next_rule(lines, rule + 1)
    end = last + 1
    while end < len(lines) and lines[end].text.strip():
        end += 1
    return end, first, last


def _next_rule(lines: list[Line], first: int) -> int:
    """The index of the rule below the column names, which begin at line `first`; `first` if there is no rule."""
    for index in range(first, min(first + _MAX_NAME_LINES + 1, len(lines))):
        if _RULE.fullmatch(lines[index].text):
            return index
        if not _can_be_names(lines[index].text):
            break
    return first


def _can_be_names(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _MAX_NAME_CHARS and not _RULE.fullmatch(text)


def _asciidoc_table(lines: list[Line], border: int) -> tuple[int, int, int]:
    """The same of a table between two borders: its first line is the header if an empty line follows."""
    end = next((n for n in range(border + 1, len(lines)) if lines[n].text.strip() == _ASCIIDOC_BORDER), len(lines))
    first = next((n for n in range(border + 1, end) if lines[n].text.strip()), end)
    is_header = first + 1 < end and _ASCIIDOC_ROW.match(lines[first].text) and not lines[first + 1].text.strip()
    return end + 1 if end < len(lines) else end, first, first + 1 if is_header else first
