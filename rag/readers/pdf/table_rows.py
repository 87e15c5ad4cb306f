"""Marks the cells in the rows of tables: `Net sales | $ 81,797 | $ 82,959`.

A table is a run of at least three lines of two or more cells, with a strip without text through all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rag.readers.pdf.page_lines import Line

_MIN_ROWS = 3
_MIN_STRIP = 4.0
"""In points."""
_BORDER = " | "
_BEFORE_AMOUNT = re.compile(r"[$€£¥+\u2212-]|[(]?[$€£¥]|[A-Z]{1,3}\$")
_AFTER_AMOUNT = re.compile(r"[%)]+|[)%]*\s*\(\d{1,2}\)")
_LIST_MARK = re.compile(r"[^\w\s]|\(?\w{1,4}[.)]|.*:")
"""A cell that is no column of its own: the mark of a list item, or the label before a value."""


class _Strip(NamedTuple):
    left: float
    right: float


def with_cell_borders(lines: Sequence[Line]) -> list[Line]:
    """The lines of a page, with ` | ` between the cells of those that are table rows."""
    marked = list(lines)
    for first, end in _tables(lines):
        for index in range(first, end):
            if len(lines[index].segments) > 1:
                marked[index] = _row(lines[index])
    return marked


def _tables(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """The first line of each table, and the one after its last."""
    index = 0
    while index < len(lines):
        if len(lines[index].segments) < 2:
            index += 1
            continue
        end, rows = _table_end(lines, index)
        if rows >= _MIN_ROWS:
            yield index, end
            index = end
        else:
            index += 1


def _table_end(lines: Sequence[Line], first: int) -> tuple[int, int]:
    """Where the table that starts at a line ends, and the number of rows that have cells."""
    strips = _gaps(lines[first])
    rows, end = 1, first + 1
    for index in range(first + 1, len(lines)):
        line = lines[index]
        if not line.segments:
            break
        strips = _without_text(strips, line)
        if not strips:
            break
        if len(line.segments) > 1:
            rows, end = rows + 1, index + 1
    return end, rows


def _gaps(line: Line) -> list[_Strip]:
    boxes = sorted(segment.box for segment in line.segments)
    gaps = (_Strip(left.right, right.left) for left, right in pairwise(boxes))
    return [gap for gap in gaps if gap.right - gap.left >= _MIN_STRIP]


def _without_text(strips: Sequence[_Strip], line: Line) -> list[_Strip]:
    """What the line leaves of the strips."""
    for segment in line.segments:
        left, _, right, _ = segment.box
        parts = [
            part
            for strip in strips
            for part in (_Strip(strip.left, min(strip.right, left)), _Strip(max(strip.left, right), strip.right))
        ]
        strips = [part for part in parts if part.right - part.left >= _MIN_STRIP]
    return list(strips)


def _row(line: Line) -> Line:
    cells = [segment.text for segment in line.segments]
    text = cells[0]
    for index, (before, cell) in enumerate(pairwise(cells)):
        is_one_cell = _BEFORE_AMOUNT.fullmatch(before) or _AFTER_AMOUNT.fullmatch(cell)
        is_labelled = index == 0 and _LIST_MARK.fullmatch(before)
        text += (" " if is_one_cell or is_labelled else _BORDER) + cell
    return line._replace(text=text)
