"""Table rows outside of Markdown tables: those of a table whose header is in another passage, and those of a PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.readers.tables.table_header import is_header
from rag.retrieve.quoting.inline_text import inline_text, without_tags

_BORDERED = re.compile(r"[ \t]*\|.*\|[ \t]*")
_OPEN = re.compile(r".*\S \| \S.*")
"""As the PDF reader writes a row: `Net sales | $ 81,797 | $ 82,959`."""
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class TableRow:
    """Offsets are those in the text that it was found in."""

    start: int
    end: int
    text: str
    """As it is quoted."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Lines that are not table rows."""

    start: int
    end: int


def rows_and_prose(raw: str, *, has_open_rows: bool) -> list[TableRow | Prose]:
    """The parts of a paragraph in order: a `TableRow` for each table row, and the prose between them.

    Args:
        has_open_rows: Whether a line with ` | ` is a row, even without borders at both ends.
    """
    parts: list[TableRow | Prose] = []
    run: list[tuple[int, str]] = []
    for start, line in _lines(raw):
        if _BORDERED.fullmatch(line) or (has_open_rows and _OPEN.fullmatch(line)):
            run.append((start, line))
            continue
        parts += _rows(run)
        run = []
        end = start + len(line)
        if parts and isinstance(last := parts[-1], Prose):
            parts[-1] = Prose(last.start, end)
        elif line.strip():
            parts.append(Prose(start, end))
    return parts + _rows(run)


def named_row(names: Sequence[str], cells: Sequence[str]) -> str:
    """`option: PORT; default: 3000`. Without names, the first cell usually says what the others are about."""
    if not any(names):
        filled = [cell for cell in cells if cell]
        return ": ".join(filter(None, (filled[0], _joined(filled[1:])))) if filled else ""
    pairs = [
        f"{names[index]}: {cell}" if index < len(names) and names[index] else cell
        for index, cell in enumerate(cells)
        if cell
    ]
    return _joined(pairs)


def _rows(run: Sequence[tuple[int, str]]) -> list[TableRow | Prose]:
    """The rows of successive lines. If the first names the columns, it is no row of its own."""
    cells = [_cells(line) for _, line in run]
    names = _names(cells)
    found = zip(run, cells, strict=True)
    rows = [TableRow(start, start + len(line), named_row(names, row)) for (start, line), row in found if row]
    return list(rows[1:] if names else rows)


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    if len(rows) < 2 or not rows[0] or not rows[1]:
        return []
    width = len(rows[1])
    names = ["", *rows[0]] if len(rows[0]) == width - 1 else list(rows[0])
    return names if len(names) == width and is_header(names, rows[1:]) else []


def _cells(line: str) -> list[str]:
    """The cells of a line; empty if it is a rule."""
    cells = [inline_text(without_tags(cell)).text for cell in _CELL_BORDER.split(line.strip().strip("|"))]
    return cells if any(cell.strip("-: ") for cell in cells) else []


def _joined(cells: Sequence[str]) -> str:
    """The cells on one line. A full stop at the end of a cell gives way to the separator."""
    return "; ".join([*(cell.rstrip(".") for cell in cells[:-1]), *cells[-1:]])


def _lines(raw: str) -> Iterator[tuple[int, str]]:
    """Each line with its offset, without its line break."""
    start = 0
    for line in raw.splitlines(keepends=True):
        yield start, line.rstrip("\r\n")
        start += len(line)
