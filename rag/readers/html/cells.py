"""The cells of an HTML table as a grid, with cells that span rows or columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from rag.readers.safe_xml import Element
from rag.readers.tables.table_header import is_period

_LAYOUT_CONTENT = ".//table | .//h1 | .//h2 | .//h3 | .//h4 | .//h5 | .//h6 | .//pre"
_MAX_SPAN = 1000
_MAX_REPEATED = 200
_MAX_REPEATED_CHARS = 1_000_000
_MAX_DATA_CHARS = 500
_NUMBER = re.compile(r"[1-9]\d{0,5}")
_Cell: TypeAlias = Element | None
_Spans: TypeAlias = dict[int, tuple[_Cell, int]]
"""For each column, the cell that spans it and the number of rows that it still spans."""


class CellTable(NamedTuple):
    """The grid of a table."""

    title: _Cell
    """The cell above all columns, if the first row is only that."""
    rows: list[list[_Cell]]
    """A cell that spans rows or columns is in each of them if it is short; else it is followed by None."""
    header_rows: int
    """The number of rows that name the columns; 0 if the table does not tell."""
    is_complete: bool
    """False if long cells are not repeated, so that an empty cell may not be empty."""


def cell_rows(table: Element) -> CellTable | None:
    """The grid; None for a layout table.

    That is one that contains tables, headings or code, has only one column, or names no columns and has long texts.
    """
    if table.get("role") in ("presentation", "none") or table.xpath(_LAYOUT_CONTENT):
        return None
    rows = [(part, [cell for cell in row if cell.tag in ("td", "th")]) for part, row in _rows(table)]
    rows = [(part, cells) for part, cells in rows if cells]
    width = max((len(cells) for _, cells in rows), default=0)
    if width < 2:
        return None
    title = rows[0][1][0] if _is_title(rows, width) else None
    rows = rows[1:] if title is not None else rows
    header_rows = _header_rows(rows)
    cells = [cell for _, row in rows for cell in row]
    if not header_rows and not any(cell.tag == "th" for cell in cells) and any(map(_is_layout_cell, cells)):
        return None
    grid = _Grid(width)
    spread = grid.spread([cells for _, cells in rows])
    return CellTable(title, spread, header_rows, grid.is_complete)


def _is_title(rows: list[tuple[str, list[Element]]], width: int) -> bool:
    first = rows[0][1]
    return len(rows) > 1 and len(first) == 1 and _span(first[0], "colspan") >= width and _span(first[0], "rowspan") == 1


def _header_rows(rows: list[tuple[str, list[Element]]]) -> int:
    """The first rows if they are in <thead>, consist of <th>, or the first is bold or has years above the columns."""
    count = sum(1 for _ in takewhile(lambda row: row[0] == "thead" or all(cell.tag == "th" for cell in row[1]), rows))
    if count == len(rows):  # all are: the first one names the columns
        return 1
    return count or int(len(rows) > 1 and _names_columns(rows[0][1], rows[1][1]))


def _names_columns(first: list[Element], second: list[Element]) -> bool:
    if all(_is_bold(cell) for cell in first if _text(cell)) and not all(_is_bold(cell) for cell in second):
        return any(map(_text, first))
    names = [_text(cell) for cell in first[1:]]
    return bool(names) and all(map(is_period, names)) and not all(is_period(_text(cell)) for cell in second)


def _is_bold(cell: Element) -> bool:
    """Whether all of its text is bold."""
    bold = sum(len("".join(part.itertext()).strip()) for part in cell.iter("b", "strong"))
    return cell.tag == "th" or (bold > 0 and bold >= len("".join(cell.itertext()).strip()))


def _is_layout_cell(cell: Element) -> bool:
    """Whether it contains paragraphs or lists of a length that a cell of data does not have."""
    return cell.find(".//p") is not None and len(_text(cell)) > _MAX_DATA_CHARS


def _text(cell: Element) -> str:
    return " ".join("".join(cell.itertext()).split())


def _rows(table: Element) -> Iterator[tuple[str, Element]]:
    for part in table:
        if part.tag == "tr":
            yield "table", part
        elif part.tag in ("thead", "tbody", "tfoot"):
            yield from ((part.tag, row) for row in part if row.tag == "tr")


class _Grid:
    """Expands spans within the table's width: cells that each span 1,000 rows and columns would take gigabytes."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._chars_left = _MAX_REPEATED_CHARS
        self._chars: dict[Element, int] = {}
        self.is_complete = True
        """Whether each cell is repeated wherever it spans."""

    def spread(self, rows: list[list[Element]]) -> list[list[_Cell]]:
        spread: list[list[_Cell]] = []
        above: _Spans = {}
        for cells in rows:
            row, above = self._row(cells, above)
            spread.append(row)
        return spread

    def _row(self, cells: list[Element], above: _Spans) -> tuple[list[_Cell], _Spans]:
        """The row, and its cells that span the next rows."""
        row: list[_Cell] = []
        below: _Spans = {}
        remaining = len(cells)
        is_label = len(cells) == 1 and not above
        while len(row) < self._width and (remaining or len(row) in above):
            column = len(row)
            if column in above:
                cell, rows_below = above[column]
                columns = 1
                row.append(self._repeated(cell))
            else:
                cell = cells[-remaining]
                remaining -= 1
                columns = 1 + max(0, min(_span(cell, "colspan") - 1, self._width - column - 1 - remaining))
                rows_below = _span(cell, "rowspan")
                row += [cell, *(None if is_label else self._repeated(cell) for _ in range(columns - 1))]
            if rows_below > 1:
                below.update((column + offset, (cell, rows_below - 1)) for offset in range(columns))
        return row, below

    def _repeated(self, cell: _Cell) -> _Cell:
        """None for a long cell, and if too much was repeated."""
        if cell is None:
            return None
        if (chars := self._chars.get(cell)) is None:
            chars = self._chars[cell] = sum(map(len, cell.itertext()))
        if chars > _MAX_REPEATED or chars > self._chars_left:
            self.is_complete = False
            return None
        self._chars_left -= chars + 1
        return cell


def _span(cell: Element, name: str) -> int:
    number = _NUMBER.fullmatch(cell.get(name) or "")
    return min(int(number[0]), _MAX_SPAN) if number else 1
