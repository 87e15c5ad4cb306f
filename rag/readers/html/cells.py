"""The cells of an HTML table as a grid, with cells that span rows or columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from rag.readers.safe_xml import Element

_LAYOUT_CONTENT = ".//table | .//h1 | .//h2 | .//h3 | .//h4 | .//h5 | .//h6 | .//pre"
_MAX_SPAN = 1000
_MAX_REPEATED = 200
_NUMBER = re.compile(r"[1-9]\d{0,5}")
_Cell: TypeAlias = Element | None
_Spans: TypeAlias = dict[int, tuple[_Cell, int]]
"""By column: the cell that spans it, and the number of rows that it still spans."""


class CellTable(NamedTuple):
    """The grid of a table."""

    rows: list[list[_Cell]]
    """A cell that spans columns is followed by None; one that spans rows is in each of them if it is short."""
    has_header: bool | None
    """None if the table does not tell."""


def cell_rows(table: Element) -> CellTable | None:
    """The grid; None for a layout table: one that contains tables, headings or code, or has only one column."""
    if table.get("role") == "presentation" or table.xpath(_LAYOUT_CONTENT):
        return None
    rows = [(part, [cell for cell in row if cell.tag in ("td", "th")]) for part, row in _rows(table)]
    rows = [(part, cells) for part, cells in rows if cells]
    width = max((len(cells) for _, cells in rows), default=0)
    if width < 2:
        return None
    part, first = rows[0]
    is_header = part == "thead" or all(cell.tag == "th" for cell in first)
    return CellTable(_spread([cells for _, cells in rows], width), is_header or None)


def _rows(table: Element) -> Iterator[tuple[str, Element]]:
    for part in table:
        if part.tag == "tr":
            yield "table", part
        elif part.tag in ("thead", "tbody", "tfoot"):
            yield from ((part.tag, row) for row in part if row.tag == "tr")


def _spread(rows: list[list[Element]], width: int) -> list[list[_Cell]]:
    """Expand spans within the table's width: cells that each span 1,000 rows and columns would take gigabytes."""
    spread: list[list[_Cell]] = []
    above: _Spans = {}
    for cells in rows:
        row, above = _spread_row(cells, above, width)
        spread.append(row)
    return spread


def _spread_row(cells: list[Element], above: _Spans, width: int) -> tuple[list[_Cell], _Spans]:
    """The row, and its cells that span the next rows."""
    row: list[_Cell] = []
    below: _Spans = {}
    remaining = len(cells)
    while len(row) < width and (remaining or len(row) in above):
        column = len(row)
        if column in above:
            cell, rows_below = above[column]
            row.append(cell)
        else:
            new = cells[-remaining]
            remaining -= 1
            row += [new, *[None] * min(_span(new, "colspan") - 1, width - column - 1 - remaining)]
            cell = new if _is_short(new) else None
            rows_below = _span(new, "rowspan")
        if rows_below > 1:
            below[column] = (cell, rows_below - 1)
    return row, below


def _is_short(cell: Element) -> bool:
    """Only short cells are repeated in each row that they span."""
    return sum(len(text) for text in cell.itertext()) <= _MAX_REPEATED


def _span(cell: Element, name: str) -> int:
    number = _NUMBER.fullmatch(cell.get(name) or "")
    return min(int(number[0]), _MAX_SPAN) if number else 1
