"""Puts the cells of a table's row into one line, where cells have several lines and the file draws cell by cell.

    Leak at the flange      Burns of the        Close valve V0
    of the hot circuit      skin                and call 400

is drawn as `Leak at the flange`, `of the hot circuit`, `Burns of the`, ..., and becomes one line with three cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rag.readers.pdf.layout.box import Box, box_around
from rag.readers.pdf.layout.hyphenation import LINE_END_HYPHEN
from rag.readers.pdf.layout.page_lines import PageLine, Segment
from rag.readers.pdf.layout.page_rows import is_list_mark
from rag.readers.pdf.layout.table_rows import BORDER

_MIN_ROWS = 3
_MAX_SEGMENTS = 5_000
_SAME_LEFT = 3.0
"""In points."""
_SAME_TOP = 0.5
_MAX_PITCH = 1.7
"""The distance between a cell's lines, as a multiple of the line's height."""
_MAX_CELL_LINES = 12


class _Piece(NamedTuple):
    segment: Segment
    line: int

    @property
    def box(self) -> Box:
        return self.segment.box


class _Row(NamedTuple):
    cells: tuple[tuple[_Piece, ...], ...]

    @property
    def lefts(self) -> tuple[float, ...]:
        return tuple(cell[0].box.left for cell in self.cells)

    @property
    def bottom(self) -> float:
        return min(piece.box.bottom for cell in self.cells for piece in cell)

    @property
    def top(self) -> Box:
        return self.cells[0][0].box


def with_whole_cells(lines: Sequence[PageLine]) -> list[PageLine]:
    """The lines of a page, in reading order, with the rows of such tables as one line each."""
    pieces = [_Piece(segment, index) for index, line in enumerate(lines) for segment in line.segments]
    if not 2 * _MIN_ROWS <= len(pieces) <= _MAX_SEGMENTS:
        return list(lines)
    merged: dict[int, PageLine] = {}
    removed: set[int] = set()
    position = 0
    while position < len(pieces):
        rows, end = _table(pieces, position)
        used = {piece.line for row in rows for cell in row.cells for piece in cell}
        count = sum(len(cell) for row in rows for cell in row.cells)
        is_whole = count == sum(len(lines[index].segments) for index in used)
        if len(rows) < _MIN_ROWS or not _has_long_cells(rows) or _is_list(rows) or not is_whole:
            position += 1
            continue
        removed |= used
        if header := _header(lines, rows[0]):
            merged[header[0]] = header[1]
        for row in rows:
            merged[row.cells[0][0].line] = _line(row)
        position = end
    return [merged.get(index, line) for index, line in enumerate(lines) if index in merged or index not in removed]


def _has_long_cells(rows: Sequence[_Row]) -> bool:
    """Whether most rows have a cell of several lines: other tables are read as they are."""
    return 2 * sum(any(len(cell) > 1 for cell in row.cells) for row in rows) >= len(rows)


def _is_list(rows: Sequence[_Row]) -> bool:
    """Whether the first cells are the marks of a list's items."""
    return all(is_list_mark(row.cells[0][0].segment.text.strip()) for row in rows)


def _table(pieces: Sequence[_Piece], first: int) -> tuple[list[_Row], int]:
    """The rows of the table that begins at a piece, and the index after its last piece."""
    rows: list[_Row] = []
    position = first
    while position < len(pieces):
        row, end = _row(pieces, position)
        if len(row.cells) < 2 or (rows and not _is_next(rows, row)):
            break
        rows.append(row)
        position = end
    return rows, position


def _is_next(rows: Sequence[_Row], row: _Row) -> bool:
    """Whether a row stands below others and has the same columns."""
    columns = rows[0].lefts
    is_below = row.top.middle < rows[-1].bottom
    same = len(row.lefts) == len(columns)
    return is_below and same and all(abs(a - b) <= _SAME_LEFT for a, b in zip(row.lefts, columns, strict=True))


def _row(pieces: Sequence[_Piece], first: int) -> tuple[_Row, int]:
    """The cells that begin at the same height, each right of the one before."""
    cells: list[tuple[_Piece, ...]] = []
    position = first
    while position < len(pieces):
        piece = pieces[position]
        if cells and not _begins_cell(cells, piece):
            break
        end = position + 1
        while end < len(pieces) and end - position < _MAX_CELL_LINES and _continues(pieces[end - 1], pieces[end]):
            end += 1
        cells.append(tuple(pieces[position:end]))
        position = end
    return _Row(tuple(cells)), position


def _begins_cell(cells: Sequence[Sequence[_Piece]], piece: _Piece) -> bool:
    top, right = cells[0][0].box, max(each.box.right for each in cells[-1])
    return abs(piece.box.top - top.top) <= _SAME_TOP * top.height and piece.box.left > right


def _continues(above: _Piece, piece: _Piece) -> bool:
    one, two = above.box, piece.box
    return abs(one.left - two.left) <= _SAME_LEFT and 0 < one.middle - two.middle <= _MAX_PITCH * one.height


def _line(row: _Row) -> PageLine:
    segments = tuple(piece.segment for cell in row.cells for piece in cell)
    text = BORDER.join(map(_joined, row.cells))
    return PageLine(text, segments, box_around([segment.box for segment in segments]))


def _header(lines: Sequence[PageLine], row: _Row) -> tuple[int, PageLine] | None:
    """The line directly above a table that has its columns, with borders; and its index."""
    index = row.cells[0][0].line - 1
    line = lines[index] if index >= 0 else None
    if line is None or len(line.segments) != len(row.cells):
        return None
    fits = all(
        abs(segment.box.left - left) <= _SAME_LEFT for segment, left in zip(line.segments, row.lefts, strict=True)
    )
    return (index, line._replace(text=BORDER.join(segment.text for segment in line.segments))) if fits else None


def _joined(cell: Sequence[_Piece]) -> str:
    return " ".join(piece.segment.text for piece in cell).replace(f"{LINE_END_HYPHEN} ", LINE_END_HYPHEN)
