"""The headers of lists: the lines that introduce them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.chunkers.headers.header import Header
from rag.chunkers.headers.line import Line

_MAX_LEAD_CHARS = 200
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]")


def list_headers(lines: list[Line]) -> Iterator[Header]:
    """The line that introduces a list: it ends with a colon."""
    position = 0
    while position < len(lines):
        lead = lines[position]
        position += 1
        text = lead.text.strip()
        if not text.endswith((":", "：")) or len(text) > _MAX_LEAD_CHARS or _ITEM.match(lead.text):
            continue
        first = position + (position < len(lines) and not lines[position].text.strip())
        last = _list_end(lines, first)
        if last > first:
            yield Header(lead.start, lines[last - 1].end, text)
            position = last


def _list_end(lines: list[Line], first: int) -> int:
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
