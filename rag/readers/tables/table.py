"""Formats table rows as searchable text.

A small table becomes a Markdown table, which fits into one passage with its header. Most passages of a larger table
would lack the column names, so each of its rows becomes a line that repeats them:

    - City: Berlin; Inhabitants: 3,700,000
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.readers.tables.table_header import SAMPLE_ROWS, is_header

MAX_TABLE_CHARS = 400
"""Longer tables are written row by row: by default, a passage has 512 characters."""
_MAX_COLUMNS_WITH_EMPTY = 20
_EMPTY = "(empty)"

TableRow = Sequence[str]


def table_text(rows: Sequence[TableRow], *, has_header: bool | None = None, keep_empty: bool = False) -> str:
    """Format a table, whose rows may differ in length.

    Args:
        has_header: Whether the first row holds the column names; None to guess.
        keep_empty: Say of a row which of its cells are empty, unless the table has very many columns.
    """
    cells = _without_empty([[" ".join(cell.split()) for cell in row] for row in rows])
    if not cells:
        return ""
    if len(cells[0]) == 1:
        return "\n".join(row[0] for row in cells)
    if len(cells) == 1:
        return "; ".join(cells[0])
    if sum(_markdown_chars(row) for row in cells) <= MAX_TABLE_CHARS:
        return _markdown(cells)
    names = (
        cells[0] if (is_header(cells[0], cells[1 : SAMPLE_ROWS + 1]) if has_header is None else has_header) else None
    )
    return (
        _markdown(cells)
        if names is None
        else "\n".join(record_line(names, row, keep_empty=keep_empty) for row in cells[1:])
    )


def record_line(names: TableRow, row: TableRow, *, keep_empty: bool = False) -> str:
    """One row, each cell with its column name; empty cells are left out, or said to be empty.

    A row with only its first cell, of three or more, is the title of the rows below it.
    """
    is_title = len(names) > 2 and not any(row[1:])
    if keep_empty and not is_title and len(names) <= _MAX_COLUMNS_WITH_EMPTY:
        row = [cell or (_EMPTY if index < len(names) and names[index] else "") for index, cell in enumerate(row)]
    pairs = ((names[index] if index < len(names) else "", cell) for index, cell in enumerate(row) if cell)
    return "- " + "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs)


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """The rows and columns that are not empty, with all rows padded to the same length."""
    rows = [row for row in rows if any(row)]
    used = sorted({index for row in rows for index, cell in enumerate(row) if cell})
    return [[row[index] if index < len(row) else "" for index in used] for row in rows]


def _markdown_chars(row: TableRow) -> int:
    return sum(len(cell) + 3 for cell in row) + 2


def _markdown(rows: Sequence[TableRow]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = "| " + " | ".join("---" for _ in rows[0]) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])
