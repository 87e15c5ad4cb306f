"""Recognises the rows that name the columns of a table, and joins their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

SAMPLE_ROWS = 100
"""The rows below a header that are looked at."""
_MAX_PREAMBLE_ROWS = 30
_MAX_NAME_CHARS = 80
_YEAR = r"(?:19|20|21)\d\d"
_PERIOD = re.compile(
    rf"(?:FY ?|Q[1-4] )?{_YEAR}(?:[-/.](?:\d\d?|Q[1-4])(?:[-/.]\d\d?)?|\s?[-/–]\s?{_YEAR})?(?:\s?\(\w{{1,2}}\))?"
)
"""A year, quarter, month or day, or two years, perhaps with the number of a note."""
NAME_SEPARATOR = " / "
"""Between the names of a column in several header rows."""


def is_period(cell: str) -> bool:
    """Whether it is a year or a part of one, which can be the name of a column."""
    return _PERIOD.fullmatch(cell) is not None


def joined_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """One name for each column, from its cells in the header rows from top to bottom: `2023 / Q1`."""
    columns = zip_longest(*rows, fillvalue="")
    return [NAME_SEPARATOR.join(dict.fromkeys(filter(None, column))) for column in columns]


def is_header(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a table's first row names its columns.

    The first column needs no name, a name may be there twice, and a year is a name if its column does not hold years.
    Where other names are missing or most are the same, columns of numbers below them must tell.
    """
    names = [cell for cell in row if cell]
    if not names or not are_names(row, below):
        return False
    gaps = sum(not cell for cell in row[1:])
    is_distinct = len(set(names)) * 2 > len(names)
    return (is_distinct and gaps <= (len(row) > 3)) or (gaps * 2 <= len(row) and has_numbers_below(row, below))


def are_names(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether each cell is empty or can be the name of its column."""
    return all(not cell or _is_name(cell, _column(below, index)) for index, cell in enumerate(row))


def has_numbers_below(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a cell that is not a number stands above a column that mostly holds numbers."""
    return any(
        (not is_number(cell) or is_period(cell)) and _are_numbers(_column(below, index))
        for index, cell in enumerate(row)
        if cell
    )


def header_index(rows: Sequence[Sequence[str]]) -> int:
    """The row where the table begins: lines above it, such as a report's title, fill few of its columns."""
    filled = [sum(map(bool, row)) for row in rows[: _MAX_PREAMBLE_ROWS + SAMPLE_ROWS]]
    counts = Counter(count for count in filled if count > 1)
    if not counts:
        return 0
    width = max(counts, key=lambda count: (counts[count], count))
    start = next((index for index, count in enumerate(filled) if count > max(1, width // 2)), 0)
    return start if start <= _MAX_PREAMBLE_ROWS else 0


def is_number(cell: str) -> bool:
    """Whether it mostly consists of digits, as amounts, dates and telephone numbers do."""
    return sum(map(str.isdigit, cell)) * 2 > sum(map(str.isalnum, cell))


def _column(rows: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index] for row in rows[:SAMPLE_ROWS] if index < len(row) and row[index]]


def _are_numbers(cells: Sequence[str]) -> bool:
    return sum(map(is_number, cells)) * 2 > len(cells)


def _is_name(cell: str, below: Sequence[str]) -> bool:
    if is_period(cell):
        return not (below and all(map(is_period, below)))
    return len(cell) <= _MAX_NAME_CHARS and any(map(str.isalpha, cell))
