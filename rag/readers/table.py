"""Rows of cells as text that can be searched.

A small table stays a Markdown table: it fits in a passage with its header. Of a larger one most passages would hold
rows without the names of their columns, so there each row becomes a line that says them:

    - City: Berlin; Inhabitants: 3,700,000
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_TABLE_CHARS = 400
"""A longer table is written row by row: a passage has 512 characters, unless set otherwise."""

Row = Sequence[str]


def table_text(rows: Sequence[Row], *, has_header: bool | None = None) -> str:
    """Rows may differ in length. `has_header`: of the first row; `None`: judge by its looks."""
    filled = _without_empty([[" ".join(cell.split()) for cell in row] for row in rows])
    if not filled:
        return ""
    if len(filled[0]) == 1:
        return "\n".join(row[0] for row in filled)
    if len(filled) == 1:
        return "; ".join(filled[0])
    if sum(_markdown_chars(row) for row in filled) <= MAX_TABLE_CHARS:
        return _markdown(filled)
    names = filled[0] if (_looks_like_header(filled[0]) if has_header is None else has_header) else None
    return _markdown(filled) if names is None else "\n".join(record_line(names, row) for row in filled[1:])


def record_line(names: Row, row: Row) -> str:
    """One row with its columns' names; empty cells are left out."""
    cells = ((names[index] if index < len(names) else "", cell) for index, cell in enumerate(row) if cell)
    return "- " + "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells)


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """The rows and columns that have a cell with text, all of the same length."""
    rows = [row for row in rows if any(row)]
    used = sorted({index for row in rows for index, cell in enumerate(row) if cell})
    return [[row[index] if index < len(row) else "" for index in used] for row in rows]


def _looks_like_header(row: Row) -> bool:
    """Names stand over (almost) all columns, differ, and are not numbers."""
    names = [cell for cell in row if cell]
    is_full = len(names) >= len(row) - (len(row) > 2)
    return is_full and len(set(names)) == len(names) and all(_is_name(name) for name in names)


def _is_name(cell: str) -> bool:
    return len(cell) <= 80 and any(char.isalpha() for char in cell)


def _markdown_chars(row: Row) -> int:
    return sum(len(cell) + 3 for cell in row) + 2


def _markdown(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = "| " + " | ".join("---" for _ in rows[0]) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])
