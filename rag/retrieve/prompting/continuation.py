"""Tells which successive chunks hold parts of the same table, list or record."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rag.chunkers.headers import JSON_PATH
from rag.types import Chunk

_NAMED_ROW = re.compile(r"- [^:;\n]{1,80}: ")
"""The beginning of a row as readers write it: `- City: Berlin; Inhabitants: 3,700,000`."""
_CELLS = re.compile(r"[ \t]*\||.*\S \| \S")
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]")
_MAY_GO_ON = re.compile(rf"{_CELLS.pattern}|{_ITEM.pattern}|[ \t]+\S|.*[:：]$")
"""The last line of a chunk after which a table or list may continue."""


def may_be_part(chunk: Chunk) -> bool:
    """Whether a chunk may be a part of a table, list or record of which its neighbours hold other parts."""
    first, last = chunk.text.partition("\n")[0], chunk.text.rpartition("\n")[2]
    return bool(chunk.header or JSON_PATH.match(first) or _NAMED_ROW.match(first) or _MAY_GO_ON.match(last))


def shared_table(before: Chunk, after: Chunk) -> str:
    """Identifies the table, list or record that continues from a chunk to the next one; empty if none does."""
    if after.header:
        outermost = after.header.partition("\n")[0]
        return _row_name([outermost]) or outermost
    if before.heading != after.heading or after.start - before.end > 1:  # an empty line ends a table
        return ""
    above, below = _lines(before), after.text.split("\n")
    if name := _row_name(below):
        return name if name == _row_name(reversed(above)) else ""
    return "|" if _CELLS.match(above[-1]) and _CELLS.match(below[0]) else ""


def begins_in_row(chunk: Chunk) -> bool:
    """Whether it begins inside a long row, `- City: Berlin; ...`, which is in the header by its first cell."""
    return bool(_NAMED_ROW.match(chunk.header.rpartition("\n")[2]))


def begins_with_row(chunk: Chunk) -> bool:
    """Whether its first line looks like the beginning of a row or of a list item."""
    return bool(_CELLS.match(chunk.text) or _ITEM.match(chunk.text))


def _lines(chunk: Chunk) -> list[str]:
    lines = chunk.text.split("\n")
    return [chunk.header.rpartition("\n")[2], *lines[1:]] if begins_in_row(chunk) else lines


def _row_name(lines: Iterable[str]) -> str:
    """The name of the first column, from the first of the lines that has it; the titles of groups of rows have none."""
    for line in lines:
        if match := _NAMED_ROW.match(line):
            return match[0]
        if not line.startswith("- "):
            break
    return ""
