"""Marks the cells in the rows of tables: `Net sales | $ 81,797 | $ 82,959`.

A table is a run of at least three lines of two or more cells, with a strip without text through all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from rag.readers.pdf.layout.page_lines import PageLine

_MIN_ROWS = 3
_MAX_CELLS = 200
"""The limit for one row; pages with longer rows stay as they are."""
_MAX_LABELS = 3
"""Lines of a single cell in succession within a table."""
_MIN_STRIP = 4.0
"""In points."""
_SENTENCE_GAP = 1.6
"""As a multiple of the line's height: some files set a wide space after each sentence."""
BORDER = " | "
_CURRENCY = re.compile(r"[(]?[$€£¥]|[A-Z]{1,3}\$")
_CURRENCY_SIGN = re.compile("[$€£¥]")
_SIGN = re.compile(r"[+\u2212-]")
_AFTER_AMOUNT = re.compile(r"[%)]+")
_CURRENCY_END = re.compile(r"(.*\S) ([(]?[$€£¥])$")
_AMOUNT_BEFORE_CURRENCY = re.compile(r"\d\s*[$€£¥]$")
_LIST_MARK = re.compile(r"[^\w\s]|\(?\w{1,4}[.)]|\d+(?:\.\d+)+|.*:")
"""What is no cell of its own at the start of a line: the mark of a list item, or the label before a value."""
_MIN_SPREAD_WORDS = 5
_SAME_GAP = 0.4
"""The words of a spread line have gaps that differ less, as a multiple of the line's height."""


class _Span(NamedTuple):
    left: float
    right: float


class _Cell(NamedTuple):
    text: str
    left: float
    right: float


class _Row(NamedTuple):
    cells: tuple[_Cell, ...]
    middle: float


def with_cell_borders(lines: Sequence[PageLine]) -> list[PageLine]:
    """The lines of a page, with ` | ` between the cells of those that are table rows."""
    counts = [len(line.segments) for line in lines]
    if sum(count > 1 for count in counts) < _MIN_ROWS or max(counts) > _MAX_CELLS:
        return list(lines)
    marked = list(lines)
    rows = [_Row(_cells(line), line.box.middle) for line in lines]
    for first, end in _tables(rows):
        for index in range(first, end):
            if len(rows[index].cells) > 1:
                marked[index] = lines[index]._replace(text=BORDER.join(cell.text for cell in rows[index].cells))
    return marked


def _cells(line: PageLine) -> tuple[_Cell, ...]:
    if len(line.segments) == 1:
        (text, box), *_ = line.segments
        return (_Cell(text, box.left, box.right),)
    if _is_spread(line):
        return (_Cell(line.text, line.box.left, line.box.right),)
    cells: list[_Cell] = []
    has_currency = _CURRENCY_SIGN.search(line.text) is not None
    currency_follows = has_currency and _AMOUNT_BEFORE_CURRENCY.search(line.text) is not None
    for number, (text, box) in enumerate(line.segments):
        before = cells[-1] if cells else None
        is_currency = has_currency and before and _CURRENCY.fullmatch(text if currency_follows else before.text)
        if has_currency and before and not currency_follows and (match := _CURRENCY_END.match(before.text)):
            cells[-1] = before._replace(text=match[1])
            cells.append(_Cell(f"{match[2]} {text}", box.left, box.right))
        elif before and (is_currency or _is_same_cell(before, text, box.left, line.box.height, is_first=number == 1)):
            cells[-1] = _Cell(f"{before.text} {text}", min(before.left, box.left), max(before.right, box.right))
        else:
            cells.append(_Cell(text, box.left, box.right))
    return tuple(cells)


def _is_spread(line: PageLine) -> bool:
    """True for words with equal gaps: a justified line of text."""
    if len(line.segments) < _MIN_SPREAD_WORDS:
        return False
    gaps = [two.box.left - one.box.right for one, two in pairwise(line.segments)]
    return max(gaps) - min(gaps) < _SAME_GAP * line.box.height and any(char.islower() for char in line.text)


def _is_same_cell(cell: _Cell, text: str, left: float, height: float, *, is_first: bool) -> bool:
    if _AFTER_AMOUNT.fullmatch(text):
        return True
    if _SIGN.fullmatch(cell.text) and text[:1].isdigit():
        return True
    if is_first and _LIST_MARK.fullmatch(cell.text):
        return True
    is_sentence_end = cell.text.endswith((".", "!", "?")) and text[:1].isalpha()
    return is_sentence_end and left - cell.right < _SENTENCE_GAP * height


def _tables(rows: Sequence[_Row]) -> Iterator[tuple[int, int]]:
    """The first line of each table, and the one after its last."""
    index = 0
    while index < len(rows):
        end, count = _table_end(rows, index) if len(rows[index].cells) > 1 else (index + 1, 0)
        if count >= _MIN_ROWS and 2 * count >= end - index:
            yield index, end
        index = end if count >= _MIN_ROWS else index + 1


def _table_end(rows: Sequence[_Row], first: int) -> tuple[int, int]:
    """Where the table that starts at a line ends, and the number of rows that have cells."""
    strips = _gaps(rows[first])
    count, end, height = 1, first + 1, rows[first].middle
    for index in range(first + 1, len(rows)):
        row = rows[index]
        if not row.cells or row.middle >= height or index - end > _MAX_LABELS:
            break
        height = row.middle
        strips = _without_text(strips, row)
        if not strips:
            break
        if any(_overlap(strip, gap) for strip in strips for gap in _gaps(row)):
            count, end = count + 1, index + 1
    return end, count


def _gaps(row: _Row) -> list[_Span]:
    spans = sorted((cell.left, cell.right) for cell in row.cells)
    gaps = (_Span(right, left) for (_, right), (left, _) in pairwise(spans))
    return [gap for gap in gaps if gap.right - gap.left >= _MIN_STRIP]


def _overlap(one: _Span, two: _Span) -> bool:
    return min(one.right, two.right) > max(one.left, two.left)


def _without_text(strips: Sequence[_Span], row: _Row) -> list[_Span]:
    """What the row leaves of the strips."""
    left_over: list[_Span] = []
    for strip in strips:
        parts = [strip]
        for _, left, right in row.cells:
            if left < strip.right and right > strip.left:
                parts = [span for part in parts for span in _cut(part, left, right)]
        left_over += parts
    return left_over


def _cut(span: _Span, left: float, right: float) -> list[_Span]:
    """What is left of a span beside a cell, if it is wide enough."""
    if left >= span.right or right <= span.left:
        return [span]
    parts = (_Span(span.left, left), _Span(right, span.right))
    return [part for part in parts if part.right - part.left >= _MIN_STRIP]
