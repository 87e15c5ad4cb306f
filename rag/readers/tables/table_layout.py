"""Finds the titles, column names and rows of the tables in a sheet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from rag.readers.extract.text_builder import TextBuilder
from rag.readers.tables.table import table_text
from rag.readers.tables.table_header import (
    SAMPLE_ROWS,
    are_names,
    has_numbers_below,
    header_index,
    is_header,
    is_number,
    joined_names,
)

_MAX_HEADER_ROWS = 4
_MAX_TABLES_ABOVE = 8
"""The tables above a block whose header it may share."""

_Columns = Mapping[int, Set[int]]


@dataclass(frozen=True, slots=True)
class CellBlock:
    """A run of rows without an empty row. Rows may differ in length; cells have no surrounding whitespace."""

    rows: Sequence[Sequence[str]]
    columns: Sequence[int]
    """Where in the sheet each column of the rows stands."""
    spanned: _Columns = field(default_factory=dict)
    """By row: the columns whose cell repeats the one on the left, with which it is merged."""
    continued: _Columns = field(default_factory=dict)
    """By row: the columns whose cell repeats the one above, with which it is merged."""
    header: int | None = None
    """The row that the file declares to be the header."""


class Table(NamedTuple):
    """A table, or lines of text if it has only captions."""

    captions: list[str]
    """The lines above it, and the units below its header."""
    names: list[str]
    """The names of the columns; empty if the table has no header."""
    rows: list[Sequence[str]]

    def add_to(self, builder: TextBuilder) -> None:
        builder.add("\n".join(self.captions))
        if self.names:
            builder.add(table_text([self.names, *self.rows], has_header=True, keep_empty=True))
        else:
            builder.add(table_text(self.rows, has_header=False))


class _NamedColumns(NamedTuple):
    """The header of a table above."""

    names: Mapping[int, str]
    numeric: Set[int]
    """The columns that hold numbers."""


def find_tables(blocks: Iterable[CellBlock]) -> Iterator[Table]:
    """The tables of a sheet. A block without a header continues the table above it, if it fits into its columns."""
    above: deque[_NamedColumns] = deque(maxlen=_MAX_TABLES_ABOVE)
    for block in blocks:
        table = _table(block, above)
        if table.names:
            above.appendleft(_named_columns(block, table))
        yield table


def _named_columns(block: CellBlock, table: Table) -> _NamedColumns:
    names = dict(zip(block.columns, table.names, strict=False))
    sample = table.rows[:SAMPLE_ROWS]
    return _NamedColumns(
        names,
        {
            column
            for index, column in enumerate(block.columns)
            if any(index < len(row) and row[index] and is_number(row[index]) for row in sample)
        },
    )


def _table(block: CellBlock, above: Iterable[_NamedColumns]) -> Table:
    rows = block.rows
    if all(sum(map(bool, row)) < 2 for row in rows):
        return Table([_line(block, index) for index in range(len(rows))], [], [])
    if names := _names_above(block, above):
        is_repeated = list(rows[0]) == names
        return Table([], names, _body(block, 1 if is_repeated else 0, names))
    header = _header_rows(block)
    captions = [_line(block, index) for index in range(header.start)]
    names = _names(block, header) if header else []
    first = header.stop
    while header and first < len(rows) - 1 and _is_unit(rows[first]):
        captions.append(_line(block, first))
        first += 1
    return Table(captions, names, _body(block, first, names))


def _line(block: CellBlock, index: int) -> str:
    spanned = block.spanned.get(index, frozenset())
    return " ".join(cell for column, cell in enumerate(block.rows[index]) if cell and column not in spanned)


def _is_unit(row: Sequence[str]) -> bool:
    """Whether it only says what is counted, such as `(in millions)`, above the numbers."""
    filled = [cell for cell in row if cell]
    return len(filled) == 1 and not row[0] and not is_number(filled[0])


def _body(block: CellBlock, first: int, names: Sequence[str]) -> list[Sequence[str]]:
    """The rows below the header. A merged cell is repeated only below different names."""
    body = list(block.rows[first:])
    for index, spanned in block.spanned.items():
        if index >= first:
            body[index - first] = [
                cell if column not in spanned or (names and names[column] != names[column - 1]) else ""
                for column, cell in enumerate(block.rows[index])
            ]
    return body


def _names_above(block: CellBlock, above: Iterable[_NamedColumns]) -> list[str]:
    """The column names of the table that the block continues; empty if it is a table of its own."""
    columns = set(block.columns)
    table = next((table for table in above if not columns.isdisjoint(table.names)), None)
    if table is None or block.header is not None or not columns <= set(table.names):
        return []
    names = [table.names[column] for column in block.columns]
    if list(block.rows[0]) == names:
        return names
    start = header_index(block.rows)
    if start or (is_header(block.rows[0], block.rows[1:]) and has_numbers_below(block.rows[0], block.rows[1:])):
        return []
    has_numbers = any(
        column in table.numeric and row[index] and is_number(row[index])
        for row in block.rows[:SAMPLE_ROWS]
        for index, column in enumerate(block.columns)
        if index < len(row)
    )
    return names if has_numbers or len(columns) * 2 > len(table.names) else []


def _header_rows(block: CellBlock) -> range:
    """The rows that name the columns; none of them, where the table begins, if it has no header."""
    rows = block.rows
    if block.header is not None:
        start = block.header
        while start > 0 and block.spanned.get(start - 1):
            start -= 1
        return range(start, block.header + 1)
    start = header_index(rows)
    if not is_header(rows[start], rows[start + 1 : start + 1 + SAMPLE_ROWS]):
        return range(start, start)
    end = start + 1
    if start and _are_groups(rows[start - 1], rows[start], rows[end : end + SAMPLE_ROWS]):
        start -= 1
    while end < min(len(rows) - 1, start + _MAX_HEADER_ROWS) and _continues_header(block, end):
        end += 1
    return range(start, end)


def _continues_header(block: CellBlock, index: int) -> bool:
    """Whether a row below a header row belongs to the header, which cells merged across columns or rows suggest."""
    upper, row, below = block.rows[index - 1], block.rows[index], block.rows[index + 1 : index + 1 + SAMPLE_ROWS]
    spanned, continued = block.spanned.get(index - 1, frozenset()), block.continued.get(index, frozenset())
    if not spanned and not continued:
        return _are_groups(upper, row, below)
    if not are_names(row, below):
        return False
    merged = {*spanned, *(column - 1 for column in spanned), *continued}
    pairs = enumerate(zip(upper, row, strict=False))
    return all(not (above and cell) for column, (above, cell) in pairs if column not in merged) or has_numbers_below(
        row, below
    )


def _are_groups(upper: Sequence[str], lower: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the upper of two rows names groups of columns, each name above the first column of its group, or all."""
    has_gap = any(cell and not above for above, cell in zip(upper[1:], lower[1:], strict=False))
    if (
        sum(map(bool, upper)) < 2
        or not (has_gap or _is_repetitive(upper, lower))
        or not are_names(upper, below)
        or not are_names(lower, below)
    ):
        return False
    names = [cell for cell in lower if cell]
    pairs = [pair for pair in zip(_filled(upper), lower, strict=False) if pair[1]]
    tells_apart = len(set(names)) < len(names) and len(set(pairs)) == len(pairs)
    return (tells_apart or not upper[0]) and has_numbers_below(lower, below)


def _is_repetitive(upper: Sequence[str], lower: Sequence[str]) -> bool:
    """Whether the names of groups are there for each of their columns, and the first column has one name."""
    names = [cell for cell in upper[1:] if cell]
    return len(set(names)) < len(names) and bool(upper[0]) != bool(lower[0])


def _filled(row: Sequence[str]) -> list[str]:
    """The row with each empty cell filled by the one on its left."""
    filled: list[str] = []
    for cell in row:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def _names(block: CellBlock, header: range) -> list[str]:
    """The names from top to bottom, joined: `2023 / Q1`."""
    levels = [
        block.rows[index] if index == header[-1] or block.spanned.get(index) else _filled(block.rows[index])
        for index in header
    ]
    return joined_names(levels)
