"""Divides an Excel sheet into blocks at its empty rows and columns, and repeats the value of merged cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rag.readers.office.sheets.worksheet import CellLimit, CellRange, Worksheet
from rag.readers.tables.table_header import SAMPLE_ROWS, header_index, is_header, is_number
from rag.readers.tables.table_layout import CellBlock

_MAX_SIDE_BY_SIDE = 32
"""With more empty columns than that, the sheet is one wide table."""
_MAX_REPEATED_CHARS = 200
"""Only short values are repeated."""


class SheetBlocks:
    """The blocks of a sheet, from top to bottom and from left to right."""

    def __init__(self, sheet: Worksheet, limit: CellLimit) -> None:
        self._rows = sheet.rows
        self._headers = sheet.headers
        self._limit = limit
        self._spanned: dict[int, set[int]] = defaultdict(set)
        self._continued: dict[int, set[int]] = defaultdict(set)
        self._repeat_merged(sheet.merged)

    def __iter__(self) -> Iterator[CellBlock]:
        for band in _runs(sorted(self._rows)):
            columns = sorted({column for row in band for column in self._rows[row]})
            groups = self._side_by_side(band, columns)
            for group in groups:
                wanted = set(group)
                rows = band if len(groups) == 1 else [row for row in band if not wanted.isdisjoint(self._rows[row])]
                for run in _runs(rows):
                    yield self._block(run, group)

    def _repeat_merged(self, merged: Sequence[CellRange]) -> None:
        """Write the value into each cell of the range, in rows that have values of their own."""
        if not merged or not self._rows:
            return
        own = {row: len(cells) for row, cells in self._rows.items()}
        last_row = max(self._rows)
        last_column = max(column for cells in self._rows.values() for column in cells)
        for cells in merged:
            text = self._rows.get(cells.first_row, {}).get(cells.first_column, "")
            if not text or len(text) > _MAX_REPEATED_CHARS:
                continue
            is_title = own[cells.first_row] == 1
            rows = range(cells.first_row, min(cells.last_row, last_row) + 1)
            end = cells.first_column if is_title else min(cells.last_column, last_column)
            columns = range(cells.first_column, end + 1)
            self._limit.count(len(rows) * len(columns))
            for row in rows:
                if row in own:
                    self._repeat(text, row, columns, is_first=row == cells.first_row)

    def _repeat(self, text: str, row: int, columns: range, *, is_first: bool) -> None:
        covered = [column for column in columns if column not in self._rows[row]]
        self._rows[row].update(dict.fromkeys(covered, text))
        self._spanned[row].update(column for column in covered if column != columns[0])
        if not is_first:
            self._continued[row].update(covered)

    def _side_by_side(self, band: Sequence[int], columns: Sequence[int]) -> list[list[int]]:
        """The columns of the tables that stand next to each other, separated by empty columns."""
        runs = _runs(columns)
        if len(runs) == 1 or len(runs) > _MAX_SIDE_BY_SIDE:
            return [list(columns)]
        groups: list[list[int]] = []
        for run in runs:
            if groups and self._are_apart(band, groups[-1], run):
                groups.append(run)
            elif groups:
                groups[-1] += run
            else:
                groups.append(run)
        return groups

    def _are_apart(self, band: Sequence[int], left: Sequence[int], right: Sequence[int]) -> bool:
        """Whether these columns are two tables, rather than one with an empty column in it."""
        if min(len(left), len(right)) < 2:
            return False
        first, second = self._sample(band, left), self._sample(band, right)
        if not (_has_header(first) and _has_header(second)):
            return False
        differ = {row for row, _ in first} != {row for row, _ in second}
        labels = [cells[0] for _, cells in second[1:] if cells[0]]
        return differ or (bool(labels) and not any(map(is_number, labels)))

    def _sample(self, band: Sequence[int], columns: Sequence[int]) -> list[tuple[int, list[str]]]:
        cells = ((row, [self._rows[row].get(column, "") for column in columns]) for row in band[:SAMPLE_ROWS])
        return [(row, texts) for row, texts in cells if any(texts)]

    def _block(self, rows: Sequence[int], group: Sequence[int]) -> CellBlock:
        wanted = set(group)
        columns = sorted({column for row in rows for column in self._own_columns(row)} & wanted)
        self._limit.count(len(rows) * len(columns))
        return CellBlock(
            [[self._rows[row].get(column, "") for column in columns] for row in rows],
            columns,
            _positions(self._spanned, rows, columns),
            _positions(self._continued, rows, columns),
            self._declared_header(rows, columns),
        )

    def _own_columns(self, row: int) -> set[int]:
        """Without the columns that only repeat others: a column of such cells is left out."""
        return set(self._rows[row]) - self._spanned.get(row, set())

    def _declared_header(self, rows: Sequence[int], columns: Sequence[int]) -> int | None:
        for header in self._headers[:1000]:
            is_inside = header.first_column <= columns[-1] and header.last_column >= columns[0]
            if is_inside and header.first_row in self._rows and rows[0] <= header.first_row < rows[-1]:
                return header.first_row - rows[0]
        return None


def _has_header(rows: Sequence[tuple[int, list[str]]]) -> bool:
    cells = [texts for _, texts in rows]
    start = header_index(cells)
    return len(cells) > start + 1 and is_header(cells[start], cells[start + 1 :])


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """The runs of consecutive numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _positions(
    marked: Mapping[int, set[int]], rows: Sequence[int], columns: Sequence[int]
) -> dict[int, frozenset[int]]:
    """The marked cells of the sheet as positions in a block."""
    if not marked:
        return {}
    return {
        index: frozenset(position for position, column in enumerate(columns) if column in marked[row])
        for index, row in enumerate(rows)
        if row in marked
    }
