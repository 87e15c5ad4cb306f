"""The cells of an HTML table, in rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

_LAYOUT_INSIDE = ".//table | .//h1 | .//h2 | .//h3 | .//h4 | .//h5 | .//h6 | .//pre"
_MAX_SPAN = 1000
_MAX_REPEATED = 200
_NUMBER = re.compile(r"[1-9]\d{0,5}")
_Spans: TypeAlias = dict[int, tuple[Any, int]]


class CellTable(NamedTuple):
    rows: list[list[Any]]
    """Elements; None where a cell spans several columns. One that spans rows is in each."""
    has_header: bool | None
    """None: the table does not say."""


def cell_rows(table: Any) -> CellTable | None:
    """None for a table that lays out a page: it holds tables, headings or code, or is one column wide."""
    if table.get("role") == "presentation" or table.xpath(_LAYOUT_INSIDE):
        return None
    rows = [(part, [cell for cell in row if cell.tag in ("td", "th")]) for part, row in _rows(table)]
    rows = [(part, cells) for part, cells in rows if cells]
    width = max((len(cells) for _, cells in rows), default=0)
    if width < 2:
        return None
    part, first = rows[0]
    is_header = part == "thead" or all(cell.tag == "th" for cell in first)
    return CellTable(_spread([cells for _, cells in rows], width), is_header or None)


def _rows(table: Any) -> Iterator[tuple[str, Any]]:
    for part in table:
        if part.tag == "tr":
            yield "table", part
        elif part.tag in ("thead", "tbody", "tfoot"):
            yield from ((part.tag, row) for row in part if row.tag == "tr")


def _spread(rows: list[list[Any]], width: int) -> list[list[Any]]:
    """Spans are honoured within the table's width in cells: a span of 1,000 a cell would make gigabytes."""
    spread: list[list[Any]] = []
    above: _Spans = {}
    for cells in rows:
        row, above = _spread_row(cells, above, width)
        spread.append(row)
    return spread


def _spread_row(cells: list[Any], above: _Spans, width: int) -> tuple[list[Any], _Spans]:
    """The row, and which of its cells reach into the next ones: by column, with the number of rows to come."""
    row: list[Any] = []
    below: _Spans = {}
    left = len(cells)
    while len(row) < width and (left or len(row) in above):
        column = len(row)
        if column in above:
            cell, rows_to_come = above[column]
            row.append(cell)
        else:
            found = cells[-left]
            left -= 1
            row += [found, *[None] * min(_span(found, "colspan") - 1, width - column - 1 - left)]
            cell = found if _is_short(found) else None
            rows_to_come = _span(found, "rowspan")
        if rows_to_come > 1:
            below[column] = (cell, rows_to_come - 1)
    return row, below


def _is_short(cell: Any) -> bool:
    """Only such a cell is repeated."""
    return sum(len(text) for text in cell.itertext()) <= _MAX_REPEATED


def _span(cell: Any, name: str) -> int:
    found = _NUMBER.fullmatch(cell.get(name) or "")
    return min(int(found[0]), _MAX_SPAN) if found else 1
