"""Tables of slides and documents with merged cells: their captions, and the names and values of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from rag.readers.tables.table_header import is_number, is_period, joined_names

MAX_REPEATED_CHARS = 200
"""Only short text is repeated in all the cells that it stands for."""
_MAX_HEADER_ROWS = 4


class Cell(NamedTuple):
    """A cell of the grid. A merged cell stands in each place that it covers."""

    text: str
    is_left: bool = False
    """It is merged with the cell on its left."""
    is_above: bool = False
    """It is merged with the cell above."""


CellRow = Sequence[Cell]


def caption_count(rows: Sequence[CellRow]) -> int:
    """The number of rows above the header that consist of one merged cell."""
    return min(sum(1 for _ in takewhile(is_caption, rows)), max(len(rows) - 1, 0))


def header_count(rows: Sequence[CellRow]) -> int:
    """The number of rows that name the columns, as the merged cells show it: 0 if they show nothing.

    A row of the header above its last has a cell that covers several columns, and no column that ends with it: each
    other column is merged with the row below, or empty.
    """
    count = 0
    while count < min(len(rows) - 2, _MAX_HEADER_ROWS - 1) and _continues(rows[count], rows[count + 1]):
        count += 1
    return count + 1 if count else 0


def column_names(header: Sequence[CellRow]) -> list[str]:
    """The names from top to bottom: `2023 / Q1`."""
    return joined_names([[cell.text for cell in row] for row in header])


def values(row: CellRow) -> list[str]:
    """The text of a row below the header. A line across the whole table is not repeated."""
    return [row[0].text] if is_caption(row) else [cell.text for cell in row]


def is_caption(row: CellRow) -> bool:
    """Whether it consists of one merged cell."""
    return len(row) > 1 and bool(row[0].text) and all(cell.is_left for cell in row[1:])


def _continues(upper: CellRow, lower: CellRow) -> bool:
    """Whether both rows belong to the header."""
    spans = [cell.is_left or (index + 1 < len(upper) and upper[index + 1].is_left) for index, cell in enumerate(upper)]
    if not any(spans):
        return False
    pairs = zip(spans, upper, lower, strict=False)
    return all(is_spanning or below.is_above or not cell.text for is_spanning, cell, below in pairs) and all(
        cell.is_above or not cell.text or is_period(cell.text) or not is_number(cell.text) for cell in lower
    )
