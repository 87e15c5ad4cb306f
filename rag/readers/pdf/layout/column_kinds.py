"""Tells columns of text from the rows of a table, by what stands on both sides of a gutter.

Columns are running text: lines that fill the column and continue each other's sentences. Or they are lists, or an
index whose entries go on in alphabetical order in the next column, or labels that do not stand at the same heights.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from itertools import pairwise

import regex

from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN
from rag.readers.pdf.layout.page_rows import MIN_ROWS, PageRow, Split

_MIN_COLUMN_WIDTH = 6.5
"""The width of a column of running text, as a multiple of the line's height."""
_FULL = 0.65
"""Share of a column's width that most of its lines fill."""
_MIN_FULL_LINES = 0.5
_MIN_CONTINUED_LINES = 0.3
_MIN_LETTERS = 0.7
_SAMPLE_ROWS = 30
_MIN_ITEMS = 2
_MIN_ITEM_LINES = 0.7
"""Share of a list's lines that are items or their indented further lines; others are headings."""
_INDENT = 0.3
"""As a multiple of the line's height."""
_MIN_ENTRIES = 5
"""For each column of an index: fewer entries can be in alphabetical order by chance."""
_MIN_LABELS = 4
_MIN_UNALIGNED = 0.7
_UNALIGNED = 0.25
"""The difference of heights that the cells of a table's row do not have, as a multiple of the line's height."""
_LETTER = regex.compile(r"\p{L}|\p{M}")
_CASELESS = regex.compile(r"[^\p{Lu}\p{Ll}\p{Lt}\P{L}]")
_BULLET_ITEM = regex.compile(r"[•●○◦■□▪▫◆◇►▶▸‣⁃➢➤\uf0a7\uf0b7\uf0d8]\s*\S|[*·∙–—-]\s+\p{L}")
_NUMBERED_ITEM = re.compile(r"\(?(\d{1,3}|[A-Za-z])[.)]\s+\S")


def are_columns(splits: Sequence[Split]) -> bool:
    """True if what stands left and right of a gutter is to be read one after the other."""
    left = [split.left for split in splits if split.left is not None]
    right = [split.right for split in splits if split.right is not None]
    if min(len(left), len(right)) < MIN_ROWS or not (_is_text(right) and _is_text(left)):
        return False
    if _is_running_text(right):
        return _is_running_text(left) or (_is_list(left) and _goes_on_beside_items(splits))
    if _is_list(right):
        return _is_list(left) or _is_running_text(left)
    return _is_index(left, right) or _are_unaligned(splits)


def _is_text(rows: Sequence[PageRow]) -> bool:
    """True if there are more letters than numbers and signs."""
    text = "".join("".join(row.text.split()) for row in rows[:_SAMPLE_ROWS])
    letters = sum(map(str.isalpha, text)) if text.isascii() else len(_LETTER.findall(text))
    return letters >= _MIN_LETTERS * len(text)


def _is_running_text(rows: Sequence[PageRow]) -> bool:
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    if right - left < _MIN_COLUMN_WIDTH * statistics.median(row.height for row in rows):
        return False
    full = [row.right - row.left >= _FULL * (right - left) for row in rows]
    continued = sum(map(_continues, rows, rows[1:], full))
    return sum(full) >= _MIN_FULL_LINES * len(rows) and continued >= _MIN_CONTINUED_LINES * (len(rows) - 1)


def _continues(line: PageRow, following: PageRow, is_full: bool) -> bool:
    """True if the following line goes on with the sentence; where there is no case, if the line is full."""
    start = following.text[:1]
    is_open = line.text.endswith((",", "-", LINE_END_HYPHEN))
    return start.islower() or is_open or (is_full and bool(_CASELESS.match(start)))


def _is_list(rows: Sequence[PageRow]) -> bool:
    """True for items with bullets or successive numbers. Items that are numbered across the columns are rows."""
    items = [row for row in rows if _is_item(row)]
    if len(items) < _MIN_ITEMS:
        return False
    margin = min(row.left for row in items) + _INDENT * items[0].height
    further = sum(row.left > margin for row in rows if not _is_item(row))
    return len(items) + further >= _MIN_ITEM_LINES * len(rows) and _are_successive(items)


def _is_item(row: PageRow) -> bool:
    return bool(_BULLET_ITEM.match(row.text) or _NUMBERED_ITEM.match(row.text))


def _are_successive(items: Sequence[PageRow]) -> bool:
    """False if numbers of items are left out, but for a list that begins again."""
    marks = [match[1] for row in items if (match := _NUMBERED_ITEM.match(row.text))]
    numbers = [int(mark) if mark.isdecimal() else ord(mark) for mark in marks]
    return all(two == one + 1 or two in (1, ord("a"), ord("A")) for one, two in pairwise(numbers))


def _goes_on_beside_items(splits: Sequence[Split]) -> bool:
    """True if the sentences on the right go on where items begin on the left, as they do in no row of a table."""
    count = 0
    before: PageRow | None = None
    for left, right in splits:
        if before and left and right and _is_item(left):
            count += _continues(before, right, is_full=False)
        before = right or before
    return count >= _MIN_ITEMS


def _is_index(left: Sequence[PageRow], right: Sequence[PageRow]) -> bool:
    entries = [row.text.casefold() for column in (left, right) for row in _entries(column)]
    is_long = min(len(_entries(left)), len(_entries(right))) >= _MIN_ENTRIES
    return is_long and all(entry[0].isalpha() for entry in entries) and entries == sorted(entries)


def _entries(column: Sequence[PageRow]) -> list[PageRow]:
    """The lines that are not indented."""
    margin = min(row.left for row in column) + _INDENT * column[0].height
    return [row for row in column if row.left <= margin]


def _are_unaligned(splits: Sequence[Split]) -> bool:
    """True if what stands beside each other is at different heights: the cells of a table have the same."""
    both = [(left, right) for left, right in splits if left is not None and right is not None]
    if len(both) < max(_MIN_LABELS, _MIN_UNALIGNED * len(splits)):
        return False
    distances = (abs(left.middle - right.middle) / min(left.height, right.height) for left, right in both)
    return sum(distance > _UNALIGNED for distance in distances) >= _MIN_UNALIGNED * len(both)
